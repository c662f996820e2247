"""Gwyddion Simple Field (.gsf): a text header, then little-endian float32 values."""

import re

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_dataset
from qpi_kernel.read.recording import Channel, Reader, Source, integer, number

MAGIC = b"Gwyddion Simple Field 1."


def recognises(content: bytes) -> bool:
    """Tell .gsf by its first line."""
    return content.startswith(MAGIC)


def read(source: Source) -> xr.Dataset:
    """Read a field whose first row is the top of the picture, the row of the largest y.

    The y axis of Gwyddion points down: a row at Y there is at y = -Y here. The bias is read from
    a title that ends with "at -12 mV", as this library writes it.

    Raises
    ------
    ReadError
        If the header or values are missing.
    """
    end = source.content.find(b"\0")
    if not recognises(source.content) or end < 0:
        raise source.error(
            "a header that begins with 'Gwyddion Simple Field' and ends with NUL",
            f"{source.content[:24]!r}",
            "save the field again",
        )
    lines = source.content[:end].decode("utf-8", "replace").splitlines()[1:]
    header = {
        key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)
    }
    nx, ny = integer(header.get("XRes")) or 0, integer(header.get("YRes")) or 0
    start = len(source.content[:end]) // 4 * 4 + 4
    present = len(source.content) - start
    if min(nx, ny) < 1 or present < 4 * nx * ny:
        raise source.error(
            f"{nx} x {ny} values of 4 bytes", f"{max(present, 0)} bytes", "save the field again"
        )
    values = np.frombuffer(source.content, "<f4", nx * ny, start).reshape(ny, nx)[::-1]
    size = axes = None
    width, height = number(header.get("XReal")), number(header.get("YReal"))
    if width is not None and height is not None and header.get("XYUnits", "m") == "m":
        size = (round(width * 1e9, 9), round(height * 1e9, 9))
        left, top = (1e9 * (number(header.get(key)) or 0.0) for key in ("XOffset", "YOffset"))
        dx, dy = size[0] / nx, size[1] / ny
        axes = (
            left + (np.arange(nx) + 0.5) * dx,
            -(top + (np.arange(ny)[::-1] + 0.5) * dy),
        )
    title = header.get("Title", "")
    bias = re.search(r" at (\S+) mV\b", title)
    return build_dataset(
        source,
        [Channel("values", values, header.get("Units") or header.get("ZUnits") or "a.u.")],
        bias_mV=number(bias[1]) if bias else None,
        size_nm=size,
        axes_nm=axes,
        facts={},
    )


READER = Reader("Gwyddion Simple Field", (".gsf",), recognises, read)
