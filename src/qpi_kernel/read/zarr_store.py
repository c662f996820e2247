"""Zarr stores (a folder, or one .zip): datasets that xarray wrote, or one bare array."""

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore

from qpi_kernel.errors import QpiError
from qpi_kernel.read.dataset import build_dataset
from qpi_kernel.read.labelled import read_labelled
from qpi_kernel.read.recording import Channel, Reader, Source

# The files that describe a store of version 3 and of version 2.
DESCRIPTIONS = ("zarr.json", ".zgroup", ".zarray")
ZIP_MAGIC = b"PK\x03\x04"


def recognises(content: bytes) -> bool:
    """Tell a store by the file that describes it, which a .zip names as plain text."""
    if content.startswith(ZIP_MAGIC):
        return any(name.encode() in content for name in DESCRIPTIONS)
    return content.lstrip().startswith(b"{") and b'"zarr_format"' in content


def description(folder: Path) -> bytes:
    """Return the file that describes the store in a folder, nothing if it is none."""
    for name in DESCRIPTIONS:
        if (folder / name).is_file():
            return (folder / name).read_bytes()
    return b""


def read(source: Source) -> xr.Dataset:
    """Read the variable "didv", or else every variable (bias, y, x) or (y, x); or one bare array.

    A bare array (y, x) needs a size given by hand, (bias, y, x) also the attribute bias_mV.

    Raises
    ------
    ReadError
        If the store is damaged, or holds no such variable.
    """
    try:
        store = _store(source)
        node = zarr.open(store, mode="r")
        if isinstance(node, zarr.Array):
            return _bare(source, node)
        arrays = [array for _, array in node.arrays()]
        source.check_claim(sum(math.prod(a.shape) * max(a.dtype.itemsize, 8) for a in arrays))
        with xr.open_zarr(store, consolidated=False, chunks=None, decode_times=False) as stored:
            return read_labelled(source, stored)
    except QpiError:
        raise
    except Exception as error:
        # On damaged files the codecs of Zarr raise nearly anything, from KeyError to RuntimeError.
        found = f"damaged data ({error})"[:120].replace("\n", " ")
        raise source.error("a Zarr store", found, "copy the whole folder again") from None


def _store(source: Source) -> LocalStore | MemoryStore:
    """Return the folder, or the entries of a .zip in memory: the ZipStore of Zarr trusts them."""
    if not source.content.startswith(ZIP_MAGIC):
        return LocalStore(source.path, read_only=True)
    make = default_buffer_prototype().buffer.from_bytes
    with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        source.check_claim(sum(entry.file_size for entry in files))
        return MemoryStore({entry.filename: make(archive.read(entry)) for entry in files})


def _bare(source: Source, array: "zarr.Array[Any]") -> xr.Dataset:
    source.check_claim(math.prod(array.shape) * max(array.dtype.itemsize, 8))
    bias_mV: Any = array.attrs.get("bias_mV")
    biases = 0 if bias_mV is None else np.size(bias_mV)
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or 0 in array.shape:
        raise source.error(
            "real values (bias, y, x) or (y, x)",
            f"{array.dtype} of shape {array.shape}",
            "save the map with xarray's to_zarr",
        )
    if array.ndim == 3 and biases != array.shape[0]:
        raise source.error(
            f"the attribute bias_mV with {array.shape[0]} biases",
            f"{biases}",
            "save the map with xarray's to_zarr",
        )
    values = np.asarray(array[...])
    units = str(array.attrs.get("units", "a.u."))
    return build_dataset(
        source, [Channel("values", values, units)], bias_mV=bias_mV, size_nm=None, facts={}
    )


READER = Reader("Zarr", (".zarr",), recognises, read)
