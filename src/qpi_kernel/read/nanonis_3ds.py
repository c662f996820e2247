"""Nanonis grids (.3ds): a text header, then one big-endian float32 record per point.

A record is [fixed parameters][experiment parameters][channel 1 curve][channel 2 curve]...
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, distinct
from qpi_kernel.read.nanonis_header import date_of, module_facts, unit_in
from qpi_kernel.read.nanonis_layout import POSITIONS, layout_of
from qpi_kernel.read.nanonis_records import Body, load_images
from qpi_kernel.read.recording import Channel, Reader, Source, integer, number
from qpi_kernel.read.units import displayed

HEADER_END = b":HEADER_END:"
POINTS_WITH_BIAS = 64

Array = npt.NDArray[np.float64]


def recognises(content: bytes) -> bool:
    """Tell a Nanonis grid by the dimensions and the end of its header."""
    return HEADER_END in content[: 2**20] and b"Grid dim=" in content[: 2**16]


def read(source: Source) -> xr.Dataset:
    """Read a Nanonis grid of bias sweeps.

    Points that an aborted grid never reached are NaN. Where each point records its position, rows
    run backwards are turned round and the pitch is measured; otherwise it is size / points. The
    bias axis comes from the sweep, or from the segments of a multi-line-segment sweep, and
    increases; every channel is turned with it.

    Raises
    ------
    ReadError
        If the header is incomplete, the sweep is not one of bias, the grid is a line, or there is
        not one complete point.
    """
    end = source.content.find(HEADER_END)
    if end < 0:
        raise source.error(
            "a header that ends with :HEADER_END:", "no such header", "copy the file again"
        )
    header = _header(source.content[:end])
    sweep = header.get("Sweep Signal", "Bias (V)")
    if "bias" not in sweep.lower():
        raise source.error("a sweep of the bias", f"a sweep of {sweep[:40]}", "choose a bias grid")
    shape = _dimensions(source, header)
    points = integer(header.get("Points")) or 0
    names = _names(header.get("Channels", ""))
    parameters = _names(header.get("Fixed parameters", ""))
    parameters += _names(header.get("Experiment parameters", ""))
    width = integer(header.get("# Parameters (4 byte)")) or len(parameters)
    if points < 1 or not names or not 0 <= width < 2**16:
        raise source.error(
            "Points, Channels and the number of parameters in the header",
            f"{points} points, {len(names)} channels, {width} parameters",
            "copy the file again",
        )
    body = _body(source, end, shape, width + points * len(names))
    columns = {name: body.column(index) for index, name in enumerate(parameters[:width])}
    frame = _frame(header)
    notes: list[str] = []
    bias_mV = np.round(1e3 * _bias_V(source, header, columns, points), 6)
    layout = layout_of(columns, shape, frame, bool(bias_mV[0] > bias_mV[-1]), notes)

    curves: dict[str, slice] = {}
    for index, name in enumerate(names):
        first = width + points * index
        curves[distinct(name, curves)] = slice(first, first + points)
    _check_recorded_bias(body, curves, bias_mV, notes)
    channels = []
    for name, values in curves.items():
        factor, units = displayed(unit_in(name))
        channels.append(Channel(name, load_images(body, values, layout, factor), units))
    channels += _averages(channels)
    channels += [
        Channel(name, layout.image(column), "m")
        for name, column in columns.items()
        if unit_in(name) == "m" and name not in POSITIONS and np.isfinite(column).any()
    ]
    pitch = layout.pitch_nm
    return build_dataset(
        source,
        channels,
        bias_mV=bias_mV[::-1] if layout.bias_falls else bias_mV,
        size_nm=frame and (frame[0], frame[1]),
        axes_nm=pitch and (np.arange(shape[1]) * pitch[0], np.arange(shape[0]) * pitch[1]),
        facts={
            "angle_deg": frame and frame[2],
            **module_facts(header),
            "date": date_of(header.get("Start time") or header.get("Date") or ""),
        },
        notes=notes,
        measured=layout.image(np.arange(shape[0] * shape[1]).reshape(shape) < body.present)
        if source.lazy
        else None,
    )


def _header(content: bytes) -> dict[str, str]:
    """Return the entries; the last of two equal keys counts, lines without "=" continue a text."""
    entries: dict[str, str] = {}
    for line in content.decode("latin-1").splitlines():
        key, separator, value = line.partition("=")
        if separator:
            entries[key.strip()] = value.strip().strip('"').strip()
    return entries


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(";") if name.strip()]


def _dimensions(source: Source, header: dict[str, str]) -> tuple[int, int]:
    """Return the number of rows and of points in a row."""
    found = re.findall(r"\d{1,9}", header.get("Grid dim", ""))
    nx, ny = (int(text) for text in (found if len(found) == 2 else ("0", "0")))
    if min(nx, ny) < 2:
        raise source.error(
            "a grid of at least 2 x 2 points",
            f"Grid dim {header.get('Grid dim', '')[:40]!r} (a line cut is not a map)",
            "choose a grid",
        )
    return ny, nx


def _body(source: Source, end: int, shape: tuple[int, int], width: int) -> Body:
    """Return the records that the file has room for."""
    count = shape[0] * shape[1]
    if not source.lazy:
        source.check_claim(4 * count * width)
    start = source.content.find(b"\n", end) + 1
    found = source.size - start if start else 0
    present = min(found // (4 * width), count)
    if present == 0:
        raise source.error(
            f"records of {4 * width} bytes per point",
            f"{found} bytes of values",
            "the grid was aborted at its start or the file was cut",
        )
    return Body(source, start, present, width, shape)


def _frame(header: dict[str, str]) -> tuple[float, float, float, float, float] | None:
    """Return width, height [nm], angle [deg] and centre x, y [nm]; None if not stated."""
    cells = header.get("Grid settings", "").split(";")
    values = [number(cell) for cell in (*cells, "", "", "", "", "")[:5]]
    x, y, width, height, angle = values
    if width is None or height is None:
        return None
    return (
        round(width * 1e9, 9),
        round(height * 1e9, 9),
        angle or 0.0,
        (x or 0.0) * 1e9,
        (y or 0.0) * 1e9,
    )


def _bias_V(
    source: Source, header: dict[str, str], columns: dict[str, Array], points: int
) -> Array:
    """Return the bias axis [V] in the order of the file."""
    segments = next((value for key, value in header.items() if key.startswith("Segment Start")), "")
    if header.get("Filetype") == "MLS" or header.get("Bias Spectroscopy>Sweep mode") == "MLS":
        axis: list[float] = []
        for segment in segments.split(";"):
            cells = [number(cell) for cell in (*segment.split(","), "", "", "", "", "")[:5]]
            start, stop, steps = cells[0], cells[1], int(cells[4] or 0)
            if start is None or stop is None or not 0 < steps <= points:
                break
            part = np.linspace(start, stop, steps).tolist()
            axis += part[1:] if axis and axis[-1] == part[0] else part
        if len(axis) != points:
            raise source.error(
                f"sweep segments with {points} biases",
                f"segments with {len(axis)}",
                "export the grid with a linear sweep",
            )
        return np.array(axis)
    ends: list[float] = []
    for name in ("Sweep Start", "Sweep End"):
        column = columns.get(name)
        first = column[np.isfinite(column)][:1] if column is not None else np.empty(0)
        stated = number(header.get(f"Bias Spectroscopy>{name} (V)"))
        # The shortest number that float32 takes for the same is the one that was typed in.
        ends += [float(str(np.float32(end))) for end in first] or (
            [] if stated is None else [stated]
        )
    if len(ends) < 2 or (points > 1 and ends[0] == ends[1]):
        raise source.error(
            "the start and the end of the bias sweep",
            f"{' to '.join(f'{end:g} V' for end in ends) or 'neither'}",
            "check how the grid was recorded",
        )
    return np.linspace(ends[0], ends[1], points)


def _averages(channels: list[Channel]) -> list[Channel]:
    """Return the mean over numbered sweeps, X [00001], X [00002], ..., where X [AVG] is missing."""
    sweeps: dict[str, list[Channel]] = {}
    for channel in channels:
        if re.search(r"\[\d+\]", channel.name):
            sweeps.setdefault(re.sub(r"\[\d+\]", "[AVG]", channel.name), []).append(channel)
    present = {channel.name for channel in channels}
    missing = {name: group for name, group in sweeps.items() if name not in present}
    averages = []
    for name, group in missing.items():
        # Written as a sum: NumPy's mean would load what is still on disk.
        total: Any = sum(sweep.values for sweep in group)
        averages.append(Channel(name, total / np.float32(len(group)), group[0].units))
    return averages


def _check_recorded_bias(
    body: Body, curves: dict[str, slice], bias_mV: Array, notes: list[str]
) -> None:
    """Say so if a bias recorded at the first points is not the bias of the sweep."""
    for name, values in curves.items():
        if not name.lower().startswith("bias") or "[" in name or unit_in(name) != "V":
            continue
        recorded = 1e3 * body.records[:POINTS_WITH_BIAS, values].astype(np.float64)
        recorded = recorded[np.isfinite(recorded).all(axis=1)]
        if recorded.size and np.max(np.abs(recorded.mean(0) - bias_mV)) > 0.05 * np.ptp(bias_mV):
            first, last = recorded.mean(0)[[0, -1]]
            notes.append(
                f"{name} was recorded from {first:.3g} to {last:.3g} mV, the sweep"
                f" is stated from {bias_mV[0]:.3g} to {bias_mV[-1]:.3g} mV and is used"
            )


READER = Reader("Nanonis grid", (".3ds",), recognises, read, lazy=True)
