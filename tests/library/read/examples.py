"""A good file of every format."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
import xarray as xr

from qpi_kernel import make_map
from tests.library.read.exchange_writers import (
    csv_bytes,
    gsf_bytes,
    gwy_bytes,
    hdf5_bytes,
    ibw_bytes,
    mat_bytes,
    nexus_bytes,
    npz_bytes,
    pxp_bytes,
    zarr_zip_bytes,
)
from tests.library.read.matrix_writer import mtrx_files
from tests.library.read.writers import (
    NX,
    NY,
    createc_bytes,
    dat_bytes,
    grid_bytes,
    picture,
    sm4_bytes,
    sm4_page,
    stp_bytes,
    sxm_bytes,
    vert_bytes,
    xyz_bytes,
)


class Example(NamedTuple):
    """A good file of one format: its name, its content, and the files beside it."""

    name: str
    content: bytes
    beside: dict


def examples(folder: Path) -> dict[str, Example]:
    """Return a good file of each format, by its suffix; maps have a marked top left corner."""
    top = picture()
    square = np.pad(top, ((0, 2), (0, 0)), mode="edge")
    upward = np.stack([top[::-1]] * 3)
    curves = np.moveaxis(upward[None] * [[[[1]]], [[[2]]]] * 1e-12, (0, 1), (2, 3))
    x_nm, y_nm = np.arange(NX), 2.0 * np.arange(NY)
    axes = {"bias_mV": [-5.0, 0.0, 5.0], "x_nm": x_nm, "y_nm": y_nm}
    didv = make_map(upward, units="nS", **axes)
    stored = xr.Dataset({"didv": didv})
    nc, picture_file, array = folder / "good.nc", io.BytesIO(), io.BytesIO()
    stored.to_netcdf(nc, engine="h5netcdf")
    tifffile.imwrite(picture_file, top, imagej=True, resolution=(1, 1), metadata={"unit": "nm"})
    np.save(array, top[::-1])
    table = np.column_stack([np.linspace(0.02, -0.01, 4), *np.ones((2, 4))])
    counts = np.column_stack([np.arange(4), table[:, 0] * 1e3, *np.ones((3, 4))])
    right, down = np.meshgrid(1e-9 * np.arange(NX), -2e-9 * np.arange(NY))
    spectra = {
        "values": np.repeat(top.reshape(-1, 1).astype(int), 3, axis=1),
        "line": True,
        "scale": (-0.005, 1.0, 1e-12),
        "grid": (NX, NY),
        "positions": np.column_stack([right.ravel(), down.ravel()]),
    }
    volume = np.repeat(top[::-1].astype(int).reshape(-1, 1), 3, axis=1)
    matrix = mtrx_files(
        {"I(V)": ("Ampere", 1e12, volume)}, XYScanner__X_Retrace=False, XYScanner__Y_Retrace=False
    )
    (parameters, described), (result, values) = matrix.items()
    contents = {
        ".sxm": sxm_bytes([top, top[:, ::-1]] * 2),
        ".3ds": grid_bytes(curves, channels="Current (A);LI Demod 1 X (A)"),
        ".nanonis.dat": dat_bytes(table),
        ".dat": createc_bytes([top, top]),
        ".vert": vert_bytes(counts),
        ".sm4": sm4_bytes([sm4_page(top[:, ::-1]), sm4_page(2 * top[:, ::-1], "Current")]),
        ".grid.sm4": sm4_bytes([sm4_page(**spectra)]),
        ".ibw": ibw_bytes(top[::-1].T),
        ".pxp": pxp_bytes(ibw_bytes(top[::-1].T), ibw_bytes(2 * top[::-1].T)),
        ".gwy": gwy_bytes(("Z", top, "m"), ("LIX", 2 * top, "A")),
        ".stp": stp_bytes(top),
        ".xyz": xyz_bytes(top),
        ".nxs": nexus_bytes(top[::-1], [("y", y_nm, "nm"), ("x", x_nm, "nm")]),
        ".h5": hdf5_bytes(
            map=upward, bias_mV=axes["bias_mV"], x_nm=axes["x_nm"], y_nm=axes["y_nm"]
        ),
        ".mat": mat_bytes(T={"map": top}, kind=[1.0]),
        ".v6.mat": mat_bytes("6", T={"map": top}, kind=[1.0]),
        ".v73.mat": mat_bytes("7.3", T={"map": top}),
        ".npz": npz_bytes(values=upward, **axes),
        ".npy": array.getvalue(),
        ".nc": nc.read_bytes(),
        ".zarr.zip": zarr_zip_bytes(stored, folder),
        ".tif": picture_file.getvalue(),
        ".gsf": gsf_bytes(top, "XReal = 7e-9\nYReal = 5e-9\n"),
        ".csv": csv_bytes(square),
    }
    found = {suffix: Example(f"map{suffix}", content, {}) for suffix, content in contents.items()}
    found["_mtrx"] = Example(result, values, {parameters: described})
    return found
