"""Files that hold plain arrays: NumPy, netCDF, TIFF, Gwyddion Simple Field."""

import io

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr

from qpi_kernel import ReadError, make_map, read_file, select_didv

VALUES = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
X_NM, Y_NM, BIAS_MV = np.linspace(-3, 3, 7), np.linspace(0, 8, 5), np.array([-20.0, 5.0])


def full_map(**attrs):
    return make_map(VALUES, bias_mV=BIAS_MV, y_nm=Y_NM, x_nm=X_NM, units="nS", attrs=attrs)


def tiff_bytes(values, unit="nm", pixels_per_unit=(2.0, 4.0), **metadata) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        values,
        imagej=True,
        resolution=pixels_per_unit,
        metadata={"unit": unit, **metadata} if unit else metadata,
    )
    return stream.getvalue()


def gsf_bytes(values, header="") -> bytes:
    text = (
        f"Gwyddion Simple Field 1.0\nXRes = {values.shape[1]}\nYRes = {values.shape[0]}\n{header}"
    ).encode()
    return text + bytes(4 - len(text) % 4) + values.astype("<f4").tobytes()


def test_npz_keeps_its_axes(save, npz):
    content = npz(
        values=VALUES, x_nm=X_NM, y_nm=Y_NM, bias_mV=BIAS_MV, units="nS", kernel=np.ones(3)
    )
    dataset = read_file(save("map.npz", content))
    assert list(dataset) == ["values"]
    assert dataset.attrs["size_nm"] == (7, 10)
    assert dataset.attrs["calibrated"] is True
    didv = select_didv(dataset)
    xr.testing.assert_equal(didv, full_map())
    assert didv.attrs["units"] == "nS"


def test_falling_axes_are_turned_round(save, npz):
    content = npz(values=VALUES, x_nm=X_NM, y_nm=Y_NM[::-1], bias_mV=BIAS_MV[::-1])
    didv = select_didv(read_file(save("map.npz", content)))
    np.testing.assert_array_equal(didv, VALUES[::-1, ::-1])


@pytest.mark.parametrize("name", ["map.npy", "map.npz"])
def test_arrays_without_axes_need_a_size(save, npz, name):
    stream = io.BytesIO()
    np.save(stream, np.asfortranarray(VALUES[0].astype(np.float64)))
    path = save(name, stream.getvalue() if name == "map.npy" else npz(values=VALUES[:1]))
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(path)
    dataset = read_file(path, size_nm=(14, 5))
    np.testing.assert_array_equal(dataset["values"][0], VALUES[0])
    assert (float(dataset["x"][1]), float(dataset["y"][1])) == (2, 1)
    assert dataset.attrs["calibrated"] is False
    assert dataset.attrs["notes"] == [
        "size given by hand: 14 x 5 nm",
        "the file states no bias: 0 mV stands in",
    ]


@pytest.mark.parametrize("size_nm", [(0, 5), (-1, 5), (np.nan, 5), (5, np.inf)])
def test_impossible_sizes_are_refused(save, npz, size_nm):
    with pytest.raises(ReadError, match="more than 0 nm"):
        read_file(save("map.npz", npz(values=VALUES[0])), size_nm=size_nm)


def test_a_size_that_is_not_needed_is_not_used(save, npz):
    path = save("map.npz", npz(values=VALUES, x_nm=X_NM, y_nm=Y_NM, bias_mV=BIAS_MV))
    dataset = read_file(path, size_nm=(99, 99))
    assert dataset.attrs["size_nm"] == (7, 10)
    assert "was not used" in dataset.attrs["notes"][0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"kernel": VALUES}, "expected the arrays values"),
        ({"values": VALUES}, "bias_mV of 2 slices"),
        ({"values": VALUES, "bias_mV": [1.0]}, "2 numbers in bias_mV"),
        ({"values": VALUES[0], "x_nm": X_NM, "y_nm": X_NM}, "5 numbers in y_nm"),
        ({"values": VALUES[0], "x_nm": X_NM**3, "y_nm": Y_NM}, "not evenly spaced"),
        ({"values": VALUES[0], "x_nm": np.full(7, np.nan), "y_nm": Y_NM}, "more than 0 nm"),
        ({"values": VALUES.astype(complex)}, "real values"),
        ({"values": np.array([{"a": 1}])}, "pickled"),
        ({"values": np.zeros((0, 3))}, "shape .0, 3."),
        ({"values": np.full((4, 4), np.nan), "x_nm": range(4), "y_nm": range(4)}, "one measured"),
    ],
)
def test_arrays_that_do_not_fit(save, npz, arrays, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("bad.npz", npz(**arrays)))


def test_npy_header_that_lies(save):
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(ReadError, match="damaged, cut or pickled"):
        read_file(save("bad.npy", stream.getvalue() + bytes(64)), size_nm=(1, 1))


