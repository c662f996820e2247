"""Surface states with locked spins: Dirac cones, plain, gapped, magnetic and warped."""

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate.families.drawing import (
    LIVED_PX,
    WAVELENGTH_PX,
    Floats,
    either_sign,
    log_uniform,
    strength,
)
from qpi_kernel.simulate.families.scattering import Mesh, answer, density
from qpi_kernel.simulate.spin import PAULI


def dirac(rng: np.random.Generator, axis: Floats) -> Floats:
    """Massless cone with a scalar scatterer: no backscattering, ripples fall as 1 / r^2."""
    return _cone(rng, axis)


def dirac_magnetic(rng: np.random.Generator, axis: Floats) -> Floats:
    """Massless cone with a magnetic scatterer, seen by a plain or a magnetic tip."""
    return _cone(rng, axis, magnetic=True)


def dirac_gapped(rng: np.random.Generator, axis: Floats) -> Floats:
    """Cone with a mass, scalar or magnetic scatterer: spins cant, backscattering comes back."""
    return _cone(rng, axis, mass=log_uniform(rng, 0.3, 3.0), magnetic=bool(rng.random() < 0.3))


def warped_cone(rng: np.random.Generator, axis: Floats) -> Floats:
    """Fu's hexagonally warped cone, round to concave, with weight that depends on direction."""
    return _cone(rng, axis, warping=rng.uniform(0.5, 1.4) ** 2, magnetic=bool(rng.random() < 0.15))


def _cone(
    rng: np.random.Generator,
    axis: Floats,
    mass: float = 0.0,
    warping: float = 0.0,
    magnetic: bool = False,
) -> Floats:
    mesh = Mesh(axis.size, log_uniform(rng, *LIVED_PX))
    k = np.pi / log_uniform(rng, *WAVELENGTH_PX)
    # With k and v = 1 as units the contour is at wave vector 1.
    kx, ky = mesh.axes(k, rng.uniform(0, 2 * np.pi))
    level = float(np.hypot(1.0, mass))
    energy = np.complex64(either_sign(rng) * level + 1j / (2 * mesh.decay * k * level))
    along_z = mass + warping * kx * (kx**2 - 3 * ky**2)
    green = np.empty((2, 2, mesh.pixels, mesh.pixels), np.complex64)
    green[0, 0], green[1, 1] = energy + along_z, energy - along_z
    green[0, 1], green[1, 0] = -ky - 1j * kx, -ky + 1j * kx
    green /= energy**2 - kx**2 - ky**2 - along_z**2
    squared = kx**2 + ky**2
    # Spins wind around k = 0 and must have faded out where wave vectors repeat.
    cutoff = min(rng.uniform(1.8, 3.0), 0.6 * np.pi / k)
    form = np.exp(-((squared / cutoff**2) ** 2))
    if warping:
        sixfold = np.cos(6 * np.arctan2(ky, kx))
        form = form * (1 + rng.uniform(-0.6, 0.6) * sixfold)
    local = np.mean(green * form**2, axis=(2, 3))
    unit = 1 / float(np.linalg.norm(local))
    potential = strength(rng, unit) * np.eye(2, dtype=np.complex128)
    polarised = np.zeros(3)
    if magnetic:
        potential *= rng.choice([0.0, rng.uniform(0, 1)])
        potential += strength(rng, unit) * np.tensordot(_direction(rng), PAULI, 1)
        polarised = rng.choice([0.0, rng.uniform(0.2, 1)]) * _direction(rng)
    # O = 1 + p.sigma: each eigenvector is a channel of the tip.
    weights, channels = np.linalg.eigh(np.eye(2) + np.tensordot(polarised, PAULI, 1))
    amplitudes = np.sqrt(np.clip(weights, 0, None))[:, None] * channels.T.conj()
    seen = amplitudes.astype(np.complex64)[..., None, None] * form.astype(np.complex64)
    places = 2 * [form.astype(np.complex64)]
    return density(mesh, green, seen, (0, 1), places, answer(local, potential))


def _direction(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    vector = rng.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))
