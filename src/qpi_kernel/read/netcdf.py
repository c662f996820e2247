"""netCDF-4: maps and results that this library or xarray wrote, with their axes and facts."""

import io
import math

import h5py
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.read.labelled import read_labelled
from qpi_kernel.read.recording import Reader, Source

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# The netCDF library signs its files, and each file lists the dimensions of its variables.
MARKS = (b"_NCProperties", b"_Netcdf4", b"DIMENSION_LIST")


def recognises(content: bytes) -> bool:
    """Tell netCDF-4 by the first bytes of HDF5 and the attributes that it needs."""
    return content.startswith(HDF5_MAGIC) and any(mark in content for mark in MARKS)


def read(source: Source) -> xr.Dataset:
    """Read the variable "didv", or else every variable (bias, y, x) or (y, x), as channels.

    Raises
    ------
    ReadError
        If the file is damaged, or no variable has these dimensions and axes.
    """
    try:
        _check_claims(source)
        with xr.open_dataset(
            io.BytesIO(source.content), engine="h5netcdf", decode_times=False
        ) as stored:
            return read_labelled(source, stored)
    except QpiError:
        raise
    except Exception as error:
        # On damaged bytes the HDF5 stack raises nearly anything, from KeyError to RuntimeError.
        raise source.error("netCDF-4", f"damaged data ({error})"[:120], "copy it again") from None


def _check_claims(source: Source) -> None:
    """Refuse variables of any claimed size that hold one default value throughout."""
    claimed = 0

    def add(_: str, item: object) -> None:
        nonlocal claimed
        if isinstance(item, h5py.Dataset):
            claimed += math.prod(item.shape or (0,)) * max(item.dtype.itemsize, 8)

    with h5py.File(io.BytesIO(source.content), "r") as file:
        file.visititems(add)
    source.check_claim(claimed)


READER = Reader("netCDF", (".nc",), recognises, read)
