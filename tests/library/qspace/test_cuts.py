import numpy as np
import pytest

from qpi_kernel.maps import MapError
from qpi_kernel.qspace import kernel_fft, line_cut
from tests.library.qspace.conftest import born


@pytest.fixture
def gaussian(kernel_of):
    """A transform that is known everywhere: exp(-r^2) gives pi exp(-q^2 / 4)."""
    return kernel_fft(kernel_of(lambda x, y: np.exp(-(x**2 + y**2))), pad=2)


@pytest.mark.parametrize("end", [(3.0, 0.0), (0.0, -3.0), (2.0, 1.3), (-1.7, 2.2)])
def test_a_cut_reads_the_transform_between_its_pixels(gaussian, end):
    start = (-0.4 * end[0], -0.4 * end[1])
    cut = line_cut(gaussian, start, end)
    q = cut["q"].values
    np.testing.assert_allclose(cut.values[0], np.pi * np.exp(-(q**2) / 4), atol=2e-3)
    np.testing.assert_allclose([cut["qx"].values[-1], cut["qy"].values[-1]], end, atol=1e-9)
    assert q[0] == pytest.approx(-0.4 * np.hypot(*end))
    assert q[-1] == pytest.approx(np.hypot(*end))
    assert cut.attrs["units"] == "nS nm^2"


def test_q_is_the_component_along_a_cut_beside_the_centre(gaussian):
    cut = line_cut(gaussian, (-1.0, 2.0), (1.5, 2.0), points=26)
    np.testing.assert_allclose(cut["q"].values, np.linspace(-1.0, 1.5, 26))
    wanted = np.pi * np.exp(-(cut["q"].values ** 2 + 4) / 4)
    np.testing.assert_allclose(cut.values[0], wanted, atol=2e-3)


def test_the_width_is_a_mean_across_the_line(gaussian):
    cut = line_cut(gaussian, (0.0, 0.0), (0.0, 3.0), width=1.0)
    across = np.linspace(-0.5, 0.5, 2001)
    mean = np.exp(-(across**2) / 4).mean()
    wanted = np.pi * np.exp(-(cut["q"].values ** 2) / 4) * mean
    np.testing.assert_allclose(cut.values[0], wanted, rtol=0.01, atol=1e-3)
    assert cut.attrs["width"] == 1.0


def test_a_cut_through_a_stack_is_an_image_of_energy_and_q(kernel_of):
    stack = kernel_of(*(born(q) for q in (1.8, 2.4, 3.0)), bias_mV=[-10, 0, 10])
    image = line_cut(kernel_fft(stack, window="hann"), (0.5, 0.0), (5.0, 0.0))
    assert image.dims == ("bias", "q")
    assert np.all(np.diff(image["q"].values[np.argmax(image.values, axis=1)]) > 0.4)


def test_real_parts_are_cut_as_they_are_and_the_outside_is_nan(kernel_of):
    fft = kernel_fft(kernel_of(born(2.6, 1.0)))
    real = fft.copy(data=fft.values.real)
    assert line_cut(real, (0.0, 0.0), (5.0, 0.0)).values.min() < 0
    assert line_cut(fft, (0.0, 0.0), (5.0, 0.0)).values.min() >= -0.01
    beyond = line_cut(fft, (0.0, 0.0), (20.0, 0.0))
    assert np.isfinite(beyond.values[0, 0])
    assert np.isnan(beyond.values[0, -1])


def test_a_cut_without_length_is_refused(gaussian):
    with pytest.raises(MapError, match="two different ends"):
        line_cut(gaussian, (1.0, 1.0), (1.0, 1.0))
    with pytest.raises(MapError, match="width of 0 or more"):
        line_cut(gaussian, (0.0, 0.0), (1.0, 1.0), width=-1.0)
    with pytest.raises(MapError, match="expected a transform"):
        line_cut(gaussian.rename(qx="x"), (0.0, 0.0), (1.0, 1.0))
