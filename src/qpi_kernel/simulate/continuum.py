"""Kernels of surface states that have a closed form: parabolic, elliptic and Rashba bands.

An s-wave scatterer at the origin changes the local density of states of a band with retarded Green
function G by

    delta rho(r, E) = -(2/pi) Im[ T(E) G(r, E) G(-r, E) ]        (2 for the spin),

with the T-matrix of phase shift delta and absorption A

    T = i (hbar^2/m) ( sqrt(1 - A) exp(2 i delta) - 1 ),

which obeys the optical theorem Im T = |T|^2 Im G(0) for A = 0. The logarithm of G at r = 0 is
rounded off over a core of radius c, as for a scatterer that is no point:

    H0(k r)  ->  H0(k r) + (i/pi) E1(exp(-gamma) r^2 / c^2),      gamma = 0.5772...

is as high at r = 0 as H0 at a distance c, keeps Im G(0), and is H0 itself from 2.5 c on, so that
the core moves neither the ring nor the phase of the waves (r -> sqrt(r^2 + c^2) would). Energies in
eV, lengths in nm, masses in electron masses, delta rho in 1/(eV nm^2).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import constants
from scipy.special import exp1, hankel1

from qpi_kernel.errors import QpiError

HBAR2_2M_EV_NM2 = constants.hbar**2 / (2 * constants.m_e) / constants.e * 1e18
# Infinities of the Hankel functions at r = 0 cancel; their sum is evaluated just beside.
JUST_BESIDE_NM = 1e-6

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class ParabolicBand:
    """An isotropic surface state and the scatterers in it; see `parabolic_kernel`.

    Parameters
    ----------
    mass : float
        Effective mass, negative for holes [electron masses].
    edge_eV, broadening_eV : float
        Band edge, and eta (half width) [eV].
    phase_shift : float
        delta of a scatterer [rad].
    core_nm : float
        The logarithm at r = 0 is rounded off over this length [nm].
    """

    mass: float
    edge_eV: float
    broadening_eV: float
    phase_shift: float = np.pi / 2
    core_nm: float = 0.2

    @property
    def t_matrix(self) -> complex:
        """T of one scatterer [eV nm^2]."""
        return _scattering(self.mass, self.phase_shift, 0.0)


def t_matrix(mass: float, phase_shift: float, absorption: float = 0.0) -> complex:
    """Return T of an s-wave scatterer in a 2D band of effective `mass` [eV nm^2].

    Parameters
    ----------
    mass : float
        Effective mass (its magnitude counts) [electron masses].
    phase_shift : float
        delta [rad]; pi/2 is the unitary limit.
    absorption : float
        0 for an elastic scatterer, 1 for one that swallows every wave ("black dot").
    """
    stays = np.sqrt(1.0 - absorption) * np.exp(2j * phase_shift)
    return complex(2j * HBAR2_2M_EV_NM2 / abs(mass) * (stays - 1.0))


def parabolic_green(
    distance_nm: Floats,
    energy_eV: float,
    mass: float,
    edge_eV: float,
    broadening_eV: float,
    core_nm: float,
) -> Complexes:
    """Return G(r) = -(i m / 2 hbar^2) H0(k r) of E = edge + hbar^2 k^2 / 2m [1/(eV nm^2)].

    A negative mass is a hole band: G_hole(E) = -conj(G_electron(-E)). Within `core_nm` the
    logarithm is rounded off (this module says how).
    """
    if mass < 0:
        electron = parabolic_green(distance_nm, -energy_eV, -mass, -edge_eV, broadening_eV, core_nm)
        return -np.conj(electron)
    k = _upper_root(mass * (energy_eV + 1j * broadening_eV - edge_eV) / HBAR2_2M_EV_NM2)
    prefactor = -0.25j * mass / HBAR2_2M_EV_NM2
    distance = np.maximum(distance_nm, JUST_BESIDE_NM)
    return np.asarray(prefactor * (hankel1(0, k * distance) + _core(distance, core_nm)))


def parabolic_kernel(
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: float,
    *,
    mass: float | tuple[float, float],
    edge_eV: float,
    broadening_eV: float,
    phase_shift: float = np.pi / 2,
    absorption: float = 0.0,
    core_nm: float = 0.2,
) -> Floats:
    """Return delta rho of one scatterer in a parabolic band; its ring lies at q = 2 k(E).

    Parameters
    ----------
    y_nm, x_nm : array
        Positions relative to the scatterer [nm]; they broadcast.
    energy_eV : float
        Energy [eV] relative to the Fermi level.
    mass : float or (mass_x, mass_y)
        Effective mass [electron masses]; two of one sign for an elliptic band.
    edge_eV, broadening_eV : float
        Band edge, and eta = hbar / 2 tau (half width) [eV].
    phase_shift, absorption : float
        Of the scatterer, see `t_matrix`.
    core_nm : float
        The logarithm at r = 0 is rounded off over this length [nm].

    Returns
    -------
    array, shape of the broadcast positions
        delta rho [1/(eV nm^2)].

    Raises
    ------
    QpiError
        If a mass is zero, the two have different signs, or broadening or core is not positive.
    """
    mass_x, mass_y = (mass, mass) if isinstance(mass, int | float) else mass
    _check(mass_x, mass_y, broadening_eV, core_nm)
    mean_mass = float(np.copysign(np.sqrt(mass_x * mass_y), mass_x))
    ratio = np.sqrt(mass_x / mass_y)
    distance = np.sqrt(x_nm**2 * ratio + y_nm**2 / ratio)
    green = parabolic_green(distance, energy_eV, mean_mass, edge_eV, broadening_eV, core_nm)
    scattering = _scattering(mean_mass, phase_shift, absorption)
    return np.asarray(-2 / np.pi * np.imag(scattering * green**2))


def rashba_kernel(
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: float,
    *,
    mass: float,
    crossing_eV: float,
    rashba_eV_nm: float,
    broadening_eV: float,
    phase_shift: float = np.pi / 2,
    absorption: float = 0.0,
    core_nm: float = 0.2,
) -> Floats:
    """Return delta rho of one scalar scatterer in a Rashba-split band.

    E = crossing + hbar^2 k^2 / 2m +- alpha k. With k_R = m alpha / hbar^2 and
    k_b = sqrt(2 m (E - crossing) / hbar^2 + k_R^2) the contours are k_b -+ k_R, and the scalar
    scatterer shows ONE ring, at q = 2 k_b: a charge map does not see the splitting.

    Parameters
    ----------
    y_nm, x_nm, energy_eV, mass, broadening_eV, phase_shift, absorption, core_nm
        As in `parabolic_kernel`.
    crossing_eV : float
        Energy at k = 0, where the two branches cross [eV].
    rashba_eV_nm : float
        alpha [eV nm].

    Raises
    ------
    QpiError
        If the mass is zero, or broadening or core is not positive.
    """
    _check(mass, mass, broadening_eV, core_nm)
    distance = np.maximum(np.hypot(x_nm, y_nm), JUST_BESIDE_NM)
    spin_even, spin_odd = _rashba_green(
        distance, energy_eV, mass, crossing_eV, rashba_eV_nm, broadening_eV, core_nm
    )
    scattering = _scattering(mass, phase_shift, absorption)
    return np.asarray(-2 / np.pi * np.imag(scattering * (spin_even**2 - spin_odd**2)))


def _rashba_green(
    distance: Floats,
    energy: float,
    mass: float,
    crossing: float,
    alpha: float,
    broadening: float,
    core: float,
) -> tuple[Complexes, Complexes]:
    if mass < 0:
        even, odd = _rashba_green(distance, -energy, -mass, -crossing, alpha, broadening, core)
        return -np.conj(even), -np.conj(odd)
    k_rashba = mass * alpha / (2 * HBAR2_2M_EV_NM2)
    k_both = _upper_root(
        mass * (energy + 1j * broadening - crossing) / HBAR2_2M_EV_NM2 + k_rashba**2
    )
    inner, outer = k_both - k_rashba, k_both + k_rashba
    prefactor = -0.25j * mass / HBAR2_2M_EV_NM2 / (inner + outer)
    even = inner * hankel1(0, inner * distance) + outer * hankel1(0, outer * distance)
    even += (inner + outer) * _core(distance, core)
    odd = 1j * (inner * hankel1(1, inner * distance) - outer * hankel1(1, outer * distance))
    return prefactor * even, prefactor * odd


def _core(distance: Floats, core: float) -> Complexes:
    """Return what rounds off the logarithm of H0."""
    return np.asarray(1j / np.pi * exp1(np.exp(-np.euler_gamma) * (distance / core) ** 2))


def _check(mass_x: float, mass_y: float, broadening: float, core: float) -> None:
    if not mass_x * mass_y > 0:
        raise QpiError(
            f"effective masses are not zero and of one sign, got {mass_x} and {mass_y}; two signs"
            " make a saddle point, which has no closed form"
        )
    if not (broadening > 0 and core > 0):
        raise QpiError(f"broadening ({broadening} eV) and core ({core} nm) must be positive")


def _scattering(mass: float, phase_shift: float, absorption: float) -> complex:
    # The hole band is the mirror image H -> -H of an electron band, which turns T into -conj(T).
    scattering = t_matrix(mass, phase_shift, absorption)
    return scattering if mass > 0 else -scattering.conjugate()


def _upper_root(square: complex) -> complex:
    root = complex(np.sqrt(complex(square)))
    return root if root.imag >= 0 else -root
