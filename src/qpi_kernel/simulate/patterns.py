"""What a surface shows beside the ripples of its scatterers: lattices, stripes, steps, puddles."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.special import j0

Floats = npt.NDArray[np.float64]

# fcc and hcp stripes of a herringbone differ in width: a second harmonic of this share.
ASYMMETRY = 0.4
# The herringbone bends after this many periods.
ELBOW = 3.0


def puddles(rng: np.random.Generator, shape: tuple[int, int], length_px: float) -> Floats:
    """Return a slow random background of standard deviation 1 and a correlation length [px]."""
    # White noise smoothed by sigma is correlated over a length sqrt(2) sigma.
    return standardised(gaussian_filter(rng.normal(size=shape), length_px / np.sqrt(2)))


def stripes(rng: np.random.Generator, y: Floats, x: Floats, period: float) -> Floats:
    """Return a wave of standard deviation 1 along a random direction; lengths in one unit."""
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    return np.asarray(np.sqrt(2) * _wave(x, y, 2 * np.pi / period, angle, phase))


def hexagonal(rng: np.random.Generator, y: Floats, x: Floats, lattice: float) -> Floats:
    """Return a hexagonal lattice of standard deviation 1, its axes turned at random."""
    start, phases = rng.uniform(0, np.pi / 3), rng.uniform(0, 2 * np.pi, 3)
    waves = [
        _wave(x, y, hexagonal_q(lattice), start + turn * np.pi / 3, phase)
        for turn, phase in enumerate(phases)
    ]
    return np.asarray(np.sqrt(2 / 3) * sum(waves))


def hexagonal_q(lattice: float) -> float:
    """Return the length of the reciprocal vectors of a hexagonal lattice."""
    return float(4 * np.pi / (np.sqrt(3) * lattice))


def herringbone(rng: np.random.Generator, y: Floats, x: Floats, period: float) -> Floats:
    """Return the zigzag stripes of a herringbone reconstruction, standard deviation 1.

    Stripes alternate between two widths and bend by 120 degrees at every elbow.
    """
    angle, phase, start = rng.uniform(0, 2 * np.pi, 3)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    elbow = 2 * ELBOW * period
    # Half of each zigzag runs at +30 degrees, half at -30 degrees.
    zigzag = np.abs((across / elbow + start) % 1 - 0.5) * elbow * np.tan(np.deg2rad(30))
    turn = 2 * np.pi * (along + zigzag) / period + phase
    return standardised(np.cos(turn) + ASYMMETRY * np.cos(2 * turn))


def step(rng: np.random.Generator, y: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Draw a straight step across the map: distance from it, and 1 on its upper side else 0."""
    angle = rng.uniform(0, 2 * np.pi)
    across = x * np.cos(angle) + y * np.sin(angle)
    across = across - rng.uniform(0.25, 0.75) * np.ptp(across) - across.min()
    return np.abs(across), (across > 0).astype(float)


def standing_wave(distance_nm: Floats, q_per_nm: float) -> Floats:
    """Return -J0(q d), the ripples of a straight step in a parabolic band of ring q = 2k."""
    return np.asarray(-j0(q_per_nm * distance_nm))


def standardised(values: Floats) -> Floats:
    """Return values less their mean, over their standard deviation."""
    return np.asarray((values - values.mean()) / values.std())


def _wave(x: Floats, y: Floats, q: float, angle: float, phase: float) -> Floats:
    return np.asarray(np.cos(q * (x * np.cos(angle) + y * np.sin(angle)) + phase))
