"""Scienta Omicron MATRIX result files (*.I_mtrx, *.I(V)_mtrx), through access2theMatrix.

Each channel is a file of its own; the channels of one run lie side by side, and the parameters of
a session in its file *_0001.mtrx.
"""

import re
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, build_spectra
from qpi_kernel.read.recording import Channel, Reader, ReadError, Source, in_milli

MAGIC = b"ONTMATRX0101"
RESULT = re.compile(r"(.+--\d+_\d+\.)(.+)_mtrx", re.IGNORECASE)
PARAMETERS = "EEPA::"
# access2theMatrix keeps each value as a Python number for a while.
BYTES_PER_VALUE = 16
# How its four frames are called here, and the two ways of a voltage ramp.
FRAMES = {
    "forward/up": "",
    "backward/up": " [bwd]",
    "forward/down": " [down]",
    "backward/down": " [down] [bwd]",
}
RAMPS = {"trace": "", "retrace": " [retrace]"}


def recognises(content: bytes) -> bool:
    """Tell MATRIX files by their first bytes."""
    return content.startswith(MAGIC)


def read(source: Source) -> xr.Dataset:
    """Read the channels of one run: images, a grid of spectra (volume CITS), or a point spectrum.

    The first line of an image is the bottom one; frames scanned downwards become channels of their
    own, as do backward traces and the way back of a voltage ramp.

    Raises
    ------
    ReadError
        If access2theMatrix is not installed, the parameters are not beside the file, or it holds
        neither images nor spectra along the bias.
    """
    named = RESULT.fullmatch(source.name)
    if named is None:
        raise source.error(
            "a result file, with a name such as default--1_1.I_mtrx",
            "a file of parameters" if source.name.lower().endswith(".mtrx") else "another name",
            "choose a file whose name ends with _mtrx",
        )
    run = _open(source, source.path)
    runs = {named[2]: run}
    left_out = 0
    for path in sorted(source.path.parent.glob("*_mtrx")):
        other = RESULT.fullmatch(path.name)
        if other is None or other[1] != named[1] or path.name == source.name:
            continue
        try:
            sibling = _open(source, path)
        except ReadError:
            left_out += 1
            continue
        if sibling.object_type == run.object_type and _shape(sibling) == _shape(run):
            runs[other[2]] = sibling
        else:
            left_out += 1
    notes = [f"{left_out} channels on another grid were left out"] if left_out else []
    if run.object_type == "image":
        return _images(source, runs, run, notes)
    swept = run.x_data_name_and_unit if run.object_type == "curve" else run.z_data_name_and_unit
    if swept[1] != "Volt":
        raise source.error("a sweep of the bias", "another sweep", "choose a bias spectrum")
    if run.object_type == "curve":
        return _curve(source, runs, run, notes)
    return _volume(source, runs, run, notes)


def _open(source: Source, path: Path) -> Any:
    """Return an opened MtrxData, or raise what its message says."""
    try:
        from access2thematrix import MtrxData
    except ImportError:
        raise source.error(
            "the package access2theMatrix", "none", 'run pip install "napari-qpi-kernel[matrix]"'
        ) from None

    class CheckedData(MtrxData):  # type: ignore[misc]  # ships no types
        """Looks at the sizes among the parameters before memory is asked for."""

        def _scan_raw_data(self, place: int, data: bytes) -> int:
            _check_sizes(source, self.param, len(self.raw_data))
            following: int = super()._scan_raw_data(place, data)
            return following

    run = CheckedData()
    try:
        _, message = run.open(str(path))
    except Exception as error:
        # Of damaged parameters only some become a message.
        run.scan, message = None, f"damaged parameters ({error!r})"[:120]
    if run.scan is None or (run.object_type == "volume CITS" and not run.volume_scan):
        beside = any(path.parent.glob(f"{path.name.rpartition('--')[0]}_0001.mtrx"))
        raise source.error(
            "a result file with its parameters",
            message.rstrip(".").lower() if beside else "no file *_0001.mtrx beside it",
            "copy it again" if beside else "keep the files of a session together",
        )
    return run


def _check_sizes(source: Source, parameters: Mapping[str, Any], size: int) -> None:
    def stated(name: str) -> int:
        value = parameters.get(PARAMETERS + name, [1])[0]
        return max(int(value), 1)

    points = max(stated(f"Spectroscopy.Device_{i}_Points") for i in (1, 2))
    pixels = stated("XYScanner.Points") * stated("XYScanner.Lines")
    pixels //= stated("XYScanner.Subgrid_X") * stated("XYScanner.Subgrid_Y")
    # Four frames of two ramps; a spectrum alone has no pixels.
    gridded = bool(parameters.get(PARAMETERS + "XYScanner.Enable_Subgrid", [False])[0])
    source.check_claim(BYTES_PER_VALUE * points * (8 * pixels if gridded else 1))


