"""A scatterer of any shape in a crystal of any kind: several sites, orbitals and spins.

On a torus of N x N cells the propagator from orbital n of cell 0 to orbital m of cell R,

    G_mn(R) = (1/N^2) sum_k exp(i k R) [(E + i eta - H(k))^-1]_mn,

is one inversion per k and one FFT. A scatterer on the sites a = 1..s sees G_c = [G(R_a - R_b)] and
answers with T = V (1 - G_c V)^-1, an s x s matrix, however large the crystal. Propagators know no
pixels, so the torus may be much longer than the map; `tmatrix.lattice_kernel` is the short way for
one cell without spin.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.green import cells_per_nm, torus_green, torus_length
from qpi_kernel.simulate.tight_binding import TightBinding
from qpi_kernel.simulate.tmatrix import t_matrix
from qpi_kernel.simulate.wannier import WANNIER_REACH, wannier

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

# Orbitals of one scatterer: its T-matrix is a dense one.
LARGEST_SCATTERER = 400


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


def gaussian_impurity(
    model: TightBinding, potential_eV: float, radius_nm: float, orbital: int = 0
) -> Impurity:
    """Return V exp(-d^2 / 2 s^2) on all orbitals at a distance d < 3 s of one: a smooth charge.

    Parameters
    ----------
    model : TightBinding
        The crystal, without spin and holes.
    potential_eV : float
        V at the middle [eV].
    radius_nm : float
        s [nm].
    orbital : int
        The orbital at the middle.

    Raises
    ------
    QpiError
        If the radius is not positive, or more than 400 orbitals lie within.
    """
    if not radius_nm > 0:
        raise QpiError(f"the radius of a scatterer must be positive, got {radius_nm} nm")
    reach = 3 * radius_nm
    half = int(np.ceil(reach * cells_per_nm(model))) + 1
    if (reach * cells_per_nm(model)) ** 2 * model.orbital_count > LARGEST_SCATTERER:
        raise QpiError(
            f"a scatterer of radius {radius_nm} nm holds more than {LARGEST_SCATTERER} orbitals;"
            " take a smaller radius"
        )
    i, j, m = (
        axis.ravel() for axis in np.mgrid[-half : half + 1, -half : half + 1, : model.orbital_count]
    )
    places = np.column_stack([i, j]) @ model.lattice_nm + model.orbitals_nm[m]
    distance = np.hypot(*(places - model.orbitals_nm[orbital]).T)
    near = distance < reach
    sites = tuple(
        (int(a), int(b), int(c)) for a, b, c in zip(i[near], j[near], m[near], strict=True)
    )
    strength = potential_eV * np.exp(-(distance[near] ** 2) / (2 * radius_nm**2))
    return Impurity(sites, np.diag(strength).astype(np.complex128))


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
    energy_eV: npt.ArrayLike,
    *,
    broadening_eV: float,
    wannier_nm: float,
    tip: npt.ArrayLike | None = None,
    angle_deg: float = 0.0,
    cells: int | None = None,
) -> Floats:
    """Return delta rho(r) = -(1/pi) Im tr[O g(r) T g~(r)] of a scatterer [1/(eV nm^2)].

    The tip sees g(r) = sum_R w(r - R - tau) G(R - R_a) with Wannier functions w. In a
    superconductor, the form `superconductor.nambu` of a crystal of one spin, it sees the electrons
    at E and the holes at -E: both spins.

    Parameters
    ----------
    model : TightBinding
        The crystal.
    impurity : Impurity
        The scatterer; the middle of its sites is the origin of the kernel.
    y_nm, x_nm : array, shape (ny,), (nx,)
        Axes [nm].
    energy_eV : float or array
        E [eV]; the shape of the result is that of E, then (ny, nx).
    broadening_eV : float
        eta [eV].
    wannier_nm : float
        Width sigma of the Wannier functions [nm].
    tip : array, shape (n, n), optional
        O, Hermitian: which orbitals the tip sees and which of them interfere; in a superconductor
        over those of the normal crystal. Without it all those of one spin interfere; see `spin_tip`
        for a magnetic tip.
    angle_deg : float
        Crystal turned against the map, counter-clockwise [deg].
    cells : int, optional
        Cells between the rim of the window and the nearest image of the scatterer on the torus;
        images fade as exp(-eta cells a / hbar v). Without it, as many as `torus_length` asks for.

    Raises
    ------
    QpiError
        If a width is not positive, a site or the tip does not fit the orbitals, or the waves live
        so long that the torus would be too large.
    """
    n = model.orbital_count // model.particles
    if wannier_nm <= 0:
        raise QpiError(f"the Wannier width must be positive, got {wannier_nm} nm")
    observed = np.asarray(
        np.kron(np.eye(model.spins), np.ones((n // model.spins, n // model.spins)))
        if tip is None
        else tip,
        dtype=np.complex128,
    )
    if observed.shape != (n, n) or not all(
        0 <= site[2] < model.orbital_count for site in impurity.sites
    ):
        raise QpiError(
            f"the tip or a site of the scatterer does not fit the {model.orbital_count} orbitals"
        )
    energies = np.asarray(energy_eV, float)

    sites = np.array(impurity.sites)
    centre = (sites[:, :2] @ model.lattice_nm + model.orbitals_nm[sites[:, 2]]).mean(axis=0)
    window = float(np.hypot(np.abs(x_nm).max(), np.abs(y_nm).max()) + WANNIER_REACH * wannier_nm)
    extent = int(np.abs(sites[:, :2]).max())
    half = int(np.ceil(window * cells_per_nm(model))) + extent + 2
    if cells is None:
        length = max(torus_length(model, e, broadening_eV, window) for e in energies.flat)
        cells = int(np.ceil(length * cells_per_nm(model)))
    around = int(next_fast_len(max(half + cells, 2 * (half + extent) + 1)))
    i, j = (axis.ravel() for axis in np.mgrid[-half : half + 1, -half : half + 1])
    origin = np.column_stack([i, j]) @ model.lattice_nm - centre
    near = np.hypot(*origin.T) < window + np.linalg.norm(model.lattice_nm, axis=1).sum()
    orbitals = list(zip(model.lobes, *model.orbitals_nm.T, strict=True))
    forms = {
        (lobe, x, y): _wannier(lobe, origin[near] + (x, y), y_nm, x_nm, wannier_nm, angle_deg)
        for lobe, x, y in set(orbitals)
    }

    def seen(energy: float, first: int) -> Floats:
        green = torus_green(
            model, energy, broadening_eV, around, half + extent, set(sites[:, 2].tolist())
        )
        scattering = t_matrix(impurity_green(green, impurity), impurity.potential_eV)
        out, back = (
            np.stack([forms[orbitals[m]] @ to[:, m] for m in range(first, first + n)])
            for to in _to_sites(green, impurity, i[near], j[near])
        )
        return _density(observed, out, scattering, back)

    # Holes at -E are the electrons of the other spin, unless the crystal lists these itself.
    both = model.particles == 2 and model.spins == 1
    planes = [seen(e, 0) + (seen(-e, n) if both else 0.0) for e in energies.flat]
    return np.reshape(planes, (*energies.shape, y_nm.size, x_nm.size))


def _density(observed: Complexes, out: Complexes, scattering: Complexes, back: Complexes) -> Floats:
    """-(1/pi) Im tr[O g T g~] of amplitudes (n, r, s)."""
    density = np.zeros(out.shape[1], dtype=np.complex128)
    # O = sum_c l_c |c><c|: each channel of the tip adds its intensity, not its amplitude.
    strengths, channels = np.linalg.eigh(observed)
    for strength, channel in zip(strengths, channels.T, strict=True):
        if abs(strength) > 1e-12:
            to, fro = np.tensordot(channel.conj(), out, 1), np.tensordot(channel, back, 1)
            density += strength * np.einsum("rb,rb->r", to @ scattering, fro)
    return np.asarray(-density.imag / np.pi)


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


def _wannier(
    lobe: str, places: Floats, y_nm: Floats, x_nm: Floats, sigma_nm: float, angle_deg: float
) -> csr_array:
    """Wannier functions at places of the crystal, on the pixels: (pixels, places)."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    pixels = np.stack(np.meshgrid(x_nm, y_nm), -1).reshape(-1, 2) @ turn.T
    pairs = cKDTree(pixels).sparse_distance_matrix(
        cKDTree(places), WANNIER_REACH * sigma_nm, output_type="ndarray"
    )
    apart = pixels[pairs["i"]] - places[pairs["j"]]
    values = wannier(lobe, apart[:, 0], apart[:, 1], sigma_nm)
    return csr_array((values, (pairs["i"], pairs["j"])), shape=(len(pixels), len(places)))
