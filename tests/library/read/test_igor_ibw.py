import sys

import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv

pytest.importorskip("igor2")

CUBE = np.arange(7 * 5 * 3, dtype=float).reshape(7, 5, 3)


@pytest.mark.parametrize("order", ["<", ">"])
def test_grid_has_physical_axes_and_biases(save, ibw, order):
    dataset = read_file(save("a.IBW", ibw(CUBE, order=order)))
    assert list(dataset) == ["LIX"]
    assert dataset["LIX"].dims == ("bias", "y", "x")
    # The bias falls in the file: 10, 5, 0 mV.
    np.testing.assert_allclose(dataset["bias"], [0, 5, 10])
    np.testing.assert_allclose(dataset["LIX"], CUBE.transpose(2, 1, 0)[::-1] * 1e12, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], -3 + np.arange(7), atol=1e-9)
    np.testing.assert_allclose(dataset["y"], 2 * np.arange(5))
    assert dataset.attrs["size_nm"] == (7, 10)
    assert dataset["LIX"].attrs["units"] == "pA"


def test_a_negative_step_is_a_falling_axis(save, ibw, top):
    content = ibw(top.T, step=(1e-9, -2e-9), start=(0, 8e-9))
    dataset = read_file(save("a.ibw", content))
    np.testing.assert_allclose(dataset["LIX"][0, ::-1], top * 1e12, rtol=1e-6)
    np.testing.assert_allclose(dataset["y"], 2 * np.arange(5), atol=1e-9)


def test_a_wave_without_units_needs_a_size(save, ibw, top):
    path = save("a.ibw", ibw(top.T, units=("", "", "")))
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(path)
    assert read_file(path, size_nm=(14, 5)).attrs["size_nm"] == (14, 5)


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        (CUBE[:, 0, 0], {}, "along x, y"),
        (CUBE[..., None], {}, "along x, y"),
        (CUBE, {"units": ("m", "m", "")}, "bias axis in V or mV"),
        (CUBE, {"units": ("m", "m", "s")}, "found the unit 's'"),
        (CUBE[:, :, 0], {"step": (0, 0)}, "more than 0 nm"),
    ],
)
def test_waves_that_are_no_map(save, ibw, values, changes, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.ibw", ibw(values, **changes)))


def test_missing_package_is_named(save, ibw, monkeypatch):
    monkeypatch.setitem(sys.modules, "igor2", None)
    with pytest.raises(ReadError, match=r'pip install "napari-qpi-kernel\[igor\]"'):
        read_file(save("a.ibw", ibw(CUBE)))


def test_real_unfinished_grid(data_dir):
    dataset = read_file(data_dir / "formats" / "matrix_export_cits.ibw")
    (name,) = dataset
    assert dataset[name].shape == (256, 8, 64)
    assert dataset.attrs["size_nm"] == (15, 1.875)
    assert dataset.attrs["notes"] == ["scan unfinished: 56 rows are not in the file"]
    np.testing.assert_allclose(dataset["bias"][[0, -1]], [-500, 500], atol=1e-3)
    # The upper eight of 64 rows of a frame centred on 0.
    np.testing.assert_allclose(dataset["y"][[0, -1]], [5.7421875, 7.3828125])
    didv = select_didv(dataset)
    assert didv.attrs["units"] == "a.u."
    assert (float(didv.min()), float(didv.max())) == pytest.approx((0.0020968, 0.1653749), rel=1e-4)
