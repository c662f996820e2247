"""MATLAB files (.mat), version 5 and 7.3: structs with map, e and r, or one plain array."""

import io
import math
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, covered
from qpi_kernel.read.matlab_v5 import load_variables
from qpi_kernel.read.recording import Channel, Reader, ReadError, Source

MAGIC, MAGIC_HDF5 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"
# What the Davis group calls its maps.
NAMES = {"g": "dI/dV", "i": "current", "t": "topography"}
DEEPEST = 4


def recognises(content: bytes) -> bool:
    """Tell a MATLAB file by the text at its beginning."""
    return content.startswith((MAGIC, MAGIC_HDF5))


def read(source: Source) -> xr.Dataset:
    """Read the structs with a field map of a MATLAB file, or its only array.

    A struct has map (y, x, e) or (y, x), the energies e in V, as the Davis group writes them, and
    the positions r of the columns in Å (square maps, rows alike). map, e and r may stand by
    themselves too. Row 1 is the top of the picture, as imagesc draws it. An array without r needs
    a size given by hand.

    Raises
    ------
    ReadError
        If the file is damaged, or its arrays make no map.
    """
    try:
        variables = (_load_hdf5 if source.content.startswith(MAGIC_HDF5) else load_variables)(
            source
        )
    except ReadError:
        raise
    except Exception as error:
        # On damaged bytes the HDF5 stack raises nearly anything.
        found = f"damaged data ({error})"[:120].replace("\n", " ")
        raise source.error("a MATLAB file", found, "save it again") from None
    structs = {
        name: struct
        for name, struct in {"map": variables, **variables}.items()
        if isinstance(struct, dict) and _is_map(struct.get("map"))
    }
    if not structs:
        arrays = {name: value for name, value in variables.items() if _is_map(value)}
        if len(arrays) != 1:
            raise source.error(
                "structs with the field map, or one array (y, x, e)",
                ", ".join(arrays or list(variables))[:200] or "nothing",
                "save the map alone, with e in V and r in Å",
            )
        ((name, array),) = arrays.items()
        structs = {name: {**variables, "map": array}}
    return _dataset(source, structs)


def _dataset(source: Source, structs: Mapping[str, Mapping[str, Any]]) -> xr.Dataset:
    # A grid comes before images: its energies are those of the file.
    name, first = max(structs.items(), key=lambda item: item[1]["map"].ndim)
    ny, nx = first["map"].shape[:2]
    e, r = _vector(first, "e"), _vector(first, "r")
    points = first["map"].shape[2] if first["map"].ndim == 3 else None
    if points is not None and (e is None or e.size != points):
        raise source.error(
            f"{points} energies e [V] beside {name}",
            "none" if e is None else f"{e.size}",
            "save map (y, x, e) together with e",
        )
    if r is not None and (r.size != nx or nx != ny or nx < 2):
        raise source.error(
            "a square map with one r [Å] for each column",
            f"{r.size} numbers for {nx} x {ny} points",
            "mend r, or leave it out and give the size",
        )
    channels, left_out = [], 0
    for other, struct in structs.items():
        values = struct["map"]
        energies = _vector(struct, "e")
        same = values.ndim == 2 or (e is not None and np.array_equal(_or_empty(energies), e))
        if values.shape[:2] != (ny, nx) or not same:
            left_out += 1
            continue
        upright = values[::-1]
        channels.append(
            Channel(_name(other), np.moveaxis(upright, 2, 0) if values.ndim == 3 else upright, "")
        )
    x = None if r is None else r / 10
    single = e if points is None and e is not None and e.size == 1 else None
    bias = e if points is not None else single
    return build_dataset(
        source,
        channels,
        bias_mV=None if bias is None else np.round(bias * 1e3, 6),
        size_nm=None if x is None else (covered(x), covered(x)),
        axes_nm=None if x is None else (x - x[0], x - x[0]),
        facts={},
        notes=[f"{left_out} maps on another grid were left out"] if left_out else [],
    )


def _name(variable: str) -> str:
    meaning = NAMES.get(variable.lower())
    return f"{meaning} ({variable})" if meaning else variable


def _is_map(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.ndim in (2, 3)
        and min(value.shape) > 1
        and value.dtype.kind in "fiu"
    )


def _vector(struct: Mapping[str, Any], key: str) -> npt.NDArray[np.float64] | None:
    value = np.atleast_1d(np.asarray(struct.get(key, []))).squeeze()
    if value.ndim > 1 or value.dtype.kind not in "fiu" or value.size == 0:
        return None
    vector: npt.NDArray[np.float64] = np.atleast_1d(value).astype(np.float64)
    return vector


def _or_empty(vector: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    return np.empty(0) if vector is None else vector


def _load_hdf5(source: Source) -> dict[str, Any]:
    """Return variables and structs; MATLAB stores the axes of an array in reverse."""
    claimed = 0

    def load(group: h5py.Group, depth: int) -> dict[str, Any]:
        nonlocal claimed
        loaded: dict[str, Any] = {}
        for name, item in group.items():
            if isinstance(item, h5py.Group) and not name.startswith("#") and depth < DEEPEST:
                loaded[name] = load(item, depth + 1)
            elif isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and item.shape:
                claimed += math.prod(item.shape) * max(item.dtype.itemsize, 8)
                source.check_claim(claimed)
                loaded[name] = np.asarray(item[()]).T
        return loaded

    with h5py.File(io.BytesIO(source.content), "r") as file:
        return load(file, 0)


READER = Reader("MATLAB", (".mat",), recognises, read)
