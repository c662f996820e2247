"""Nanonis grids (.3ds): a text header, then one big-endian float32 record per point.

A record is [fixed parameters][experiment parameters][channel 1 curve][channel 2 curve]...
"""

import re
from datetime import datetime

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.recording import (
    Channel,
    Reader,
    Source,
    build_dataset,
    in_milli,
    integer,
    number,
)

HEADER_END = b":HEADER_END:"
# The header gives the frame to seven digits, the points carry float32 noise; size / points and
# size / (points - 1) differ by far more than a thousandth on any grid a scan can record.
PITCH_TOLERANCE = 1e-3
POSITIONS = ("X (m)", "Y (m)")

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
    nx, ny = _dimensions(source, header)
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
    records = _records(source, end, nx * ny, width + points * len(names))
    columns = {
        name: records[:, index].reshape(ny, nx).astype(np.float64)
        for index, name in enumerate(parameters[:width])
    }
    curves = records[:, width:].reshape(ny, nx, len(names), points)
    curves = np.moveaxis(curves, (2, 3), (0, 1))

    frame = _frame(source, header)
    notes: list[str] = []
    rows_backward, rows_fall, pitch = _layout(columns, (ny, nx), frame, notes)

    def place(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        values = values.copy()
        values[..., rows_backward, :] = values[..., rows_backward, ::-1]
        return values[..., ::-1, :] if rows_fall else values

    bias_mV = 1e3 * _bias_V(source, header, columns, points)
    channels = [
        Channel(name, place(curve), _unit(name)) for name, curve in zip(names, curves, strict=True)
    ]
    channels += _averages(channels)
    channels += [
        Channel(name, place(column), "m")
        for name, column in columns.items()
        if _unit(name) == "m" and name not in POSITIONS and np.isfinite(column).any()
    ]
    _check_recorded_bias(channels, bias_mV, notes)
    setpoint = header.get("Z-Controller>Setpoint") or header.get("Setpoint")
    unit = header.get("Z-Controller>Setpoint unit", "").strip()
    current = number(setpoint)
    modulated = "bias" in header.get("Lock-in>Modulated signal", "").lower()
    lock_in_on = header.get("Lock-in>Lock-in status", "ON").strip() != "OFF"
    return build_dataset(
        source,
        channels,
        bias_mV=np.round(bias_mV, 6),
        size_nm=frame and (frame[0], frame[1]),
        axes_nm=pitch and (np.arange(nx) * pitch[0], np.arange(ny) * pitch[1]),
        facts={
            "angle_deg": frame and frame[2],
            "setpoint_bias_mV": in_milli(number(header.get("Bias>Bias (V)"))),
            "setpoint_current_pA": round(current * 1e12, 6)
            if current is not None and unit == "A"
            else None,
            "modulation_mV": in_milli(number(header.get("Lock-in>Amplitude")))
            if modulated and lock_in_on
            else None,
            "date": _date(header),
        },
        notes=notes,
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


def _unit(name: str) -> str:
    units = re.findall(r"\(([^()]*)\)", name)
    return units[-1].strip() if units else "a.u."


def _dimensions(source: Source, header: dict[str, str]) -> tuple[int, int]:
    found = re.findall(r"\d{1,9}", header.get("Grid dim", ""))
    nx, ny = (int(text) for text in (found if len(found) == 2 else ("0", "0")))
    if min(nx, ny) < 2:
        raise source.error(
            "a grid of at least 2 x 2 points",
            f"Grid dim {header.get('Grid dim', '')[:40]!r} (a line cut is not a map)",
            "choose a grid",
        )
    return nx, ny


def _records(source: Source, end: int, count: int, width: int) -> npt.NDArray[np.float32]:
    """Return the records (point, value); those missing at the end of the file are NaN."""
    source.check_claim(4 * count * width, ratio=100)
    start = source.content.find(b"\n", end) + 1
    body = source.content[start:] if start else b""
    present = min(len(body) // (4 * width), count)
    if present == 0:
        raise source.error(
            f"records of {4 * width} bytes per point",
            f"{len(body)} bytes of values",
            "the grid was aborted at its start or the file was cut",
        )
    records = np.full((count, width), np.nan, dtype=np.float32)
    records[:present] = np.frombuffer(body, ">f4", present * width).reshape(present, width)
    return records


def _frame(
    source: Source, header: dict[str, str]
) -> tuple[float, float, float, float, float] | None:
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


def _layout(
    columns: dict[str, Array],
    shape: tuple[int, int],
    frame: tuple[float, float, float, float, float] | None,
    notes: list[str],
) -> tuple[npt.NDArray[np.bool_], bool, tuple[float, float] | None]:
    """Return which rows run backwards, whether rows fall in y, and the pitch (dx, dy) [nm].

    In the frame of the scan, turned clockwise by the angle a, a point has u = X cos a - Y sin a
    along a row and v = X sin a + Y cos a across the rows.
    """
    backward = np.zeros(shape[0], dtype=bool)
    if frame is None or not all(name in columns for name in POSITIONS):
        if frame is not None:
            notes.append("no point positions in the file: pitch taken as size / points")
        return backward, False, None
    width, height, angle, x0, y0 = frame
    a = np.deg2rad(angle)
    x, y = (columns[name] * 1e9 - centre for name, centre in zip(POSITIONS, (x0, y0), strict=True))
    u, v = x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)

    slopes = np.array([_slope(row) for row in u])
    known = np.isfinite(slopes)
    backward[known] = slopes[known] < 0
    # A row with a single point has no direction: serpentine rows repeat by two.
    for parity in (0, 1):
        rows = slice(parity, None, 2)
        if known[rows].any():
            backward[rows] |= ~known[rows] & (backward[rows].sum() * 2 > known[rows].sum())
    across = _slope(
        np.array(
            [np.mean(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in v]
        )
    )
    along = float(np.median(np.abs(slopes[known]))) if known.any() else np.nan
    pitch = (_snap(along, width, shape[1]), _snap(abs(across), height, shape[0]))
    return backward, bool(across < 0), pitch


def _slope(positions: Array) -> float:
    """Return the mean step of positions, NaN if fewer than two are known."""
    known = np.flatnonzero(np.isfinite(positions))
    if known.size < 2:
        return float("nan")
    first, last = known[0], known[-1]
    return float((positions[last] - positions[first]) / (last - first))


def _snap(measured: float, size: float, count: int) -> float:
    """Return the exact pitch that the header means, or the measured one if it means neither."""
    for exact in (size / count, size / (count - 1)):
        if abs(measured - exact) < PITCH_TOLERANCE * exact:
            return exact
    return measured if np.isfinite(measured) and measured > 0 else size / count


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
    return [
        Channel(name, np.mean([sweep.values for sweep in group], axis=0), group[0].units)
        for name, group in sweeps.items()
        if name not in present
    ]


def _check_recorded_bias(channels: list[Channel], bias_mV: Array, notes: list[str]) -> None:
    """Say so if a recorded bias is not the bias of the sweep."""
    span = float(np.ptp(bias_mV))
    for name, values, units in channels:
        if not name.lower().startswith("bias") or "[" in name or units != "V":
            continue
        finite = np.isfinite(values).all(axis=0)
        if not finite.any():
            continue
        recorded = 1e3 * values[:, finite].mean(axis=1, dtype=np.float64)
        if np.max(np.abs(recorded - bias_mV)) > 0.05 * span:
            notes.append(
                f"{name} was recorded from {recorded[0]:.3g} to {recorded[-1]:.3g} mV, the sweep"
                f" is stated from {bias_mV[0]:.3g} to {bias_mV[-1]:.3g} mV and is used"
            )


def _date(header: dict[str, str]) -> str | None:
    text = header.get("Start time") or header.get("Date") or ""
    try:
        return datetime.strptime(text, "%d.%m.%Y %H:%M:%S").isoformat()
    except ValueError:
        return None


READER = Reader("Nanonis grid", (".3ds",), recognises, read)
