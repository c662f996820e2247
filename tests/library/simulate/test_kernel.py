import numpy as np
import pytest

from qpi_kernel import QpiError, simulate_kernel
from qpi_kernel.simulate import crop_kernel


def test_a_kernel_needs_an_area():
    with pytest.raises(QpiError, match="2 x 2 points"):
        simulate_kernel("ag111", bias_mV=[0.0], y_nm=[0.0], x_nm=[0.0, 1.0])


def test_a_cropped_kernel_stays_centred():
    axis = np.arange(-64, 65) * 0.3125
    kernel = simulate_kernel("ag111", bias_mV=[0.0], y_nm=axis, x_nm=axis)
    small = crop_kernel(kernel, 6.0)
    assert small.sizes["x"] % 2 == 1
    assert small["x"].values[small.sizes["x"] // 2] == pytest.approx(0, abs=1e-9)
    assert small["x"].values[-1] - small["x"].values[0] == pytest.approx(6.0, abs=0.4)
    assert float(np.abs(small.values).max()) == float(np.abs(kernel.values).max())
