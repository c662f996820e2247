"""Writing one map, as a picture or as netCDF, Zarr and .npz, which hold the arrays as they are."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.export.pictures import write_gsf, write_tiff
from qpi_kernel.export.plain_values import plain_attrs
from qpi_kernel.files import reason_of, replacing
from qpi_kernel.maps import check_map

HEADERS_BYTES = 2**20


class ExportError(QpiError):
    """A result or a map that cannot be written where or as the user asked."""


@contextmanager
def writing(path: Path, what: str) -> Iterator[Path]:
    """Give a temporary path for what becomes `path`, whole or not at all.

    Raises
    ------
    ExportError
        If it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise ExportError(f"{path}: {what} cannot be written there ({reason_of(error)})") from None


def write_map(didv: xr.DataArray, path: Path | str) -> Path:
    """Write one map, the format chosen by the suffix.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map or a kernel.
    path : path
        ``.tif``/``.tiff`` (float32 ImageJ stack), ``.gsf`` (one bias only), ``.nc`` or ``.zarr``
        (variable "didv"; the latter is a folder), or ``.npz`` (values, x_nm, y_nm, bias_mV, units).

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ExportError
        If the suffix is none of these, a .gsf should hold several biases, or the file cannot be
        written.
    """
    path = Path(path)
    check_map(didv)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ExportError(
            f"{path.name}: cannot write files ending in {path.suffix or 'nothing'!r};"
            f" choose one of {', '.join(_WRITERS)}"
        )
    if write is write_gsf and didv.sizes["bias"] > 1:
        raise ExportError(
            f"{path.name}: a .gsf file holds one bias, the map has {didv.sizes['bias']};"
            " select one, or write .tif or .nc"
        )
    with writing(path, "the map") as temporary:
        write(didv, temporary)
    return path


def map_dataset(didv: xr.DataArray) -> xr.Dataset:
    """Return a map as the variable "didv" of a dataset that netCDF and Zarr can hold."""
    coords = {dim: (dim, didv[dim].values, didv[dim].attrs) for dim in didv.dims}
    variable = (didv.dims, didv.values, plain_attrs({**didv.attrs, "long_name": str(didv.name)}))
    return xr.Dataset({"didv": variable}, coords=coords)


def map_arrays(didv: xr.DataArray) -> dict[str, Any]:
    """Return a map as the plain arrays of an .npz file."""
    return {
        "values": didv.values,
        "x_nm": didv["x"].values,
        "y_nm": didv["y"].values,
        "bias_mV": didv["bias"].values,
        "units": str(didv.attrs["units"]),
    }


def write_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as netCDF, or as a Zarr folder where the suffix says so."""
    if path.suffix.lower() == ".zarr":
        dataset.to_zarr(path, mode="w", consolidated=False)
        return
    # HDF5 may take the whole program with it when the disk runs full under it.
    if shutil.disk_usage(path.parent).free < dataset.nbytes + HEADERS_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    dataset.to_netcdf(path, engine="h5netcdf")


def _write_dataset(didv: xr.DataArray, path: Path) -> None:
    write_dataset(map_dataset(didv), path)


def _write_npz(didv: xr.DataArray, path: Path) -> None:
    np.savez_compressed(path, **map_arrays(didv))


_WRITERS = {
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".gsf": write_gsf,
    ".nc": _write_dataset,
    ".zarr": _write_dataset,
    ".npz": _write_npz,
}
