"""HDF5 of any layout (.h5, .hdf5): arrays that fit together, with their axes told by name."""

import io
import math
import re
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, covered
from qpi_kernel.read.recording import Channel, Reader, ReadError, Source
from qpi_kernel.read.units import millivolts, nanometres

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
AXES = {
    "bias": re.compile(r"(bias|energy|energies|voltage|volt|e|v)"),
    "y": re.compile(r"(y|ys|rows)"),
    "x": re.compile(r"(x|xs|columns)"),
}
# A unit stands in an attribute, or at the end of the name: bias_mV, x (nm).
UNIT = re.compile(r"[ _]?[(\[]?(mV|meV|V|eV|nm|um|µm|Å|angstrom|pm|m)[)\]]?$")


class Item(NamedTuple):
    """One array of the file."""

    path: str
    values: npt.NDArray[Any]
    units: str

    @property
    def name(self) -> str:
        """Name without the groups around it."""
        return self.path.rpartition("/")[2]


def recognises(content: bytes) -> bool:
    """Tell HDF5 by its first bytes."""
    return content.startswith(HDF5_MAGIC)


def read(source: Source) -> xr.Dataset:
    """Read the arrays (bias, y, x) of one shape and the images (y, x) on their grid, as channels.

    The axes are the one-dimensional arrays called bias, energy or voltage, y, and x, beside the
    array or above it, with a unit as attribute "units" or in the name ("bias_mV"). Without x and y
    the size must be given by hand; several biases are never guessed. Row 0 has the smallest y.

    Raises
    ------
    ReadError
        If the file is damaged, holds no such array, or states no biases.
    """
    try:
        items = _items(source)
    except ReadError:
        raise
    except Exception as error:
        # On damaged bytes the HDF5 stack raises nearly anything, from KeyError to RuntimeError.
        found = f"damaged data ({error})"[:120].replace("\n", " ")
        raise source.error("HDF5", found, "copy it again") from None
    maps = [i for i in items if i.values.ndim in (2, 3) and min(i.values.shape[-2:]) > 1]
    if not maps:
        raise source.error(
            "an array (bias, y, x) or (y, x)",
            ", ".join(item.path for item in items)[:200] or "no numbers",
            "save the map so",
        )
    first = max(maps, key=lambda item: item.values.ndim)
    ny, nx = first.values.shape[-2:]
    bias_mV = _axis(items, first, "bias", first.values.shape[0] if first.values.ndim == 3 else 1)
    if first.values.ndim == 3 and bias_mV is None:
        raise source.error(
            f"an array bias with the unit V or mV and {first.values.shape[0]} values beside"
            f" {first.path}",
            ", ".join(item.path for item in items if item is not first)[:200] or "nothing else",
            "save the biases with the map",
        )
    x, y = _axis(items, first, "x", nx), _axis(items, first, "y", ny)
    same = [i for i in maps if i.values.shape in (first.values.shape, first.values.shape[-2:])]
    left_out = len(maps) - len(same)
    return build_dataset(
        source,
        [Channel(item.name, item.values, item.units) for item in same],
        bias_mV=bias_mV,
        size_nm=None if x is None or y is None else (covered(x), covered(y)),
        axes_nm=None if x is None or y is None else (x, y),
        facts={},
        notes=[f"{left_out} arrays of another shape were left out"] if left_out else [],
    )


def _items(source: Source) -> list[Item]:
    """Return the arrays of real numbers, in the order of the file."""
    found: list[Item] = []
    claimed = 0

    def add(path: str | bytes, item: object) -> None:
        nonlocal claimed
        # h5py leaves names that are no UTF-8 as they are.
        path = path.decode("latin-1") if isinstance(path, bytes) else path
        if isinstance(item, h5py.Dataset) and item.shape and item.dtype.kind in "fiu":
            claimed += math.prod(item.shape) * max(item.dtype.itemsize, 8)
            source.check_claim(claimed)
            units = item.attrs.get("units", item.attrs.get("unit", ""))
            text = units.decode("utf-8", "replace") if isinstance(units, bytes) else str(units)
            found.append(Item(path, np.asarray(item[()]), text))

    with h5py.File(io.BytesIO(source.content), "r") as file:
        file.visititems(add)
    return found


def _axis(items: list[Item], field: Item, kind: str, count: int) -> npt.NDArray[np.float64] | None:
    """Return the axis of a map [mV or nm], the one in the closest group, None if there is none."""
    groups = field.path.rpartition("/")[0]
    convert = millivolts if kind == "bias" else nanometres
    candidates = []
    for item in items:
        group = item.path.rpartition("/")[0]
        named = UNIT.search(item.name)
        bare = item.name[: named.start()] if named else item.name
        factor = convert(item.units or (named[1] if named else ""))
        if (
            np.squeeze(item.values).ndim <= 1
            and item.values.size == count
            and AXES[kind].fullmatch(bare.lower())
            and factor is not None
            and f"{groups}/".startswith(f"{group}/" if group else "")
        ):
            candidates.append((len(group), item.values.astype(np.float64).ravel() * factor))
    return max(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


READER = Reader("HDF5", (".h5", ".hdf5"), recognises, read)
