"""Files of single maps: round trips, and what Fiji and Gwyddion read in them."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qpi_kernel import (
    ExtractSettings,
    export_result,
    make_map,
    read_file,
    select_didv,
    symmetrise,
    write_map,
)
from qpi_kernel.export import ExportError
from qpi_kernel.maps import pixel_nm
from tests.library.gsf import read_gsf

SUFFIXES = (".tif", ".gsf", ".nc", ".npz", ".zarr")
UNITS = ("nS", "pA", "pm", "a.u.", "1/V", "nS nm^2")


def example(biases=(-20.25, 3.0), **attrs):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(biases), 9, 13))
    values[:, 7:] = np.nan
    y, x = -40.0 + 0.25 * np.arange(9), 3.0 + 0.2 * np.arange(13)
    return make_map(values, bias_mV=biases, y_nm=y, x_nm=x, units="nS", attrs=attrs)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_again_bit_for_bit(suffix, data, tmp_path_factory):
    count = 1 if suffix == ".gsf" else data.draw(st.integers(1, 3))
    shape = (count, data.draw(st.integers(2, 9)), data.draw(st.integers(2, 9)))
    number = st.floats(width=32, allow_infinity=False)
    values = data.draw(hnp.arrays(np.float32, shape, elements=number))
    values[0, 0, 0] = 1.5  # one point at least is measured
    start, pitch = data.draw(st.floats(-500, 500)), data.draw(st.floats(0.01, 20))
    biases = sorted(data.draw(st.sets(st.integers(-5000, 5000), min_size=count, max_size=count)))
    didv = make_map(
        values,
        bias_mV=np.array(biases) / 4,
        y_nm=start + 1.25 * pitch * np.arange(shape[1]),
        x_nm=-start + pitch * np.arange(shape[2]),
        units=data.draw(st.sampled_from(UNITS)),
    )
    path = tmp_path_factory.mktemp("trip") / f"map{suffix}"
    back = select_didv(read_file(write_map(didv, path)))
    np.testing.assert_array_equal(back.values, didv.values)
    assert back.dtype == np.float32
    assert back.attrs["units"] == didv.attrs["units"]
    np.testing.assert_array_equal(back["bias"], didv["bias"])
    for dim, step in zip(("y", "x"), pixel_nm(didv), strict=True):
        # Pictures know the pitch and the corner, the other formats every position.
        exact = suffix in (".nc", ".npz", ".zarr")
        tolerance = 0 if exact else 1e-5 * step + 2e-9
        np.testing.assert_allclose(back[dim], didv[dim], rtol=0, atol=tolerance)


@pytest.mark.parametrize("suffix", [".tif", ".nc", ".npz", ".gsf"])
def test_our_readers_give_the_map_back(suffix, tmp_path):
    rng = np.random.default_rng(0)
    biases = [-20.25] if suffix == ".gsf" else [-20.25, 3.0, 7.125]
    y, x = 5.0 + 0.0420423 * np.arange(51), -3.1 + 0.0420423 * np.arange(64)
    values = rng.normal(size=(len(biases), 51, 64))
    values[0, 48:] = np.nan
    didv = make_map(values, bias_mV=biases, y_nm=y, x_nm=x, units="nS")
    back = select_didv(read_file(write_map(didv, tmp_path / f"map{suffix}")))
    np.testing.assert_array_equal(back.values, didv.values)
    assert back.attrs["units"] == "nS"
    np.testing.assert_allclose(back["bias"], biases)
    for dim in ("y", "x"):
        np.testing.assert_allclose(back[dim].values, didv[dim].values, atol=1e-6)


def test_write_map_by_suffix(make_extraction, tmp_path):
    kernel = make_extraction().kernel
    for name in ("a.tif", "b.TIFF", "c.gsf", "d.nc", "e.npz"):
        assert write_map(kernel, tmp_path / name) == tmp_path / name
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.TIFF")[::-1], kernel.values[0])
    with np.load(tmp_path / "e.npz") as stored:
        back = make_map(
            stored["values"],
            bias_mV=stored["bias_mV"],
            y_nm=stored["y_nm"],
            x_nm=stored["x_nm"],
            units=str(stored["units"]),
        )
    np.testing.assert_array_equal(back.values, kernel.values)
    np.testing.assert_array_equal(back["x"].values, kernel["x"].values)
    with xr.open_dataset(tmp_path / "d.nc", engine="h5netcdf") as stored:
        assert stored["didv"].attrs["units"] == "nS"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.tif",
        "b.TIFF",
        "c.gsf",
        "d.nc",
        "e.npz",
    ]


def test_write_map_refuses_what_it_cannot_write(make_extraction, tmp_path):
    stack = make_extraction(biases=(0.0, 1.0)).kernel
    with pytest.raises(ExportError, match=r"choose one of \.tif"):
        write_map(stack, tmp_path / "kernel.doc")
    with pytest.raises(ExportError, match="one bias"):
        write_map(stack, tmp_path / "kernel.gsf")
    with pytest.raises(ExportError, match="cannot be written there"):
        write_map(stack, tmp_path / "absent" / "kernel.tif")
    assert not list(tmp_path.iterdir())


def test_tiff_as_imagej_reads_it(tmp_path):
    didv = example(setpoint_bias_mV=50.0, symmetrised="C4", prepared=["surface subtracted"])
    path = write_map(didv, tmp_path / "map.tif")
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        text = tags["ImageDescription"].value
        resolution = [np.divide(*tags[name].value) for name in ("XResolution", "YResolution")]
        kind = [tags[name].value for name in ("BitsPerSample", "SampleFormat", "Compression")]
        # ImageJ reads the pages one after the other from the first, whatever the directories say.
        first = file.pages[0].dataoffsets[0]
        details = file.imagej_metadata
    assert kind == [32, 3, 1]
    entries = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert text.startswith("ImageJ=")
    assert (entries["images"], entries["slices"], entries["unit"]) == ("2", "2", "nm")
    np.testing.assert_allclose(1 / np.array(resolution), [0.2, 0.25])
    assert details["Labels"] == ["-20.25 mV", "3 mV"]
    info = details["Info"].splitlines()
    assert info[0] == "units = nS"
    assert {"setpoint_bias_mV = 50.0", "symmetrised = C4"} <= set(info)
    assert 'prepared = ["surface subtracted"]' in info
    raw = np.frombuffer(path.read_bytes(), "<f4" if file.byteorder == "<" else ">f4", 234, first)
    np.testing.assert_array_equal(raw.reshape(2, 9, 13)[:, ::-1], didv.values)


@pytest.mark.parametrize("width", [12, 13, 14, 15])
def test_gsf_by_its_specification(width, tmp_path):
    didv = example((7.5,), setpoint_bias_mV=50.0).isel(x=slice(0, width)).rename("x" * width)
    header, values = read_gsf(write_map(didv, tmp_path / "map.gsf"))
    columns = min(width, 13)
    assert values.shape == (9, columns)
    assert float(header["XReal"]) == pytest.approx(columns * 0.2e-9)
    assert float(header["YReal"]) == pytest.approx(9 * 0.25e-9)
    assert header["XYUnits"] == "m"
    assert header["setpoint_bias_mV"] == "50.0"
    np.testing.assert_array_equal(np.float32(values[0]), didv.values[0, -1])


def test_base_units_reach_gwyddion(make_extraction, tmp_path):
    current = make_extraction(units="A").kernel
    write_map(current, tmp_path / "current.gsf")
    assert read_gsf(tmp_path / "current.gsf")[0]["ZUnits"] == "A"


HOSTILE = "../../evil\n\0ZUnits = m\r\n/etc/passwd\0 = C:\\x"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_from_headers_change_neither_the_file_nor_its_place(suffix, tmp_path):
    plain = example((5.0,))
    hostile = plain.rename(HOSTILE).assign_attrs(source=HOSTILE, note=HOSTILE, evil_key=HOSTILE)
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    back = read_file(write_map(hostile, folder / f"map{suffix}"))
    assert {path.name for path in tmp_path.rglob("*") if "evil" in path.name} == set()
    assert [path.name for path in folder.iterdir()] == [f"map{suffix}"]
    np.testing.assert_array_equal(select_didv(back).values, plain.values)
    assert select_didv(back).attrs["units"] == "nS"


def test_a_result_with_hostile_names_stays_in_its_folder(make_extraction, tmp_path):
    result = replace(make_extraction(biases=(-20.0, 5.0)), settings=ExtractSettings())
    hostile = "../../evil /etc/passwd C:\\x"  # what a figure has glyphs for
    for field in (result.didv, result.kernel, result.residual, result.reconstruction):
        field.name = hostile
        field.attrs |= {"source": hostile, "channel": hostile}
    folder = tmp_path / "deep" / "result"
    paths = export_result(result, folder)
    assert {path.parent for path in paths} == {folder}
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["result"]


def test_a_zarr_folder_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    first, second = example(), example((1.0, 2.0))
    path = tmp_path / "map.zarr"
    write_map(first, path)
    write_map(second, path)
    np.testing.assert_array_equal(select_didv(read_file(path))["bias"], [1.0, 2.0])

    def full_disk(*args, **kwargs):
        (tmp_path / f".map.{os.getpid()}.part.zarr").mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_zarr", full_disk)
    with pytest.raises(ExportError, match="No space left"):
        write_map(first, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.zarr"]
    np.testing.assert_array_equal(select_didv(read_file(path))["bias"], [1.0, 2.0])


def test_what_was_done_to_a_kernel_is_in_every_file(make_extraction, tmp_path):
    kernel = symmetrise(make_extraction(biases=(5.0,)).kernel, 4)
    for suffix in (".tif", ".gsf", ".nc", ".zarr"):
        path = write_map(kernel, tmp_path / f"kernel{suffix}")
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        content = b"".join(file.read_bytes() for file in files).replace(b"\0", b"")
        assert b"symmetrised" in content
        assert b"C4" in content


def test_a_recipe_made_of_a_result_names_its_measurement(make_extraction, tmp_path):
    result = replace(make_extraction(), settings=ExtractSettings())
    result.didv.attrs["sha256"] = 64 * "a"
    export_result(result, tmp_path)
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert recipe["input"] == {"file": "made.3ds", "sha256": 64 * "a"}
    assert "model_sha256" in recipe
