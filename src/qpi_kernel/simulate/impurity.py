"""A scatterer of any shape in a crystal of any kind: several sites, orbitals and spins.

On a torus of N x N cells the propagator from orbital n of cell 0 to orbital m of cell R,

    G_mn(R) = (1/N^2) sum_k exp(i k R) [(E + i eta - H(k))^-1]_mn,

is one inversion per k and one FFT. A scatterer on the sites a = 1..s sees G_c = [G(R_a - R_b)] and
answers with T = V (1 - G_c V)^-1, an s x s matrix, however large the crystal. This engine knows no
pixels, so the torus may be much longer than the map; `tmatrix.lattice_kernel` is the short way for
one site and short-lived waves.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.tight_binding import TightBinding
from qpi_kernel.simulate.tmatrix import t_matrix

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

# A Gaussian Wannier function is cut off where it has fallen to 3e-6.
WANNIER_REACH = 5.0


@dataclass(frozen=True)
class Impurity:
    """What a scatterer adds to the Hamiltonian of the crystal.

    Parameters
    ----------
    sites : tuple of (i, j, orbital)
        Orbitals it touches, each in the cell i a1 + j a2; cells may differ.
    potential_eV : array, shape (s, s)
        V between these sites, Hermitian; it may be singular [eV].

    Raises
    ------
    QpiError
        If V does not fit the sites or is not Hermitian.
    """

    sites: tuple[tuple[int, int, int], ...]
    potential_eV: Complexes

    def __post_init__(self) -> None:
        potential = np.asarray(self.potential_eV, dtype=np.complex128)
        s = len(self.sites)
        if s == 0 or potential.shape != (s, s) or len(set(self.sites)) != s:
            raise QpiError(
                f"a potential of shape {potential.shape} does not fit {s} different sites; give"
                " one row and column per site"
            )
        if not np.allclose(potential, potential.conj().T, rtol=0, atol=1e-12):
            raise QpiError("the potential of a scatterer must be Hermitian")
        object.__setattr__(self, "potential_eV", potential)


def torus_green(
    model: TightBinding, energy_eV: float, broadening_eV: float, cells: int
) -> Complexes:
    """Return G_mn(R) on a torus, shape (cells, cells, n, n) [1/eV].

    Parameters
    ----------
    energy_eV, broadening_eV : float
        E and eta > 0 [eV]; waves reach hbar v / eta.
    cells : int
        N, cells along each lattice vector; index (i, j) is R = i a1 + j a2, negative ones from the
        end.

    Raises
    ------
    QpiError
        If the broadening is not positive.
    """
    if broadening_eV <= 0:
        raise QpiError(f"the broadening must be positive, got {broadening_eV} eV")
    fractions = np.fft.fftfreq(cells)
    first, second = np.meshgrid(fractions, fractions, indexing="ij")
    b1, b2 = model.reciprocal
    kx, ky = first * b1[0] + second * b2[0], first * b1[1] + second * b2[1]
    identity = np.eye(model.orbital_count)
    green = np.linalg.inv((energy_eV + 1j * broadening_eV) * identity - model.hamiltonian(kx, ky))
    # In the gauge of the cells G(k) is periodic, in that of the atoms it is not.
    phase = np.exp(1j * (np.stack([kx, ky], -1) @ model.orbitals_nm.T))
    green *= phase[..., :, None] * phase[..., None, :].conj()
    return np.asarray(np.fft.ifft2(green, axes=(0, 1)))


def impurity_green(green: Complexes, impurity: Impurity) -> Complexes:
    """Return G_c, the propagator of `torus_green` between the sites of a scatterer, (s, s)."""
    i, j, orbital = np.array(impurity.sites).T
    cells = len(green)
    return np.asarray(
        green[
            (i[:, None] - i) % cells, (j[:, None] - j) % cells, orbital[:, None], orbital[None, :]
        ]
    )


def density_change(green: Complexes, impurity: Impurity) -> Floats:
    """Return the change of the density of states of every orbital, (cells, cells, n) [1/eV].

    delta rho_m(R) = -(1/pi) Im sum_ab G_ma(R - R_a) T_ab G_bm(R_b - R). Its sum obeys Friedel's
    rule, -(1/pi) d/dE Im ln det(1 - G_c V).
    """
    grid = np.indices(green.shape[:2])
    out, back = _to_sites(green, impurity, grid[0], grid[1])
    scattering = t_matrix(impurity_green(green, impurity), impurity.potential_eV)
    return np.asarray(-np.einsum("ijma,ab,ijmb->ijm", out, scattering, back).imag / np.pi)


def impurity_kernel(
    model: TightBinding,
    impurity: Impurity,
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: float,
    *,
    broadening_eV: float,
    wannier_nm: float,
    tip: npt.ArrayLike | None = None,
    angle_deg: float = 0.0,
    cells: int = 512,
) -> Floats:
    """Return delta rho(r) = -(1/pi) Im tr[O g(r) T g~(r)] of a scatterer [1/(eV nm^2)].

    The tip sees g(r) = sum_R w(r - R - tau) G(R - R_a) with Gaussian Wannier functions w.

    Parameters
    ----------
    model : TightBinding
        The crystal; with spin or in Nambu form the orbitals say so.
    impurity : Impurity
        The scatterer; the middle of its sites is the origin of the kernel.
    y_nm, x_nm : array, shape (ny,), (nx,)
        Axes [nm].
    energy_eV, broadening_eV : float
        E and eta [eV].
    wannier_nm : float
        Width sigma of the Wannier functions [nm].
    tip : array, shape (n, n), optional
        O, Hermitian: which orbitals the tip sees and which of them interfere. All of them without
        it; `spin_tip` for a crystal with spin.
    angle_deg : float
        Crystal turned against the map, counter-clockwise [deg].
    cells : int
        Cells between the rim of the window and the nearest image of the scatterer on the torus;
        images fade as exp(-eta cells a / hbar v).

    Raises
    ------
    QpiError
        If a width is not positive, or a site or the tip does not fit the orbitals.
    """
    n = model.orbital_count
    if wannier_nm <= 0:
        raise QpiError(f"the Wannier width must be positive, got {wannier_nm} nm")
    observed = np.ones((n, n)) if tip is None else np.asarray(tip)
    if observed.shape != (n, n) or not all(0 <= site[2] < n for site in impurity.sites):
        raise QpiError(f"the tip or a site of the scatterer does not fit the {n} orbitals")

    sites = np.array(impurity.sites)
    places = sites[:, :2] @ model.lattice_nm + model.orbitals_nm[sites[:, 2]]
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    reach = np.hypot(np.abs(x_nm).max(), np.abs(y_nm).max()) + WANNIER_REACH * wannier_nm
    # Rows of the reciprocal lattice measure how many cells fit into the reach.
    widest = np.linalg.norm(model.reciprocal, axis=1).max() / (2 * np.pi)
    half = int(np.ceil(reach * widest)) + int(np.abs(sites[:, :2]).max()) + 2
    around = int(next_fast_len(max(half + cells, 2 * half + 1)))
    green = torus_green(model, energy_eV, broadening_eV, around)
    i, j = (axis.ravel() for axis in np.mgrid[-half : half + 1, -half : half + 1])
    origin = np.column_stack([i, j]) @ model.lattice_nm - places.mean(axis=0)
    near = np.hypot(*origin.T) < reach + np.linalg.norm(model.lattice_nm, axis=1).sum()
    out, back = _to_sites(green, impurity, i[near], j[near])
    wannier = [
        _wannier((origin[near] + tau) @ turn, y_nm, x_nm, wannier_nm) for tau in model.orbitals_nm
    ]
    scattering = t_matrix(impurity_green(green, impurity), impurity.potential_eV)
    out_r = np.stack([w @ out[:, m] for m, w in enumerate(wannier)])
    back_r = np.stack([w @ back[:, m] for m, w in enumerate(wannier)])
    # O = sum_c l_c |c><c|: each channel of the tip adds its intensity, not its amplitude.
    strengths, channels = np.linalg.eigh(observed)
    density = np.zeros(out_r.shape[1], dtype=np.complex128)
    for strength, channel in zip(strengths, channels.T, strict=True):
        if abs(strength) > 1e-12:
            seen = np.tensordot(channel.conj(), out_r, 1)
            density += strength * np.einsum(
                "ra,ab,rb->r", seen, scattering, np.tensordot(channel, back_r, 1)
            )
    return np.asarray(-density.imag.reshape(y_nm.size, x_nm.size) / np.pi)


def _to_sites(
    green: Complexes, impurity: Impurity, i: npt.NDArray[np.int_], j: npt.NDArray[np.int_]
) -> tuple[Complexes, Complexes]:
    """G from the sites to the cells (i, j) and back, both (*i.shape, n, s)."""
    cells = len(green)
    out, back = [], []
    for site_i, site_j, orbital in impurity.sites:
        out.append(green[(i - site_i) % cells, (j - site_j) % cells, :, orbital])
        back.append(green[(site_i - i) % cells, (site_j - j) % cells, orbital, :])
    return np.stack(out, -1), np.stack(back, -1)


def _wannier(places: Floats, y_nm: Floats, x_nm: Floats, sigma: float) -> csr_array:
    pixels = np.stack(np.meshgrid(y_nm, x_nm, indexing="ij"), -1).reshape(-1, 2)[:, ::-1]
    pairs = cKDTree(pixels).sparse_distance_matrix(
        cKDTree(places), WANNIER_REACH * sigma, output_type="ndarray"
    )
    values = np.exp(-(pairs["v"] ** 2) / (2 * sigma**2)) / (np.sqrt(np.pi) * sigma)
    return csr_array((values, (pairs["i"], pairs["j"])), shape=(len(pixels), len(places)))
