import numpy as np
import pytest

from qpi_kernel import QpiError, simulate_kernel
from qpi_kernel.simulate import crop_kernel, iter_simulate_kernel


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


def test_a_kernel_says_what_made_it():
    axis = np.arange(-4, 5) * 0.5
    grid = {"bias_mV": [0.0], "y_nm": axis, "x_nm": axis}
    usual, weak = (
        simulate_kernel("ag111", **grid),
        simulate_kernel("ag111", scatterer="weak", **grid),
    )
    assert (usual.attrs["material"], usual.attrs["scatterer"]) == ("ag111", "scalar")
    assert weak.attrs["scatterer"] == "weak"


def test_every_energy_is_a_step():
    axis = np.arange(-4, 5) * 0.5
    grid = {"y_nm": axis, "x_nm": axis}
    steps = list(iter_simulate_kernel("ag111", bias_mV=[-20.0, 0.0, 20.0], **grid))
    assert [step.message for step in steps] == [
        f"kernel at {e} meV" for e in ("-20.0", "0.0", "20.0")
    ]
    assert [step.fraction for step in steps] == pytest.approx([0, 1 / 3, 2 / 3])
