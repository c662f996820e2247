"""Nanonis images (.sxm): a tagged text header, then big-endian float32 images."""

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_dataset
from qpi_kernel.read.nanonis_header import date_of, module_facts
from qpi_kernel.read.recording import Channel, Reader, Source, in_milli, integer, number

HEADER_END = b":SCANIT_END:"
DATA_MARK = b"\x1a\x04"


def recognises(content: bytes) -> bool:
    """Tell a Nanonis image by the first tag of its header."""
    return content[:64].lstrip().startswith(b":NANONIS_VERSION:")


def read(source: Source) -> xr.Dataset:
    """Read a Nanonis image.

    Row 0 of the file is the top of the frame when the scan ran down and the bottom when it ran up;
    backward traces are stored mirrored and are turned round here. Channels are named as Nanonis
    lists them: "Z (m)", "LIY 1 omega (A)", "LIY 1 omega [bwd] (A)". Images missing at the end of
    an aborted file are NaN.

    Raises
    ------
    ReadError
        If the header or the values are not there.
    """
    end = source.content.find(HEADER_END)
    start = source.content.find(DATA_MARK, end)
    if end < 0 or start < 0:
        raise source.error(
            "a header that ends with :SCANIT_END:", "no such header", "copy the file again"
        )
    header = _header(source.content[:end].decode("latin-1"))
    pixels = header.get("SCAN_PIXELS", "").split()
    nx, ny = (integer(text) or 0 for text in ([*pixels, "", ""])[:2])
    if min(nx, ny) < 1:
        raise source.error(
            "SCAN_PIXELS in the header", " ".join(pixels) or "nothing", "copy the file again"
        )
    kind = " ".join(header.get("SCANIT_TYPE", "FLOAT MSBFIRST").split())
    if kind != "FLOAT MSBFIRST":
        raise source.error("values of type FLOAT MSBFIRST", kind[:40], "export the scan again")
    traces = _traces(header.get("DATA_INFO", ""))
    source.check_claim(4 * nx * ny * len(traces))

    values = np.full(len(traces) * ny * nx, np.nan, dtype=np.float32)
    body = source.content[start + len(DATA_MARK) :]
    present = np.frombuffer(body[: len(body) // 4 * 4], dtype=">f4")[: values.size]
    values[: present.size] = present
    images = values.reshape(len(traces), ny, nx)
    if header.get("SCAN_DIR", "down").strip().lower() != "up":
        images = images[:, ::-1]
    channels = [
        Channel(name, image[:, ::-1] if backward else image, units)
        for (name, units, backward), image in zip(traces, images, strict=True)
    ]
    extent = [number(text) for text in ([*header.get("SCAN_RANGE", "").split(), "", ""])[:2]]
    facts = module_facts(header)
    bias_mV = in_milli(number(header.get("BIAS"))) or facts["setpoint_bias_mV"]
    return build_dataset(
        source,
        channels,
        bias_mV=bias_mV,
        size_nm=None
        if extent[0] is None or extent[1] is None
        else (round(extent[0] * 1e9, 9), round(extent[1] * 1e9, 9)),
        unit_of_progress="rows",
        facts={
            "angle_deg": number(header.get("SCAN_ANGLE")),
            **facts,
            "setpoint_bias_mV": bias_mV,
            "setpoint_current_pA": facts["setpoint_current_pA"] or _controller_pA(header),
            "date": date_of(f"{header.get('REC_DATE', '').strip()} {header.get('REC_TIME', '')}"),
        },
    )


def _header(text: str) -> dict[str, str]:
    """Return the tags with the lines below each; a tag that comes twice counts as last written."""
    entries: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if len(line) > 2 and line.startswith(":") and line.endswith(":"):
            lines = entries[line[1:-1]] = []
        else:
            lines.append(line)
    return {name: "\n".join(lines).strip("\r\n") for name, lines in entries.items()}


def _traces(table: str) -> list[tuple[str, str, bool]]:
    """Return (name, unit, backward) of the images in file order."""
    traces = []
    for line in table.splitlines()[1:]:
        cells = line.strip("\t\r").split("\t")
        if len(cells) < 4:
            continue
        name, units = cells[1].replace("_", " "), cells[2]
        if cells[3] != "backward":
            traces.append((f"{name} ({units})", units, False))
        if cells[3] != "forward":
            traces.append((f"{name} [bwd] ({units})", units, True))
    return traces


def _controller_pA(header: dict[str, str]) -> float | None:
    """Return the set-point current in the table of the controller."""
    cells = [line.split("\t") for line in header.get("Z-CONTROLLER", "").splitlines()]
    if len(cells) > 1 and "Setpoint" in cells[0]:
        entry = "".join(cells[1][cells[0].index("Setpoint") :][:1]).strip()
        value = number(entry)
        if value is not None and entry.endswith("A"):
            return round(value * 1e12, 6)
    return None


READER = Reader("Nanonis image", (".sxm",), recognises, read)
