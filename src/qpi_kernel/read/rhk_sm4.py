"""RHK files (.sm4): pages of images or of spectra, found through tables of offsets."""

import struct
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, build_spectra
from qpi_kernel.read.recording import Channel, Reader, Source

SIGNATURE = "STiMage ".encode("utf-16-le")
# Types of the objects that the tables of offsets list.
PAGE_INDEX_HEADER, PAGE_INDEX_ARRAY, PAGE_HEADER, PAGE_DATA = 1, 2, 3, 4
SPECTRA_POSITIONS, STRINGS = 8, 10
PAGE_HEADER_LAYOUT = struct.Struct("<2H13I11f4I64x")
IMAGE, LINE = 0, 1
IV_SPECTRUM = 7
SCANNED_LEFT = 1
# The points of a grid lie on their lattice to a few ten-thousandths of its pitch.
OFF_THE_GRID = 0.05


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


def recognises(content: bytes) -> bool:
    """Tell an RHK file by its signature in UTF-16."""
    return content[2 : 2 + len(SIGNATURE)] == SIGNATURE


def read(source: Source) -> xr.Dataset:
    """Read the grid of spectra of an RHK file, or else its images, or else its point spectra.

    A negative scale means that the axis runs backwards from its offset: column 0 of most images is
    the right edge and row 0 the top. The points of a grid are placed by their recorded positions.
    Curves and rows of zeros were never measured.

    Raises
    ------
    ReadError
        If the file is damaged, or holds neither spectra nor an image.
    """
    try:
        pages = _pages(source)
    except (struct.error, UnicodeDecodeError):
        raise source.error(
            "a table of pages", "a damaged or cut table", "copy the file again"
        ) from None
    images = [page for page in pages if page.kind == IMAGE and page.line == 0]
    curves = [page for page in pages if page.kind == LINE and page.line == IV_SPECTRUM]
    grids = [page for page in curves if min(page.grid) > 1]
    if grids:
        return _grid(source, grids, len(images))
    if images:
        return _images(source, images)
    if curves:
        return _spectra(source, curves)
    raise source.error("an image or spectra", "neither of them", "choose another file")


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
            claimed += 4 * fields[7] * fields[8]
            source.check_claim(claimed)
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


def _facts(page: Page, angle_deg: float) -> dict[str, float | str | None]:
    finite = np.isfinite([page.bias_V, page.current_A, angle_deg]).all()
    return {
        "angle_deg": round(angle_deg, 3) if finite else None,
        "setpoint_bias_mV": round(page.bias_V * 1e3, 3) if finite else None,
        "setpoint_current_pA": round(page.current_A * 1e12, 3) if finite else None,
        "date": page.date,
    }


def _images(source: Source, images: list[Page]) -> xr.Dataset:
    first = images[0]
    same = [
        page
        for page in images
        if (page.values.shape, page.scale) == (first.values.shape, first.scale)
    ]
    left_out = len(images) - len(same)
    ny, nx = first.values.shape
    metres = first.x_units == "m"
    size = (_length_nm(nx * abs(first.scale[0])), _length_nm(ny * abs(first.scale[1])))
    # A falling axis is turned round; where it begins is a matter of the piezo, not of the map.
    steps = [-1 if scale < 0 else 1 for scale in first.scale]
    return build_dataset(
        source,
        [
            Channel(page.name, page.values[:: steps[1], :: steps[0]], page.units or "a.u.")
            for page in same
        ],
        bias_mV=_bias_mV(first),
        size_nm=size if metres else None,
        unit_of_progress="rows",
        facts=_facts(first, first.angle_deg),
        notes=[f"{left_out} images of another size or place were left out"] if left_out else [],
    )


def _length_nm(metres: float) -> float:
    """Return a length in the digits that float32 carries."""
    return float(f"{metres * 1e9:.6g}")


def _bias_mV(page: Page) -> float | None:
    return round(page.bias_V * 1e3, 3) if np.isfinite(page.bias_V) else None


