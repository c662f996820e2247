"""Kernels of topological surface states: the Dirac cone and Fu's warped cone.

The spin is locked to the wave vector, so that a scalar scatterer cannot turn a wave back:

    H = E_D + v (kx sigma_y - ky sigma_x) + lambda (kx^3 - 3 kx ky^2) sigma_z,   x along Gamma-K.

Kernels are delta rho(r, E) = -(1/pi) Im tr[ O G(r) T G(-r) ] with T = V (1 - G(0) V)^-1, where
V = V0 + J . sigma is the scatterer and O = 1 + p . sigma the tip. Energies in eV, lengths in nm.
"""

import numpy as np
import numpy.typing as npt
from scipy.fft import ifft, next_fast_len
from scipy.special import hankel1

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.spin import PAULI

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Vector = tuple[float, float, float]

# The torus of the warped cone is this many mean free paths larger than the window; beyond, images
# of the scatterer have decayed to exp(-4).
FREE_PATHS = 4.0
LARGEST_MESH = 4096


def dirac_kernel(
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: float,
    *,
    velocity_eV_nm: float,
    crossing_eV: float,
    broadening_eV: float,
    potential_eV_nm2: float = 1.0,
    moment_eV_nm2: Vector = (0.0, 0.0, 0.0),
    tip: Vector = (0.0, 0.0, 0.0),
    core_nm: float = 0.2,
) -> Floats:
    """Return delta rho of one point scatterer on a Dirac cone.

    With k = (E + i eta - E_D) / v and t = z x r / r,

        G(r) = -(i k / 4 v) [ H0(k r) + i H1(k r) sigma . t ].

    Since G(r) G(-r) holds H0^2 + H1^2, whose leading terms cancel, the scalar kernel falls as
    1/r^2 and not as 1/r. A magnetic scatterer leaves no charge signal to first order in J.

    Parameters
    ----------
    y_nm, x_nm : array
        Positions relative to the scatterer [nm]; they broadcast.
    energy_eV : float
        Energy [eV] relative to the Fermi level.
    velocity_eV_nm : float
        v = hbar times the Fermi velocity [eV nm].
    crossing_eV, broadening_eV : float
        Energy E_D of the Dirac point, and eta (half width) [eV].
    potential_eV_nm2 : float
        Scalar strength V0 of the scatterer [eV nm^2].
    moment_eV_nm2 : (float, float, float)
        Exchange J times the classical spin of the scatterer, (x, y, z) [eV nm^2].
    tip : (float, float, float)
        Spin polarisation p of the tip, (x, y, z); zero measures the charge.
    core_nm : float
        Size of the scatterer: rounds off r = 0 and cuts off wave vectors beyond 1/core [nm].

    Returns
    -------
    array, shape of the broadcast positions
        delta rho [1/(eV nm^2)].

    Raises
    ------
    QpiError
        If velocity, broadening or core is not positive.
    """
    _check(velocity_eV_nm, broadening_eV, core_nm)
    energy = energy_eV + 1j * broadening_eV - crossing_eV
    # The cone below E_D follows from the one above through sigma_z H sigma_z = -H.
    k = (energy if energy.real >= 0 else -energy.conjugate()) / velocity_eV_nm
    distance = np.sqrt(x_nm**2 + y_nm**2 + core_nm**2)
    even = -0.25j * k / velocity_eV_nm * hankel1(0, k * distance)
    odd = 0.25 * k / velocity_eV_nm * hankel1(1, k * distance)
    if energy.real < 0:
        even, odd = -even.conj(), -odd.conj()
    along_x, along_y = -y_nm / distance, x_nm / distance
    sigma_t = along_x[..., None, None] * PAULI[0] + along_y[..., None, None] * PAULI[1]
    one = even[..., None, None] * np.eye(2)
    out, back = one + odd[..., None, None] * sigma_t, one - odd[..., None, None] * sigma_t
    cutoff = velocity_eV_nm / core_nm
    local = -energy / (4 * np.pi * velocity_eV_nm**2) * np.log(1 - cutoff**2 / energy**2)
    return _density(out, back, complex(local), potential_eV_nm2, moment_eV_nm2, tip)


