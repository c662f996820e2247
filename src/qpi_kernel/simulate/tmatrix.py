"""One scatterer in a crystal: G = G0 + G0 T G0 with T = V (1 - G0(0) V)^-1.

The tip sees the crystal through Wannier functions w, so the propagator from the scatterer to the
point r of the map is g(r) = sum_Rm w(r - R - tau_m) G0(R m, 0 a). In reciprocal space this sum is a
product, because G0 is periodic there and the transform of w is not:

    g_a(r) = integral d2k/(2 pi)^2 exp(i k r) w(k) sum_m G0_ma(k),

one FFT per energy on ANY pixel grid and at any crystal angle.
"""

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.tight_binding import TightBinding

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]


def local_green(
    model: TightBinding, energy_eV: float, broadening_eV: float, mesh: int
) -> Complexes:
    """Return G0(0, E) between the orbitals of one cell [1/eV], shape (n, n).

    This is the mean of exp(i k (tau_m - tau_n)) G0_mn(k) over the Brillouin zone.

    Parameters
    ----------
    mesh : int
        k points along each reciprocal vector; the torus of mesh cells must be long compared with
        the mean free path hbar v / eta.
    """
    fractions = (np.arange(mesh) + 0.5) / mesh
    first, second = np.meshgrid(fractions, fractions, indexing="ij")
    b1, b2 = model.reciprocal
    kx, ky = first * b1[0] + second * b2[0], first * b1[1] + second * b2[1]
    phase = np.exp(1j * (np.stack([kx, ky], -1) @ model.orbitals_nm.T))
    green = _green(model, kx, ky, energy_eV, broadening_eV)
    return np.asarray((phase[..., :, None] * green * phase[..., None, :].conj()).mean(axis=(0, 1)))


def t_matrix(green: Complexes, potential_eV: Complexes) -> Complexes:
    """Return T = V (1 - G0 V)^-1 [eV]; V may be singular."""
    identity = np.eye(len(green))
    return np.asarray(potential_eV @ np.linalg.inv(identity - green @ potential_eV))


def lattice_kernel(
    model: TightBinding,
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: float,
    *,
    potential_eV: npt.ArrayLike,
    broadening_eV: float,
    wannier_nm: float,
    angle_deg: float = 0.0,
    mesh: int = 512,
) -> Floats:
    """Return delta rho(r) = -(1/pi) Im sum_ab g_a(r) T_ab g~_b(r) of one scatterer [1/(eV nm^2)].

    Parameters
    ----------
    model : TightBinding
        The crystal (one spin).
    y_nm, x_nm : array, shape (ny,), (nx,)
        Evenly spaced axes with the scatterer at 0 [nm].
    energy_eV, broadening_eV : float
        Energy and eta [eV].
    potential_eV : float or array, shape (n, n)
        V on the orbitals of the scatterer's cell; a number acts on orbital 0, the origin [eV].
    wannier_nm : float
        Width sigma of the Gaussian Wannier functions [nm].
    angle_deg : float
        Crystal turned against the map, counter-clockwise [deg].
    mesh : int
        k points for G0(0).

    Raises
    ------
    QpiError
        If the broadening or the Wannier width is not positive.
    """
    if broadening_eV <= 0 or wannier_nm <= 0:
        raise QpiError(
            f"broadening ({broadening_eV} eV) and Wannier width ({wannier_nm} nm) must be positive"
        )
    n = model.orbital_count
    potential = np.asarray(potential_eV, dtype=np.complex128)
    if potential.ndim == 0:
        potential = np.diag(np.eye(n)[0]) * potential
    scattering = t_matrix(local_green(model, energy_eV, broadening_eV, mesh), potential)

    dy, dx = float(y_nm[1] - y_nm[0]), float(x_nm[1] - x_nm[0])
    # Twice the window keeps the images of the torus a window away from the window.
    ny, nx = (int(next_fast_len(2 * axis.size)) for axis in (y_nm, x_nm))
    ky = 2 * np.pi * np.fft.fftfreq(ny, dy)[:, None]
    kx = 2 * np.pi * np.fft.fftfreq(nx, dx)[None, :]
    angle = np.deg2rad(angle_deg)
    crystal_kx = kx * np.cos(angle) + ky * np.sin(angle)
    crystal_ky = ky * np.cos(angle) - kx * np.sin(angle)
    form = 2 * np.sqrt(np.pi) * wannier_nm * np.exp(-(kx**2 + ky**2) * wannier_nm**2 / 2)
    green = _green(model, crystal_kx, crystal_ky, energy_eV, broadening_eV)
    # Positions count from orbital 0 of the scatterer's cell, the origin of the kernel.
    shift = model.orbitals_nm - model.orbitals_nm[0]
    phase = np.exp(
        -1j * (crystal_kx[..., None] * shift[:, 0] + crystal_ky[..., None] * shift[:, 1])
    )
    origin = np.exp(1j * (ky * y_nm[0] + kx * x_nm[0]))
    out = (form * origin)[..., None] * green.sum(axis=-2) * phase
    back = (form * origin.conj())[..., None] * green.sum(axis=-1) * phase.conj()
    out_r = np.fft.ifft2(out, axes=(0, 1))[: y_nm.size, : x_nm.size] / (dy * dx)
    # G0(0, r) carries exp(-i k r): a forward transform.
    back_r = np.fft.fft2(back, axes=(0, 1))[: y_nm.size, : x_nm.size] / (ny * nx * dy * dx)
    density = np.einsum("yxa,ab,yxb->yx", out_r, scattering, back_r)
    return np.asarray(-density.imag / np.pi)


def _green(
    model: TightBinding, kx: Floats, ky: Floats, energy_eV: float, broadening_eV: float
) -> Complexes:
    hamiltonian = model.hamiltonian(kx, ky)
    energy = energy_eV + 1j * broadening_eV
    if model.orbital_count == 1:
        return 1.0 / (energy - hamiltonian)
    return np.asarray(np.linalg.inv(energy * np.eye(model.orbital_count) - hamiltonian))