def _shape(run: Any) -> tuple[Any, ...]:
    if run.object_type != "volume CITS":
        return tuple(run.scan.shape[1:])
    return (*next(iter(run.volume_scan.values()))["trace"].shape, *run.scan[0][[0, -1]])


def _images(source: Source, runs: Mapping[str, Any], run: Any, notes: list[str]) -> xr.Dataset:
    _, _, (_, _, lines, scanned), _ = run.axis
    channels = []
    for name, opened in runs.items():
        for trace, image in zip(opened.traces, opened.scan, strict=False):
            rows, columns = image.shape
            frame = np.full((max(lines, rows), columns), np.nan)
            # What a frame scanned downwards did not reach are its lowest rows.
            first = max(2 * rows - scanned, 0) if "down" in trace else 0
            frame[first:rows] = image[first:]
            channels.append(Channel(name + FRAMES[trace], frame, opened.channel_name_and_unit[1]))
    return build_dataset(
        source,
        channels,
        bias_mV=_facts(source, run)["setpoint_bias_mV"],
        size_nm=_size_nm(run),
        unit_of_progress="rows",
        facts=_facts(source, run),
        notes=notes,
    )


def _volume(source: Source, runs: Mapping[str, Any], run: Any, notes: list[str]) -> xr.Dataset:
    channels = [
        Channel(
            name + FRAMES[trace] + RAMPS[ramp],
            np.moveaxis(values, 2, 0),
            opened.channel_name_and_unit[1],
        )
        for name, opened in runs.items()
        for trace, ramps in opened.volume_scan.items()
        for ramp, values in ramps.items()
        if values is not None
    ]
    return build_dataset(
        source,
        channels,
        bias_mV=np.round(1e3 * run.scan[0], 6),
        size_nm=_size_nm(run),
        facts=_facts(source, run),
        notes=notes,
    )


def _curve(source: Source, runs: Mapping[str, Any], run: Any, notes: list[str]) -> xr.Dataset:
    channels = []
    for name, opened in runs.items():
        points, recorded = opened.scan.shape[1], opened.data_item_count
        for ramp, values in zip(RAMPS.values(), opened.scan[1:], strict=False):
            curve = np.array(values, dtype=np.float64)
            # access2theMatrix repeats the values of a curve that was cut.
            missing = slice(recorded, None) if not ramp else slice(0, max(2 * points - recorded, 0))
            curve[missing] = np.nan
            channels.append(Channel(name + ramp, curve[:, None], opened.channel_name_and_unit[1]))
    place = run.param.get("MARK::MTRX.STS_LOCATION")
    return build_spectra(
        source,
        channels,
        bias_mV=np.round(1e3 * run.scan[0], 6),
        xy_nm=1e9 * np.array([place[2:4]], dtype=np.float64) if place else None,
        facts=_facts(source, run),
        notes=notes,
    )


def _stated(run: Any, name: str, unit: str) -> float | None:
    value, found = run.param.get(PARAMETERS + name, [None, ""])
    return float(value) if isinstance(value, int | float) and found == unit else None


def _size_nm(run: Any) -> tuple[float, float] | None:
    width, height = (_stated(run, f"XYScanner.{edge}", "Meter") for edge in ("Width", "Height"))
    if width is None or height is None:
        return None
    return round(1e9 * width, 6), round(1e9 * height, 6)


def _facts(source: Source, run: Any) -> dict[str, Any]:
    current_A = _stated(run, "Regulator.Setpoint_1", "Ampere")
    return {
        "angle_deg": _stated(run, "XYScanner.Angle", "Degree"),
        "setpoint_bias_mV": in_milli(_stated(run, "GapVoltageControl.Voltage", "Volt")),
        "setpoint_current_pA": None if current_A is None else round(current_A * 1e12, 6),
        "date": _date(source.content),
    }


def _date(content: bytes) -> str | None:
    """Return when the file was written, which follows the first block of its content."""
    try:
        return datetime.fromtimestamp(struct.unpack_from("<Q", content, 20)[0], UTC).isoformat()
    except (struct.error, OverflowError, OSError, ValueError):
        return None


READER = Reader("Omicron MATRIX", ("_mtrx", ".mtrx"), recognises, read)
