"""Maps made for the steps of the preparation: waves, noise and lattices with a known distortion."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from qpi_kernel.maps import make_map

LATTICE_NM = 0.4
LENGTH = {"square": 2 * np.pi / LATTICE_NM, "hexagonal": 4 * np.pi / np.sqrt(3) / LATTICE_NM}
ANGLES = {"square": (12.0, 102.0), "hexagonal": (12.0, 72.0, 132.0)}


def map_of(values, pitch=0.1, **attrs):
    """Return a map of equal pixels that begins at y = 3 nm, at 0, 5, 10 ... mV."""
    values = np.atleast_3d(np.asarray(values, dtype=np.float32).T).T
    return make_map(
        values,
        bias_mV=np.arange(len(values)) * 5.0,
        y_nm=3 + np.arange(values.shape[1]) * pitch,
        x_nm=np.arange(values.shape[2]) * pitch,
        units="nS",
        name="LIX",
        attrs=attrs,
    )


def lattice_of(symmetry, x, y):
    """Return the height of a lattice of 0.4 nm at true positions."""
    q = LENGTH[symmetry] * np.exp(1j * np.deg2rad(ANGLES[symmetry]))
    return sum(np.cos(one.real * x + one.imag * y) for one in q)


def frame(pixels=192, pitch=0.1):
    """Return the positions (x, y) of a square frame, as `map_of` places them."""
    axis = pitch * np.arange(pixels)
    y, x = np.meshgrid(3 + axis, axis, indexing="ij")
    return x, y


def smooth_field(pixels=192, pitch=0.1, seed=0):
    """Return a displacement (x, y) [nm] without mean and slope: creep and a slow random drift."""
    rng = np.random.default_rng(seed)
    x, y = frame(pixels, pitch)
    flat = np.stack([np.ones(x.size), x.ravel(), y.ravel()], axis=-1)
    parts = []
    for _ in range(2):
        slow = gaussian_filter(rng.normal(size=(2 * pixels, 2 * pixels)), 5 / pitch)
        slow = slow[:pixels, :pixels]
        part = 0.2 * slow / slow.std() + 0.5 * np.exp(-(y - 3) / (0.2 * pixels * pitch))
        fit = np.linalg.lstsq(flat, part.ravel(), rcond=None)[0]
        parts.append(part - (flat @ fit).reshape(part.shape))
    return np.array(parts)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(2, 40, 60))


@pytest.fixture
def surface():
    y, x = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 60), indexing="ij")
    return {0: 5 + 0 * x, 1: 20 * x - 7 * y, 2: x * y * 30 - 9 * x**2, 3: 40 * x**2 * y + y**3}