def test_netcdf_round_trip(save, tmp_path):
    didv = full_map(angle_deg=12.5, setpoint_bias_mV=-50.0, channel_reason="lock-in X")
    path = tmp_path / "map.nc"
    xr.Dataset({"didv": didv, "residual": didv}).to_netcdf(path, engine="h5netcdf")
    dataset = read_file(path)
    assert list(dataset) == ["didv"]
    again = select_didv(dataset)
    xr.testing.assert_equal(again, didv)
    assert (again.attrs["units"], again.attrs["angle_deg"]) == ("nS", 12.5)
    assert again.attrs["channel_reason"] == "the only channel of the file"
    assert again.attrs["source"] == "map.nc"


def test_netcdf_of_several_channels(tmp_path):
    path = tmp_path / "map.nc"
    other = full_map().isel(bias=0, drop=True).rename("Z")
    xr.Dataset({"LIX": full_map(), "Z": other, "spectrum": ("bias", [1.0, 2.0])}).to_netcdf(
        path, engine="h5netcdf"
    )
    dataset = read_file(path)
    assert list(dataset) == ["LIX", "Z"]
    assert dataset["Z"].dims == ("y", "x")


def test_netcdf_without_a_map(tmp_path):
    path = tmp_path / "spectrum.nc"
    xr.Dataset({"spectrum": ("bias", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ReadError, match="found spectrum"):
        read_file(path)


def test_netcdf_that_claims_more_than_it_holds(tmp_path):
    path = tmp_path / "bad.nc"
    with h5py.File(path, "w") as file:
        sizes = {"y": 10**5, "x": 10**6}
        for name, size in sizes.items():
            file.create_dataset(name, (size,), "f8", chunks=(1000,)).make_scale(name)
        values = file.create_dataset("didv", tuple(sizes.values()), "f4", chunks=(100, 100))
        for axis, name in enumerate(sizes):
            values.dims[axis].attach_scale(file[name])
    with pytest.raises(ReadError, match="claims"):
        read_file(path)


def test_imagej_stack_has_unit_and_biases(save):
    labels = ["-20 mV", "energy 5 mV"]
    content = tiff_bytes(VALUES, Labels=labels, Info="units = nS\n")
    dataset = read_file(save("map.TIF", content))
    np.testing.assert_array_equal(dataset["bias"], BIAS_MV)
    # The first row of a picture is its top, the largest y.
    np.testing.assert_array_equal(dataset["values"], VALUES[:, ::-1])
    assert (float(dataset["x"][1]), float(dataset["y"][1])) == (0.5, 0.25)
    assert dataset.attrs["size_nm"] == (3.5, 1.25)
    assert dataset["values"].attrs["units"] == "nS"


@pytest.mark.parametrize(
    ("unit", "factor"), [("nm", 1), ("µm", 1000), ("micron", 1000), ("A", 0.1)]
)
def test_length_units_of_imagej(save, unit, factor):
    content = tiff_bytes(VALUES[0], unit=unit.replace("µ", "\\u00B5"))
    dataset = read_file(save("map.tif", content))
    assert float(dataset["x"][1]) == pytest.approx(0.5 * factor)


@pytest.mark.parametrize("unit", [None, "pixel", "1/nm"])
def test_tiff_without_a_length_needs_a_size(save, unit):
    path = save("map.tif", tiff_bytes(VALUES[0], unit=unit))
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(path)
    assert read_file(path, size_nm=(7, 5)).attrs["size_nm"] == (7, 5)


def test_tiff_pages_need_biases(save):
    with pytest.raises(ReadError, match="a bias in the label"):
        read_file(save("map.tif", tiff_bytes(VALUES)))


def test_coloured_pictures_are_refused(save):
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((5, 7, 3), np.uint8), photometric="rgb")
    with pytest.raises(ReadError, match="a coloured picture"):
        read_file(save("map.tif", stream.getvalue()))


def test_gsf_has_axes_bias_and_unit(save):
    header = (
        "XReal = 7e-9\nYReal = 1e-8\nXOffset = -3.5e-9\nYOffset = -9e-9\nXYUnits = m\n"
        "Title = dI/dV at -20 mV [nS]\nUnits = nS\n"
    )
    dataset = read_file(save("map.gsf", gsf_bytes(VALUES[0, ::-1], header)))
    np.testing.assert_array_equal(dataset["values"][0], VALUES[0])
    np.testing.assert_allclose(dataset["x"], X_NM, atol=1e-12)
    np.testing.assert_allclose(dataset["y"], Y_NM, atol=1e-12)
    assert dataset["bias"].values == [-20]
    assert dataset["values"].attrs["units"] == "nS"


@pytest.mark.parametrize("header", ["", "XReal = 7\nYReal = 5\nXYUnits = 1/m\n"])
def test_gsf_without_a_length_needs_a_size(save, header):
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(save("map.gsf", gsf_bytes(VALUES[0], header)))


def test_gsf_that_claims_more_than_it_holds(save):
    content = gsf_bytes(VALUES[0]).replace(b"XRes = 7", b"XRes = 700000000")
    with pytest.raises(ReadError, match="expected 700000000 x 5 values"):
        read_file(save("bad.gsf", content))
