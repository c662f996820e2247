"""Whatever the bytes are, reading gives a Dataset or one ReadError."""

import random
import tracemalloc
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_readers import damaged
from qpi_kernel import ReadError, read_file
from tests.library.read.examples import Example, examples
from tests.library.read.writers import createc_bytes, grid_bytes, sxm_bytes

OPTIONAL = {".ibw": "igor2", ".pxp": "igor2", "_mtrx": "access2thematrix"}
SUFFIXES = [
    *(".3ds", ".sxm", ".nanonis.dat", ".dat", ".vert", ".sm4", ".grid.sm4", ".ibw", ".pxp"),
    *(
        "_mtrx",
        ".gwy",
        ".stp",
        ".xyz",
        ".nxs",
        ".h5",
        ".mat",
        ".v6.mat",
        ".v73.mat",
        ".npz",
        ".npy",
        ".nc",
    ),
    *(".zarr.zip", ".tif", ".gsf", ".csv"),
]
SUFFIXES = [s for s in SUFFIXES if s not in OPTIONAL or find_spec(OPTIONAL[s])]
SPECTRA = {".nanonis.dat", ".vert"}
MAPS = [suffix for suffix in SUFFIXES if suffix not in SPECTRA]
EVERY = pytest.mark.parametrize("suffix", SUFFIXES)
FIXTURES = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


class Files(dict):
    """The examples; Hypothesis shows the arguments of a failing test, and these are long."""

    def __repr__(self):
        return "files"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(examples(tmp_path_factory.mktemp("examples")))


@pytest.fixture
def write(files, tmp_path):
    """Return a function that writes an example, or other bytes in its place, and what is beside."""

    def save(suffix, content=None, name=None):
        example: Example = files[suffix]
        for neighbour, beside in example.beside.items():
            (tmp_path / neighbour).write_bytes(beside)
        path = tmp_path / (name or example.name)
        path.write_bytes(example.content if content is None else content)
        return path

    return save


def read_or_refuse(path):
    """Read, and check that a refusal is one sentence that names the file."""
    try:
        return read_file(path, size_nm=(7, 5))
    except ReadError as error:
        message = str(error)
    assert message.startswith(path.name)
    assert "\n" not in message
    return None


@pytest.mark.parametrize("suffix", MAPS)
def test_the_marked_corner_of_a_frame_is_at_the_top_left(write, suffix):
    dataset = read_file(write(suffix), size_nm=(7, 5))
    assert (dataset.sizes["y"], dataset.sizes["x"]) == ((7, 7) if suffix == ".csv" else (5, 7))
    for name, channel in dataset.items():
        if name not in ("Z (m)", "X (m)"):
            corner = channel.values[..., -1, 0]
            assert (corner == channel.max(("y", "x")).values).all(), name
            assert (channel.values == corner.max()).sum() == corner.size, name


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != "_mtrx"])
def test_format_is_told_by_content_not_by_suffix(write, suffix):
    named = read_file(write(suffix), size_nm=(7, 5))
    renamed = read_file(write(suffix, name="map.txt"), size_nm=(7, 5))
    assert renamed.equals(named)
    assert renamed.attrs["format"] == named.attrs["format"]


@EVERY
def test_cut_files(files, write, suffix):
    content = files[suffix].content
    whole = read_file(write(suffix), size_nm=(7, 5))
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        cut = read_or_refuse(write(suffix, content[: int(share * len(content))]))
        if cut is not None and suffix in (".sxm", ".3ds", ".dat", ".sm4", ".grid.sm4"):
            for name, channel in cut.items():
                measured = np.isfinite(channel.values)
                np.testing.assert_array_equal(
                    channel.values[measured], whole[name].values[measured]
                )


@EVERY
@settings(max_examples=20, **FIXTURES)
@given(seed=st.integers(0, 2**32))
def test_damaged_files(files, write, suffix, seed):
    content = damaged(files[suffix].content, random.Random(seed))
    dataset = read_or_refuse(write(suffix, content))
    assert dataset is None or dataset.attrs["points_measured"] > 0


@pytest.mark.skipif("_mtrx" not in SUFFIXES, reason="access2theMatrix is not installed")
@settings(max_examples=20, **FIXTURES)
@given(seed=st.integers(0, 2**32))
def test_damaged_parameters_of_matrix_files(files, write, seed):
    path = write("_mtrx")
    ((name, content),) = files["_mtrx"].beside.items()
    (path.parent / name).write_bytes(damaged(content, random.Random(seed)))
    dataset = read_or_refuse(path)
    assert dataset is None or dataset.attrs["points_measured"] > 0


@EVERY
@pytest.mark.parametrize("content", [b"", b"\n", b"hello, this is a text\n", bytes(1000)])
def test_files_that_are_something_else(write, suffix, content):
    path = write(suffix, content)
    with pytest.raises(ReadError) as caught:
        read_file(path)
    assert str(caught.value).startswith(path.name)


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
def test_headers_that_claim_a_billion_pixels(top, curves, save, suffix):
    content = {
        ".sxm": sxm_bytes([top], nx=1000000, ny=1000000),
        ".dat": createc_bytes([top], nx=1000000, ny=1000000),
        ".3ds": grid_bytes(curves, dim="1000000 x 1000000"),
    }[suffix]
    path = save(f"bad{suffix}", content)
    tracemalloc.start()
    with pytest.raises(ReadError, match="claims"):
        read_file(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6
