"""netCDF-4: maps and results that this library or xarray wrote, with their axes and facts."""

import io
import math
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import xarray as xr

from qpi_kernel.read.recording import Channel, Reader, ReadError, Source, build_dataset

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# A result holds the measurement beside what was made of it; only the measurement is data.
MEASUREMENT = "didv"
DIMENSIONS = (("bias", "y", "x"), ("y", "x"))
# What belongs to one file, one reading or one channel, not to the measurement.
PASSING = {
    "source",
    "sha256",
    "format",
    "notes",
    "units",
    "long_name",
    "channel",
    "channel_reason",
    "conversion",
}


def recognises(content: bytes) -> bool:
    """Tell netCDF-4 by the first bytes of HDF5."""
    return content.startswith(HDF5_MAGIC)


def read(source: Source) -> xr.Dataset:
    """Read the variable "didv", or else every variable (bias, y, x) or (y, x), as channels.

    Axes are bias in mV, y and x in nm. Facts such as the set point are taken from the attributes
    of the map.

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
            names = list(stored)
            maps = [name for name, values in stored.items() if values.dims in DIMENSIONS]
            maps = [MEASUREMENT] if MEASUREMENT in maps else maps
            dataset = stored[maps].load()
    except ReadError:
        raise
    except Exception as error:
        # On damaged bytes the HDF5 stack raises nearly anything, from KeyError to RuntimeError.
        raise source.error("netCDF-4", f"damaged data ({error})"[:120], "copy it again") from None
    if not maps or not {"y", "x"} <= set(dataset.coords):
        raise source.error(
            "a variable (bias, y, x) or (y, x) with axes in mV and nm",
            ", ".join(map(str, names)) or "none",
            "save a map",
        )
    x, y = (np.asarray(dataset[dim].values, dtype=np.float64) for dim in ("x", "y"))
    attrs = dataset[maps[0]].attrs
    return build_dataset(
        source,
        [
            Channel(str(name), dataset[name].values, str(dataset[name].attrs.get("units", "a.u.")))
            for name in maps
        ],
        bias_mV=_bias(dataset, attrs),
        size_nm=(_extent(x), _extent(y)),
        axes_nm=(x, y),
        facts=_facts(attrs),
    )


def _check_claims(source: Source) -> None:
    """Refuse variables of any claimed size that hold one default value throughout."""
    claimed = 0

    def add(_: str, item: object) -> None:
        nonlocal claimed
        if isinstance(item, h5py.Dataset):
            claimed += math.prod(item.shape or (0,)) * max(item.dtype.itemsize, 8)

    with h5py.File(io.BytesIO(source.content), "r") as file:
        file.visititems(add)
    source.check_claim(claimed, ratio=1100)


def _bias(dataset: xr.Dataset, attrs: Mapping[Any, Any]) -> Any:
    if "bias" in dataset.coords:
        return dataset["bias"].values
    return attrs.get("setpoint_bias_mV") if "bias" not in dataset.sizes else None


def _facts(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in attrs.items()
        if str(name) not in PASSING and not isinstance(value, np.ndarray)
    }


def _extent(axis: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Return the length that the points of an axis cover, half a pitch beyond both ends."""
    return round(abs(float(axis[-1] - axis[0])) * axis.size / max(axis.size - 1, 1), 9)


READER = Reader("netCDF", (".nc",), recognises, read)
