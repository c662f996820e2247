"""Who measured, and where files lie, is nobody else's business: it stays in the file."""

import io
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr

from qpi_kernel import ExtractSettings, export_result, make_map, read_file, select_didv, write_map
from qpi_kernel.qspace import CurveSettings, analyse
from qpi_kernel.qspace.report import write_analysis
from tests.library.read.examples import examples
from tests.library.read.exchange_writers import (
    gsf_bytes,
    hdf5_bytes,
    mat_bytes,
    npz_bytes,
    zarr_zip_bytes,
)
from tests.library.read.writers import picture, stp_bytes

NAME = "someone"
PATH = f"C:\\Users\\{NAME}\\a.dat"
# These hold numbers and nothing else.
NAMELESS = {".xyz", ".npy", ".csv", ".ibw"}


def spoken(content):
    """Tell whether bytes hold the name, as text of one byte or two bytes a character."""
    return NAME.encode() in content or NAME.encode("utf-16-le") in content


def signed_hdf5(content):
    """Write a name and a path into an HDF5 file, as attributes and as data."""
    stream = io.BytesIO(content)
    with h5py.File(stream, "r+") as file:
        file.attrs.update({"operator": NAME, "history": PATH})
        file["user/name"] = NAME
        for item in file.values():
            item.attrs["comment"] = f"by {NAME}"
    return stream.getvalue()


def signed_files(folder):
    """Return {suffix: (file name, content, files beside)} with a name wherever one has room."""
    top = picture()
    axes = {"bias_mV": [5.0], "x_nm": 1.0 * np.arange(7), "y_nm": 2.0 * np.arange(5)}
    by = {"operator": NAME, "path": PATH, "comment": f"by {NAME}"}
    didv = make_map(top[::-1], units="nS", attrs=by, **axes)
    stored = xr.Dataset({"didv": didv}, attrs={**by, "title": NAME, "recipe": PATH})
    nc, tif = folder / "signed" / "map.nc", io.BytesIO()
    nc.parent.mkdir()
    stored.to_netcdf(nc, engine="h5netcdf")
    tifffile.imwrite(
        tif, top, imagej=True, resolution=(1, 1), metadata={"unit": "nm", "Info": f"by = {NAME}"}
    )
    member = f"    User: {NAME}\r\n    File: {PATH}\r\n"
    signed = {
        ".stp": stp_bytes(top, header=member),
        ".gsf": gsf_bytes(top, f"XReal = 7e-9\nYReal = 5e-9\nTitle = by {NAME}\nFile = {PATH}\n"),
        ".h5": signed_hdf5(hdf5_bytes(map=top[None], **axes)),
        ".mat": mat_bytes("6", T={"map": top, "operator": NAME}, kind=[1.0], path=PATH),
        ".npz": npz_bytes(values=top[None], operator=NAME.encode(), path=PATH.encode(), **axes),
        ".nc": nc.read_bytes(),
        ".zarr.zip": zarr_zip_bytes(stored, nc.parent),
        ".tif": tif.getvalue(),
    }
    found = {suffix: (f"map{suffix}", content, {}) for suffix, content in signed.items()}
    for suffix, (name, content, beside) in examples(folder).items():
        if suffix.endswith(".mat") or suffix in signed:
            continue
        if suffix == ".nxs":
            content = signed_hdf5(content)
        # The name of a file is kept: it says which measurement a result is of.
        renamed = {each.replace(NAME, "run"): raw for each, raw in beside.items()}
        found[suffix] = (name.replace(NAME, "run"), content, renamed)
    return found


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """Read the signed files from a folder that has the name, too."""
    pytest.importorskip("igor2")
    pytest.importorskip("access2thematrix")
    folder = tmp_path_factory.mktemp("made") / NAME
    folder.mkdir()
    found = {}
    for suffix, (name, content, beside) in signed_files(folder).items():
        assert suffix in NAMELESS or any(map(spoken, [content, *beside.values()])), suffix
        for file, raw in {name: content, **beside}.items():
            (folder / file).write_bytes(raw)
        found[suffix] = read_file(folder / name, size_nm=(7, 5))
    return found


def test_no_reader_takes_names_or_paths_from_a_file(datasets):
    told = {
        suffix: str([dataset.attrs, *((n, v.name, v.attrs) for n, v in dataset.items())])
        for suffix, dataset in datasets.items()
    }
    assert len(told) > 20
    assert [suffix for suffix, text in told.items() if NAME in text or "Users" in text] == []


@pytest.mark.parametrize("suffix", [".tif", ".gsf", ".nc", ".npz", ".zarr"])
def test_no_map_that_is_written_tells_them(datasets, suffix, tmp_path):
    for kind, dataset in datasets.items():
        if "point" in dataset.dims:
            continue
        didv = select_didv(dataset)
        path = write_map(didv.isel(bias=slice(0, 1)), tmp_path / f"{kind[1:]}{suffix}")
        written = [path, *path.rglob("*")] if path.is_dir() else [path]
        contents = [file.read_bytes() for file in written if file.is_file()]
        assert any(contents)
        assert not any(map(spoken, contents)), kind


def test_no_result_tells_them(datasets, make_extraction, tmp_path):
    known = {
        f"{suffix}_{key}": value
        for suffix, dataset in datasets.items()
        if "point" not in dataset.dims
        for key, value in select_didv(dataset).attrs.items()
    }
    result = replace(make_extraction(), settings=ExtractSettings())
    for field in (result.didv, result.kernel, result.spread, result.residual):
        field.attrs |= known
    files = export_result(result, tmp_path / "result")
    curves = analyse(result.kernel, result.spread, CurveSettings())
    files += write_analysis(curves, tmp_path / "curves")
    assert len(files) > 12
    assert [file.name for file in files if spoken(file.read_bytes())] == []
    assert ".sxm_date" in (tmp_path / "result" / "kernel.gsf").read_bytes().decode("latin-1")
