import numpy as np
import pytest

from qpi_kernel import ReadError, read_file
from tests.library.read.writers import stp_bytes, xyz_bytes


def test_table_has_physical_axes_and_units(save, top):
    dataset = read_file(save("a.XYZ", xyz_bytes(1e-12 * top)))
    assert list(dataset) == ["Z"]
    np.testing.assert_allclose(dataset["Z"][0, ::-1], top, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7))
    np.testing.assert_allclose(dataset["y"], 2 * np.arange(5))
    assert dataset.attrs["size_nm"] == (7, 10)
    assert dataset["Z"].attrs["units"] == "pm"


def test_points_come_in_any_order_and_may_be_missing(save, top):
    lines = xyz_bytes(top, "X[A]  Y[A]  df[Hz]").split(b"\r\n")
    points = [b"# comment", *lines[4:][::-1]]
    del points[3]
    dataset = read_file(save("a.xyz", b"\n".join([*lines[:4], *points])))
    assert list(dataset) == ["df"]
    assert dataset.attrs["size_nm"] == pytest.approx((0.7, 1.0))
    assert dataset.attrs["notes"][0] == "grid unfinished: 34 of 35 points"
    assert np.isnan(dataset["df"][0, -1, -3])
    assert float(dataset["df"][0, -1, 0]) == 100


def test_table_of_a_fine_grid_with_rounded_positions(save):
    x, y = np.meshgrid(np.linspace(0, 30, 64), np.linspace(0, 15, 32))
    points = zip(x.flat, y.flat, strict=True)
    rows = "\n".join(f"{a:.3f} {b:.3f} {a + 100 * b:.4f}" for a, b in points)
    text = f"WSxM file copyright UAM\nWSxM ASCII XYZ file\nX[nm]\tY[nm]\tZ[nm]\n\n{rows}\n"
    dataset = read_file(save("a.xyz", text.encode()))
    assert dataset["Z"].shape == (1, 32, 64)
    np.testing.assert_allclose(dataset["Z"][0], 1e3 * (x + 100 * y), atol=3, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((b"X[nm]", b"X[bar]"), "a third line with units"),
        ((b"Z[m]", b"Z"), "a third line with units"),
        ((b"\t4\t", b"\tfour\t"), "lines of numbers"),
        ((b"\t4\t", b"\tnan\t"), "at least 2 x 2 points"),
        ((b"\t4\t", b"\t"), "lines of numbers"),
        ((b"\t4\t", b"\t8\t"), "not evenly spaced"),
    ],
)
def test_tables_that_are_no_map(save, top, change, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.xyz", xyz_bytes(top).replace(*change)))


def test_a_turned_grid_is_refused(save):
    x, y = np.meshgrid(np.arange(8.0), np.arange(8.0))
    u, v = x + 0.3 * y, y - 0.3 * x
    rows = "\n".join(f"{a} {b} 1" for a, b in zip(u.flat, v.flat, strict=True))
    text = f"WSxM file copyright UAM\nWSxM ASCII XYZ file\nX[nm]\tY[nm]\tZ[nm]\n{rows}\n"
    with pytest.raises(ReadError, match="export the map unrotated"):
        read_file(save("a.xyz", text.encode()))


@pytest.mark.parametrize("kind", ["double", "float", "short"])
def test_image_has_physical_axes_units_and_names(save, top, kind):
    dataset = read_file(save("a.STP", stp_bytes(top, kind, header="    Angle: 30\r\n")))
    assert list(dataset) == ["Topo"]
    # From 2 to 100 in counts: the amplitude is 98 pm.
    np.testing.assert_allclose(dataset["Topo"][0, ::-1], top - 2, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7))
    np.testing.assert_allclose(dataset["y"], 2 * np.arange(5))
    facts = {
        "size_nm": (7, 10),
        "angle_deg": 30,
        "setpoint_bias_mV": -50,
        "setpoint_current_pA": 100,
    }
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert dataset["Topo"].attrs["units"] == "pm"


def test_an_image_without_amplitude_stays_in_counts(save, top):
    dataset = read_file(save("a.stp", stp_bytes(top, amplitude="0")))
    np.testing.assert_array_equal(dataset["Topo"][0, ::-1], top)
    assert dataset["Topo"].attrs["units"] == "a.u."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((b"Number of rows: 5", b"Number of rows: 0"), "found 7 x 0 values"),
        ((b"Number of rows: 5", b"Number of rows: 500000000"), "expected 28000000000 bytes"),
        ((b"Type: double", b"Type: integer"), "of type integer"),
        ((b"[Header end]", b"[Header]"), "ends with .Header end."),
        ((b"X Amplitude: 7 nm", b"X Amplitude: 7 V"), "--size W,H"),
    ],
)
def test_images_that_lie(save, top, change, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.stp", stp_bytes(top).replace(*change)))
