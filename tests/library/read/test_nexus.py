import numpy as np
import pytest

from qpi_kernel import ReadError, read_file

Y = ("y", 1e-9 * np.arange(5), "m")
X = ("x", 2 * np.arange(7), "nm")
BIAS = ("bias_voltage", np.array([0.01, 0.005, -0.02], dtype=">f8"), "volt")
CUBE = np.arange(3 * 5 * 7, dtype=">f4").reshape(3, 5, 7)


def test_image_follows_the_default(save, nexus, top):
    dataset = read_file(save("a.NXS", nexus(top, [Y, X])))
    assert list(dataset) == ["didv"]
    np.testing.assert_allclose(dataset["didv"][0], top * 1e12, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], 2 * np.arange(7))
    assert dataset["didv"].attrs["units"] == "pA"
    assert dataset.attrs["size_nm"] == (14, 5)
    assert dataset.attrs["format"] == "NeXus"


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_grid_in_any_order_of_axes(save, nexus, order, default):
    axes = [(BIAS, Y, X)[place] for place in order]
    content = nexus(CUBE.transpose(order), axes, default=default, units="ampere / volt")
    dataset = read_file(save("a.h5", content))
    np.testing.assert_allclose(dataset["bias"], [-20, 5, 10])
    np.testing.assert_allclose(dataset["didv"], 1e9 * CUBE[::-1], rtol=1e-6)
    assert dataset["didv"].attrs["units"] == "nS"


@pytest.mark.parametrize(
    ("values", "axes", "message"),
    [
        (CUBE[0, :, 0], [Y], r"found didv along y \(1 dimensions\)"),
        (CUBE, [BIAS, Y], r"along bias_voltage, y \(3 dimensions\)"),
        (CUBE[0], [Y, ("x", np.arange(7), "V")], "expected a map along x, y"),
        (CUBE[0], [Y, ("x", np.arange(6), "nm")], "expected a map along x, y"),
        (CUBE[0], [Y, ("x", np.arange(7.0) ** 2, "nm")], "not evenly spaced"),
        (1j * CUBE[0], [Y, X], "real values"),
    ],
)
def test_signals_that_are_no_map(save, nexus, values, axes, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.nxs", nexus(values, axes)))


def test_point_spectrum(save, nexus):
    dataset = read_file(save("a.nxs", nexus(CUBE[:, 2, 3], [BIAS])))
    assert dataset["didv"].dims == ("bias", "point")
    np.testing.assert_allclose(dataset["bias"], [-20, 5, 10])
    np.testing.assert_allclose(dataset["didv"][:, 0], 1e12 * CUBE[::-1, 2, 3], rtol=1e-6)
