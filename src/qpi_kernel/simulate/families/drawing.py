"""What random kernels are drawn from: ripple wavelengths, decay lengths, scatterers, in pixels."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Family = Callable[[np.random.Generator, Floats], Floats]

# Ripple wavelengths on the 64 px model grid: shorter ones alias, longer ones show no ripple.
WAVELENGTH_PX = (4.5, 26.0)
DECAY_PX = (6.0, 300.0)
# Ripples that are summed up on a torus have to fade before they meet their images.
LIVED_PX = (6.0, 80.0)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def either_sign(rng: np.random.Generator) -> float:
    """Draw 1 or -1."""
    return float(rng.choice([-1.0, 1.0]))


def strength(rng: np.random.Generator, unit: float) -> float:
    """Draw a potential from weak (Born) to strong (resonant), attractive or repulsive."""
    return unit * log_uniform(rng, 0.05, 5.0) * either_sign(rng)
