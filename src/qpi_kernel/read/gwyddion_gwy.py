"""Gwyddion files (.gwy): nested components, among them the data fields of the channels."""

import re
import struct
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_dataset
from qpi_kernel.read.recording import Channel, Reader, Source, number

MAGIC, OLD_MAGIC = b"GWYP", b"GWYO"
SCALARS = {"b": "<B", "c": "<B", "i": "<i", "q": "<q", "d": "<d"}
ARRAYS = {"C": "V1", "I": "<i4", "Q": "<i8", "D": "<f8"}
# A field lies three objects deep; a damaged file may claim any depth.
DEEPEST = 16


class Field(NamedTuple):
    """A data field as the file has it: row 0 at the top, lengths in the unit of the file."""

    name: str
    values: np.ndarray[Any, np.dtype[np.float64]]
    size: tuple[float, float]
    offset: tuple[float, float]
    xy_units: str
    units: str


class DamageError(Exception):
    """Bytes that are no components."""


def recognises(content: bytes) -> bool:
    """Tell a Gwyddion file by its magic letters."""
    return content[:4] in (MAGIC, OLD_MAGIC)


def read(source: Source) -> xr.Dataset:
    """Read the channels of a Gwyddion file that share the grid of the first one.

    The first row of a field is the top of the picture. The y axis of Gwyddion points down: a row
    at Y there is at y = -Y here. The bias is read from a title that ends with "at -12 mV". Masks,
    graphs and volume data are left aside.

    Raises
    ------
    ReadError
        If the file is damaged, of version 1, or holds no channel.
    """
    if source.content[:4] != MAGIC:
        old = source.content[:4] == OLD_MAGIC
        raise source.error(
            "Gwyddion version 2 (GWYP)",
            "version 1 (GWYO)" if old else repr(source.content[:4]),
            "open it in Gwyddion 2 and save it again" if old else "save the file again",
        )
    try:
        components = _object(source.content, 4, 0)[0]
    except (DamageError, struct.error, UnicodeDecodeError):
        raise source.error("complete data", "a damaged or cut file", "copy it again") from None
    fields = [
        field
        for key, value in components.items()
        if re.fullmatch(r"/\d+/data", key) and isinstance(value, dict)
        for field in [_field(components, key, value)]
        if field is not None
    ]
    if not fields:
        volume = any(key.startswith("/brick/") for key in components)
        raise source.error(
            "a channel", "only volume data" if volume else "none", "save an image channel"
        )
    first = fields[0]
    same = [field for field in fields if _grid(field) == _grid(first)]
    left_out = len(fields) - len(same)
    size = axes = None
    if first.xy_units == "m":
        ny, nx = first.values.shape
        width, height = (round(length * 1e9, 6) for length in first.size)
        left, top = (length * 1e9 for length in first.offset)
        size = (width, height)
        axes = (
            left + (np.arange(nx) + 0.5) * (width / nx),
            -(top + (np.arange(ny)[::-1] + 0.5) * (height / ny)),
        )
    bias = re.search(r" at (\S+) mV\b", first.name)
    return build_dataset(
        source,
        [Channel(field.name, field.values[::-1], field.units or "a.u.") for field in same],
        bias_mV=number(bias[1]) if bias else None,
        size_nm=size,
        axes_nm=axes,
        facts={},
        notes=[f"{left_out} channels on another grid were left out"] if left_out else [],
    )


def _grid(field: Field) -> tuple[Any, ...]:
    return (field.values.shape, field.size, field.offset, field.xy_units)


def _field(components: dict[str, Any], key: str, entries: dict[str, Any]) -> Field | None:
    nx, ny, values = entries.get("xres"), entries.get("yres"), entries.get("data")
    if not isinstance(values, np.ndarray) or not isinstance(nx, int) or not isinstance(ny, int):
        return None
    if values.dtype != np.float64 or min(nx, ny) < 1 or values.size != nx * ny:
        return None
    title = components.get(f"{key}/title")
    return Field(
        name=title.strip() if isinstance(title, str) and title.strip() else key.strip("/"),
        values=values.reshape(ny, nx),
        size=(_real(entries, "xreal"), _real(entries, "yreal")),
        offset=(_real(entries, "xoff"), _real(entries, "yoff")),
        xy_units=_unit(entries, "si_unit_xy"),
        units=_unit(entries, "si_unit_z"),
    )


def _real(entries: dict[str, Any], key: str) -> float:
    value = entries.get(key, 0.0)
    return value if isinstance(value, float) and np.isfinite(value) else 0.0


def _unit(entries: dict[str, Any], key: str) -> str:
    unit = entries.get(key)
    text = unit.get("unitstr") if isinstance(unit, dict) else None
    return text.strip() if isinstance(text, str) else ""


def _object(content: bytes, place: int, depth: int) -> tuple[dict[str, Any], int]:
    """Return the components of the object at `place`, and where it ends."""
    if depth > DEEPEST:
        raise DamageError
    _, place = _string(content, place)
    (size,) = struct.unpack_from("<I", content, place)
    place += 4
    end = place + size
    if end > len(content):
        raise DamageError
    components = {}
    while place < end:
        name, place = _string(content, place)
        kind = chr(content[place]) if place < end else ""
        components[name], place = _value(content, place + 1, kind, depth)
    return components, end


def _value(content: bytes, place: int, kind: str, depth: int) -> tuple[Any, int]:
    if kind in SCALARS:
        layout = SCALARS[kind]
        return struct.unpack_from(layout, content, place)[0], place + struct.calcsize(layout)
    if kind == "s":
        return _string(content, place)
    if kind == "o":
        return _object(content, place, depth + 1)
    (count,) = struct.unpack_from("<I", content, place)
    place += 4
    if kind in ARRAYS:
        dtype = np.dtype(ARRAYS[kind])
        if place + count * dtype.itemsize > len(content):
            raise DamageError
        return np.frombuffer(content, dtype, count, place), place + count * dtype.itemsize
    if kind not in ("S", "O"):
        raise DamageError
    items = []
    for _ in range(count):
        item, place = _string(content, place) if kind == "S" else _object(content, place, depth + 1)
        items.append(item)
    return items, place


def _string(content: bytes, place: int) -> tuple[str, int]:
    end = content.find(b"\0", place)
    if end < 0:
        raise DamageError
    return content[place:end].decode("utf-8"), end + 1


READER = Reader("Gwyddion", (".gwy",), recognises, read)
