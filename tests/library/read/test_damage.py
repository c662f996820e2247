"""Whatever the bytes are, reading gives a Dataset or one ReadError."""

import io
import tracemalloc
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qpi_kernel import ReadError, make_map, read_file

OPTIONAL = {".ibw": "igor2"}
SUFFIXES = [
    ".3ds",
    ".sxm",
    ".dat",
    ".sm4",
    ".gwy",
    ".nxs",
    ".mat",
    ".npz",
    ".npy",
    ".nc",
    ".tif",
    ".gsf",
]
SUFFIXES += [suffix for suffix, package in OPTIONAL.items() if find_spec(package)]


@pytest.fixture
def files(sxm, grid, createc, sm4, ibw, gwy, nexus, mat, npz, top, curves, tmp_path):
    """Return a function from a suffix to the bytes of a good file of that format."""
    didv = make_map(top, bias_mV=[5], y_nm=np.arange(5), x_nm=np.arange(7))
    xr.Dataset({"didv": didv}).to_netcdf(tmp_path / "good.nc", engine="h5netcdf")
    picture, array = io.BytesIO(), io.BytesIO()
    tifffile.imwrite(picture, top, imagej=True, resolution=(1, 1), metadata={"unit": "nm"})
    np.save(array, top)
    gsf = b"Gwyddion Simple Field 1.0\nXRes = 7\nYRes = 5\nXReal = 7e-9\nYReal = 5e-9\n"
    contents = {
        ".sxm": sxm([top] * 4),
        ".3ds": grid(curves),
        ".dat": createc([top, top]),
        ".sm4": sm4({"values": top}, {"values": 2 * top, "label": "Topography", "units": "m"}),
        ".ibw": ibw(top.T),
        ".nxs": nexus(top, [("y", np.arange(5), "nm"), ("x", np.arange(7), "nm")]),
        ".mat": mat(T={"map": top}, kind=[1.0]),
        ".gwy": gwy(("Z", top, "m"), ("LIX", 2 * top, "A")),
        ".npz": npz(values=top, x_nm=np.arange(7), y_nm=np.arange(5), bias_mV=[5.0]),
        ".npy": array.getvalue(),
        ".nc": (tmp_path / "good.nc").read_bytes(),
        ".tif": picture.getvalue(),
        ".gsf": gsf + bytes(4 - len(gsf) % 4) + top.astype("<f4").tobytes(),
    }
    # Hypothesis shows the arguments of a failing example: a function is short.
    return lambda suffix: contents[suffix]


def read_or_refuse(path):
    """Read, and check that a refusal is one sentence that names the file."""
    try:
        return read_file(path, size_nm=(7, 5))
    except ReadError as error:
        message = str(error)
    assert message.startswith(path.name)
    assert "\n" not in message
    return None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_format_is_told_by_content_not_by_suffix(files, save, suffix):
    named = read_file(save(f"map{suffix}", files(suffix)), size_nm=(7, 5))
    renamed = read_file(save("map.txt", files(suffix)), size_nm=(7, 5))
    assert renamed.equals(named)
    assert renamed.attrs["format"] == named.attrs["format"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_files(files, save, suffix):
    content = files(suffix)
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        cut = read_or_refuse(save(f"cut{suffix}", content[: int(share * len(content))]))
        if cut is not None and suffix in (".sxm", ".3ds", ".dat", ".sm4"):
            whole = read_file(save(f"whole{suffix}", content))
            for name, channel in cut.items():
                measured = np.isfinite(channel.values)
                np.testing.assert_array_equal(
                    channel.values[measured], whole[name].values[measured]
                )


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1))
def test_flipped_bits(files, save, suffix, flips):
    content = bytearray(files(suffix))
    for place, bit in flips:
        content[int(place * len(content))] ^= 1 << bit
    dataset = read_or_refuse(save(f"flipped{suffix}", bytes(content)))
    assert dataset is None or dataset.attrs["points_measured"] > 0


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\n", b"hello, this is a text\n", bytes(1000)])
def test_files_that_are_something_else(save, suffix, content):
    with pytest.raises(ReadError, match=f"^other{suffix}"):
        read_file(save(f"other{suffix}", content))


def test_unknown_format_shows_the_first_bytes(save):
    with pytest.raises(ReadError, match=r"begin with b'%PDF-1\.7'.*export"):
        read_file(save("paper.pdf", b"%PDF-1.7"))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ReadError, match="No such file"):
        read_file(tmp_path / "missing.3ds")
    with pytest.raises(ReadError, match="directory"):
        read_file(tmp_path)
    with pytest.raises(ReadError, match="null"):
        read_file("a\0b.sxm")


@pytest.mark.parametrize("suffix", [".sxm", ".dat", ".3ds"])
def test_headers_that_claim_a_billion_pixels(sxm, createc, grid, top, curves, save, suffix):
    content = {
        ".sxm": sxm([top], nx=1000000, ny=1000000),
        ".dat": createc([top], nx=1000000, ny=1000000),
        ".3ds": grid(curves, dim="1000000 x 1000000"),
    }[suffix]
    path = save(f"bad{suffix}", content)
    tracemalloc.start()
    with pytest.raises(ReadError, match="claims"):
        read_file(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6
