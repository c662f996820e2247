"""Kernels of known bands."""

import numpy as np
import pytest
from scipy.special import hankel1

from qpi_kernel.maps import make_map


def born(q0, phase=0.0, ellipse=1.0):
    """The wave that goes out and back in a band of wave number q0 along x, q0 * ellipse along y."""

    def kernel(x, y):
        r = np.hypot(x, ellipse * y)
        wave = hankel1(0, q0 * np.maximum(r, 0.05) / 2) ** 2
        return (np.exp(1j * phase) * wave).imag * np.exp(-r / 10)

    return kernel


@pytest.fixture
def kernel_of():
    """Sample functions of (x, y), one per bias, on a window about the scatterer."""

    def make(*functions, half=32, step=0.25, bias_mV=None):
        axis = step * np.arange(-half, half + 1)
        y, x = np.meshgrid(axis, axis, indexing="ij")
        bias_mV = np.arange(len(functions), dtype=float) if bias_mV is None else bias_mV
        values = np.stack([function(x, y) for function in functions])
        return make_map(values, bias_mV=bias_mV, y_nm=axis, x_nm=axis, units="nS")

    return make