def warped_kernel(
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: float,
    *,
    velocity_eV_nm: float,
    warping_eV_nm3: float,
    crossing_eV: float,
    broadening_eV: float,
    potential_eV_nm2: float = 1.0,
    moment_eV_nm2: Vector = (0.0, 0.0, 0.0),
    tip: Vector = (0.0, 0.0, 0.0),
    core_nm: float = 0.2,
) -> Floats:
    """Return delta rho of one scatterer on Fu's hexagonally warped cone, by FFT over k.

    Contours obey (E - E_D)^2 = v^2 k^2 + lambda^2 k^6 cos^2(3 theta). With E* = v sqrt(v / lambda)
    they are concave above sqrt(7) / 6^(3/4) E* = 0.690 E*, and a scalar scatterer then has its
    brightest spots at q = sqrt(3) (E - E_D) / v along Gamma-K, which join every second tip of the
    contour. Towards 1.3 E* spots along Gamma-M become as bright.

    Parameters
    ----------
    y_nm, x_nm : array, shape (ny,), (nx,)
        Evenly spaced axes with the scatterer at 0, x along Gamma-K [nm].
    energy_eV, velocity_eV_nm, crossing_eV, broadening_eV, potential_eV_nm2, moment_eV_nm2, tip
        As in `dirac_kernel`.
    warping_eV_nm3 : float
        lambda [eV nm^3].
    core_nm : float
        Size of the scatterer and of the tip: waves of wave vector k count exp(-k^2 core^2 / 2).

    Returns
    -------
    array, shape (ny, nx)
        delta rho [1/(eV nm^2)].

    Raises
    ------
    QpiError
        If velocity, broadening or core is not positive, or if the mean free path is too long for
        the mesh.

    References
    ----------
    L. Fu, Phys. Rev. Lett. 103, 266801 (2009).
    """
    _check(velocity_eV_nm, broadening_eV, core_nm)
    energy = energy_eV + 1j * broadening_eV - crossing_eV
    speed = _largest_speed(abs(energy), velocity_eV_nm, warping_eV_nm3)
    free_path = FREE_PATHS * speed / broadening_eV
    # The mesh of wave vectors must hold the contour, with tips at E / v, and the form factor.
    needed = max(3 * abs(energy) / velocity_eV_nm, 3 / core_nm)
    axes, steps, finer = (y_nm, x_nm), [], []
    for axis in axes:
        step = float(axis[1] - axis[0])
        finer.append(max(1, int(np.ceil(step * needed / np.pi))))
        steps.append(step / finer[-1])
    shape = [
        int(next_fast_len(int(np.ceil((np.ptp(axis) + free_path) / step)) + 1))
        for axis, step in zip(axes, steps, strict=True)
    ]
    if max(shape) > LARGEST_MESH:
        raise QpiError(
            f"a broadening of {1e3 * broadening_eV:g} meV needs a mesh of {max(shape)} points;"
            f" at most {LARGEST_MESH} are computed: raise the broadening or the pixel size"
        )
    ky = 2 * np.pi * np.fft.fftfreq(shape[0], steps[0])[:, None]
    kx = 2 * np.pi * np.fft.fftfreq(shape[1], steps[1])[None, :]
    field = warped_field(
        np.asarray(kx, np.float64), np.asarray(ky, np.float64), velocity_eV_nm, warping_eV_nm3
    )
    form = np.exp(-(kx**2 + ky**2) * core_nm**2 / 2)
    scalar = form / (energy**2 - np.sum(field**2, axis=0))
    cell = steps[0] * steps[1]
    # The scatterer has the same form factor on both of its sides.
    local = complex(np.mean(energy * scalar * form) / cell)
    rows = slice(0, finer[0] * y_nm.size, finer[0])
    columns = slice(0, finer[1] * x_nm.size, finer[1])
    to_y, to_x = np.exp(1j * ky * y_nm[0]) / cell, np.exp(1j * kx * x_nm[0])
    out = np.empty((y_nm.size, x_nm.size, 4), dtype=np.complex128)
    for index, part in enumerate((energy * scalar, *(scalar * field))):
        seen = ifft(part * to_x, axis=1, overwrite_x=True)[:, columns]
        out[..., index] = ifft(seen * to_y, axis=0, overwrite_x=True)[rows]
    # The field is odd in k: G(-r) has the same scalar part and the opposite vector.
    back = out * np.array([1, -1, -1, -1])
    basis = np.concatenate([np.eye(2)[None], PAULI])
    return _density(
        np.tensordot(out, basis, 1), np.tensordot(back, basis, 1), local,
        potential_eV_nm2, moment_eV_nm2, tip,
    )  # fmt: skip


def _largest_speed(energy: float, velocity: float, warping: float) -> float:
    """Return the group velocity at the waist of the contour, E^2 = v^2 k^2 + lambda^2 k^6."""
    roots = np.roots([warping**2, 0.0, velocity**2, -(energy**2)])
    k = float(np.sqrt(roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real.max()))
    return (velocity**2 * k + 3 * warping**2 * k**5) / energy


def warped_field(kx: Floats, ky: Floats, velocity_eV_nm: float, warping_eV_nm3: float) -> Floats:
    """Return d(k) of H = E_D + d . sigma [eV], shape (3, *k), for wave vectors [1/nm]."""
    kx, ky = np.broadcast_arrays(kx, ky)
    return np.stack(
        [-velocity_eV_nm * ky, velocity_eV_nm * kx, warping_eV_nm3 * (kx**3 - 3 * kx * ky**2)]
    )


def _density(
    out: Complexes, back: Complexes, local: complex, potential: float, moment: Vector, tip: Vector
) -> Floats:
    scatterer = potential * np.eye(2) + np.tensordot(moment, PAULI, 1)
    scattering = scatterer @ np.linalg.inv(np.eye(2) - local * scatterer)
    seen = np.eye(2) + np.tensordot(tip, PAULI, 1)
    trace = np.einsum(
        "ab,nbc,cd,nda->n", seen, out.reshape(-1, 2, 2), scattering, back.reshape(-1, 2, 2),
        optimize=True,
    )  # fmt: skip
    return np.asarray(-trace.imag / np.pi).reshape(out.shape[:-2])


def _check(velocity: float, broadening: float, core: float) -> None:
    if not (velocity > 0 and broadening > 0 and core > 0):
        raise QpiError(
            f"velocity ({velocity} eV nm), broadening ({broadening} eV) and core ({core} nm) must"
            " be positive"
        )
