"""The pages of RHK files, found through tables of offsets."""

import struct
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qpi_kernel.read.recording import Source

# Types of the objects that the tables of offsets list.
PAGE_INDEX_HEADER, PAGE_INDEX_ARRAY, PAGE_HEADER, PAGE_DATA = 1, 2, 3, 4
SPECTRA_POSITIONS, STRINGS = 8, 10
PAGE_HEADER_LAYOUT = struct.Struct("<2H13I11f4I64x")
IMAGE, LINE = 0, 1
SCANNED_LEFT = 1


class Page(NamedTuple):
    """One page: its values (row or curve, column or point) in counts times scale, and its facts."""

    kind: int
    line: int
    name: str
    units: str
    x_units: str
    values: npt.NDArray[np.float32]
    scale: tuple[float, float]
    offset: float
    bias_V: float
    current_A: float
    angle_deg: float
    grid: tuple[int, int]
    positions_m: npt.NDArray[np.float64]
    date: str | None


def read_pages(source: Source) -> list[Page]:
    """Return the pages of images and of lines.

    Raises
    ------
    ReadError
        If the tables are damaged or cut.
    """
    try:
        return _pages(source)
    except (struct.error, UnicodeDecodeError):
        raise source.error(
            "a table of pages", "a damaged or cut table", "copy the file again"
        ) from None


def _pages(source: Source) -> list[Page]:
    content = source.content
    header_bytes, _, _, count = struct.unpack_from("<H36s2I", content)
    index = _objects(content, header_bytes + 2, count).get(PAGE_INDEX_HEADER, 0)
    page_count, count = struct.unpack_from("<2I", content, index)
    place = _objects(content, index + 16, count).get(PAGE_INDEX_ARRAY, 0)
    pages, claimed = [], 0
    for _ in range(page_count):
        kind, _, count = struct.unpack_from("<3I", content, place + 16)
        objects = _objects(content, place + 32, count)
        place += 32 + 12 * count
        if kind in (IMAGE, LINE) and PAGE_HEADER in objects and PAGE_DATA in objects:
            fields = PAGE_HEADER_LAYOUT.unpack_from(content, objects[PAGE_HEADER])
            numbers = fields[7] * fields[8]
            claimed += 4 * numbers
            source.check_claim(claimed)
            # An empty page may claim any number of rows without a single column.
            if numbers:
                pages.append(_page(content, kind, objects, fields))
    return pages


def _objects(content: bytes, place: int, count: int) -> dict[int, int]:
    """Return {type: offset} of a list of objects (type, offset, size)."""
    if place + 12 * count > len(content):
        raise struct.error
    triples = struct.iter_unpack("<3I", content[place : place + 12 * count])
    return {kind: offset for kind, offset, size in triples if offset and size}


def _page(content: bytes, kind: int, objects: dict[int, int], fields: tuple[float, ...]) -> Page:
    integers = [int(field) for field in fields[:15]]
    line, nx, ny, scan = integers[4], integers[7], integers[8], integers[10]
    x_scale, y_scale, z_scale, _, x_offset, _, z_offset, _, bias, current, angle = fields[15:26]
    _, grid_x, grid_y, count = (int(field) for field in fields[26:])
    own = _objects(content, objects[PAGE_HEADER] + PAGE_HEADER_LAYOUT.size, count)
    strings = _strings(content, own[STRINGS], integers[1]) if STRINGS in own else []
    strings += [""] * (10 - len(strings))

    counts = _numbers(content, objects[PAGE_DATA], "<i4", nx * ny).reshape(ny, nx)
    counts[(counts == 0).all(axis=1)] = np.nan
    positions = np.empty((0, 2))
    if kind == LINE and SPECTRA_POSITIONS in own:
        # time, x, y and four drifts of each curve
        positions = _numbers(content, own[SPECTRA_POSITIONS], "<f4", 7 * ny).reshape(ny, 7)[:, 1:3]
    name = strings[0].strip() or "channel"
    values = (counts * z_scale + z_offset).astype(np.float32)
    return Page(
        kind=kind,
        line=line,
        name=f"{name} [bwd]" if kind == IMAGE and scan == SCANNED_LEFT else name,
        units=strings[9].strip(),
        x_units=strings[7].strip(),
        values=values,
        scale=(x_scale, y_scale),
        offset=x_offset,
        bias_V=bias,
        current_A=current,
        angle_deg=angle,
        grid=(grid_x, grid_y),
        positions_m=positions,
        date=_date(strings[5], strings[6]),
    )


def _numbers(content: bytes, place: int, dtype: str, count: int) -> npt.NDArray[np.float64]:
    """Return `count` numbers; those beyond the end of a cut file are NaN."""
    values = np.full(count, np.nan)
    present = min(count, (len(content) - place) // 4)
    if present > 0:
        values[:present] = np.frombuffer(content, dtype, present, place)
    return values


def _strings(content: bytes, place: int, count: int) -> list[str]:
    """Return strings, each stored as its length and UTF-16 characters."""
    strings = []
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, place)
        text = content[place + 2 : place + 2 + 2 * length]
        strings.append(text.decode("utf-16-le", "replace").rstrip("\0"))
        place += 2 + 2 * length
    return strings


def _date(day: str, time: str) -> str | None:
    try:
        return datetime.strptime(f"{day} {time}", "%m/%d/%y %H:%M:%S").isoformat()
    except ValueError:
        return None
