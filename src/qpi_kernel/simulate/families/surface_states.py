"""Surface states with a closed Green function: parabolic, elliptic and Rashba bands."""

import numpy as np

from qpi_kernel.simulate import continuum
from qpi_kernel.simulate.families.drawing import DECAY_PX, WAVELENGTH_PX, Floats, log_uniform

# Isotropic kernels are known on a line, this finely.
RADIAL_STEP_PX = 0.03
# The set point averages over this many energies.
ENERGIES = 12
# The core that `rounded` leaves to the kernel.
POINT_PX = 1e-6


def parabolic(rng: np.random.Generator, axis: Floats) -> Floats:
    """Isotropic ring: a surface state, electron or hole, any phase shift and absorption."""
    return _bands(rng, axis, count=1, anisotropy=1.0)


def elliptic(rng: np.random.Generator, axis: Floats) -> Floats:
    """Elliptic contour with mass ratio up to 5, at any angle."""
    return _bands(rng, axis, count=1, anisotropy=5.0)


def two_bands(rng: np.random.Generator, axis: Floats) -> Floats:
    """Two or three contours of different size and shape on one scatterer."""
    return _bands(rng, axis, count=int(rng.integers(2, 4)), anisotropy=3.0)


def rashba(rng: np.random.Generator, axis: Floats) -> Floats:
    """Rashba-split band, electron or hole."""
    q = 2 * np.pi / log_uniform(rng, *WAVELENGTH_PX)
    split = rng.uniform(0.02, 0.45) * q
    energy, broadening = scaled_energy(rng, np.sqrt(max(q**2 / 4 - split**2, 1e-4)))
    point, core = scatterer(rng)
    return continuum.rashba_kernel(
        rounded(axis[:, None], core),
        axis[None, :],
        energy,
        mass=continuum.HBAR2_2M_EV_NM2,
        crossing_eV=0.0,
        rashba_eV_nm=2 * split,
        broadening_eV=broadening,
        core_nm=POINT_PX,
        **point,
    )


def rashba_hole(rng: np.random.Generator, axis: Floats) -> Floats:
    """Rashba-split hole band, below its crossing."""
    q = 2 * np.pi / log_uniform(rng, *WAVELENGTH_PX)
    split = rng.uniform(0.02, 0.45) * q
    energy, broadening = scaled_energy(rng, np.sqrt(q**2 / 4 - split**2))
    r = np.arange(0.0, axis.size, RADIAL_STEP_PX)
    point, core = scatterer(rng)
    kernel = continuum.rashba_kernel(
        rounded(np.zeros(1), core),
        r,
        -energy,
        mass=-continuum.HBAR2_2M_EV_NM2,
        crossing_eV=0.0,
        rashba_eV_nm=2 * split,
        broadening_eV=broadening,
        core_nm=POINT_PX,
        **point,
    )
    return radial(axis, r, kernel)


def setpoint_rings(rng: np.random.Generator, axis: Floats) -> Floats:
    """Electron or hole band at constant current: the set point adds rings that do not disperse.

    dI/dV at fixed current is delta rho(E) less its mean between the Fermi level and the set point,
    whose ripples are those at the two ends.
    """
    k, k_fermi, k_set = (np.pi / log_uniform(rng, *WAVELENGTH_PX) for _ in range(3))
    broadening = k / log_uniform(rng, *DECAY_PX)
    sign = rng.choice([-1.0, 1.0])
    point, core = scatterer(rng)
    r = np.arange(0.0, axis.size, RADIAL_STEP_PX)
    nodes, weights = np.polynomial.legendre.leggauss(ENERGIES)
    between = (k_fermi**2 + k_set**2 + nodes * (k_set**2 - k_fermi**2)) / 2
    planes = [
        continuum.parabolic_kernel(
            rounded(np.zeros(1), core),
            r,
            sign * energy,
            mass=sign * continuum.HBAR2_2M_EV_NM2,
            edge_eV=0.0,
            broadening_eV=broadening,
            core_nm=POINT_PX,
            **point,
        )
        for energy in (k**2, *between)
    ]
    mean = np.tensordot(weights / 2, np.stack(planes[1:]), 1)
    return radial(axis, r, planes[0] - rng.uniform(0.3, 1.0) * mean)


def radial(axis: Floats, r: Floats, values: Floats) -> Floats:
    """Return the isotropic kernel of given values at the distances r [px]."""
    return np.asarray(np.interp(np.hypot(axis[:, None], axis[None, :]), r, values))


def _bands(rng: np.random.Generator, axis: Floats, count: int, anisotropy: float) -> Floats:
    total = np.zeros((axis.size, axis.size))
    for _ in range(count):
        q = 2 * np.pi / log_uniform(rng, *WAVELENGTH_PX)
        energy, broadening = scaled_energy(rng, q / 2)
        ratio = log_uniform(rng, 1.0, anisotropy) if anisotropy > 1 else 1.0
        turn = rng.uniform(0, np.pi)
        y = axis[:, None] * np.cos(turn) - axis[None, :] * np.sin(turn)
        x = axis[:, None] * np.sin(turn) + axis[None, :] * np.cos(turn)
        sign = rng.choice([-1.0, 1.0])
        mass = sign * continuum.HBAR2_2M_EV_NM2
        point, core = scatterer(rng)
        kernel = continuum.parabolic_kernel(
            rounded(y, core * ratio**0.25),
            x,
            sign * energy,
            mass=(mass * np.sqrt(ratio), mass / np.sqrt(ratio)),
            edge_eV=0.0,
            broadening_eV=broadening,
            core_nm=POINT_PX,
            **point,
        )
        total += kernel / np.linalg.norm(kernel) * rng.uniform(0.3, 1.0)
    return total


def scaled_energy(rng: np.random.Generator, k: float) -> tuple[float, float]:
    """Return energy and broadening of a band of wave vector k, mass hbar^2 / 2m = 1."""
    # With hbar^2 / 2m = 1 the energy is k^2 and the ripples fall off as exp(-r / decay) for
    # eta = k / decay.
    return k**2, k / log_uniform(rng, *DECAY_PX)


def scatterer(rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """Draw phase shift and absorption of a point scatterer, and its core [px]."""
    point = {
        "phase_shift": rng.uniform(0.2, np.pi - 0.2),
        "absorption": rng.choice([0.0, rng.uniform(0, 1)]),
    }
    return point, log_uniform(rng, 0.5, 2.5)


def rounded(y: Floats, core: float) -> Floats:
    """Return y for which the distance r is sqrt(r^2 + core^2).

    The core of `continuum` bends no phase, but the shipped models learned from this one.
    """
    return np.sqrt(y**2 + core**2)