def _spectra(source: Source, curves: list[Page]) -> xr.Dataset:
    first = curves[0]
    same = [page for page in curves if _sweep(page) == _sweep(first)]
    if first.x_units != "V":
        raise source.error(
            "spectra along a bias in V", first.x_units or "no unit", "choose another file"
        )
    positions = first.positions_m
    return build_spectra(
        source,
        [Channel(page.name, page.values.T, page.units or "a.u.") for page in same],
        bias_mV=_biases_mV(first),
        xy_nm=1e9 * positions if len(positions) == len(first.values) else None,
        facts=_facts(first, first.angle_deg),
        notes=[f"{len(curves) - len(same)} pages with another sweep were left out"]
        if len(same) < len(curves)
        else [],
    )


def _sweep(page: Page) -> tuple[object, ...]:
    return page.values.shape, page.scale, page.offset


def _biases_mV(page: Page) -> npt.NDArray[np.float64]:
    biases: npt.NDArray[np.float64] = np.round(
        1e3 * (page.offset + page.scale[0] * np.arange(page.values.shape[1])), 4
    )
    return biases


def _grid(source: Source, grids: list[Page], images: int) -> xr.Dataset:
    first = grids[0]
    (nx, ny), points = first.grid, first.values.shape[1]
    same = [page for page in grids if (page.grid, _sweep(page)) == (first.grid, _sweep(first))]
    source.check_claim(4 * nx * ny * points * len(same))
    if first.x_units != "V":
        raise source.error("spectra along a bias in V", first.x_units or "no unit", "choose a map")
    x_step, y_step, steps, angle_deg = _lattice(source, first)
    channels = []
    for page in same:
        curves = np.full((ny * nx, points), np.nan, dtype=np.float32)
        present = page.values[: ny * nx]
        curves[: len(present)] = present
        cube = curves.reshape(ny, nx, points).transpose(2, 0, 1)
        channels.append(Channel(page.name, cube[:, :: steps[1], :: steps[0]], page.units or "a.u."))
    notes = []
    if images:
        notes.append(f"{images} images beside the grid were left out: save them alone to use them")
    if len(same) < len(grids):
        notes.append(f"{len(grids) - len(same)} grids of another size or sweep were left out")
    return build_dataset(
        source,
        channels,
        bias_mV=_biases_mV(first),
        size_nm=(_length_nm(nx * x_step), _length_nm(ny * y_step)),
        facts=_facts(first, angle_deg),
        notes=notes,
    )


def _lattice(source: Source, page: Page) -> tuple[float, float, tuple[int, int], float]:
    """Return the pitch along columns and rows [m], the signs of the axes, and their angle [deg]."""
    nx, ny = page.grid
    count = min(nx * ny, len(page.positions_m))
    positions = page.positions_m[:count]
    measured = np.isfinite(page.values[:count]).any(axis=1) & np.isfinite(positions).all(axis=1)
    rows, columns = np.divmod(np.arange(count)[measured], nx)
    if not rows.any() or not columns.any():
        raise source.error(
            "spectra at the points of a grid", "fewer than two rows of them", "choose a map"
        )
    design = np.column_stack([np.ones(rows.size), columns, rows])
    solution = np.linalg.lstsq(design, positions[measured], rcond=None)[0]
    along, down = solution[1], solution[2]
    pitch = (float(np.hypot(*along)), float(np.hypot(*down)))
    miss = float(np.abs(design @ solution - positions[measured]).max())
    across = abs(float(along @ down))
    if not miss <= OFF_THE_GRID * min(pitch) or across > OFF_THE_GRID * pitch[0] * pitch[1]:
        raise source.error(
            "spectra at the points of a grid", "points that form none", "choose a map"
        )
    # The axes are those that point right and up, within 90 deg of x and y of the scanner.
    steps = (1 if along[0] > 0 or (along[0] == 0 and along[1] > 0) else -1, 1)
    right = along * steps[0]
    up = np.array([-right[1], right[0]])
    steps = (steps[0], 1 if float(up @ down) > 0 else -1)
    return *pitch, steps, float(np.degrees(np.arctan2(right[1], right[0])))


READER = Reader("RHK SM4", (".sm4",), recognises, read)
