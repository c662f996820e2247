"""WSxM images (.stp, .top, .cur): a text header, then little-endian values."""

import re

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_dataset
from qpi_kernel.read.recording import Channel, Reader, Source, in_milli, integer, number
from qpi_kernel.read.units import displayed, nanometres

MAGIC = re.compile(rb"WSxM file copyright[^\n]*\n\s*SxM Image file", re.IGNORECASE)
HEADER_END = b"[Header end]"
TYPES = {"short": "<i2", "float": "<f4", "double": "<f8"}


def recognises(content: bytes) -> bool:
    """Tell the file by its first two lines."""
    return MAGIC.match(content[:1000]) is not None


def read(source: Source) -> xr.Dataset:
    """Read an image, whose values begin at the bottom right corner.

    The values span "Z Amplitude", whatever their type: WSxM keeps no other scale with them.

    Raises
    ------
    ReadError
        If the header or the values are not there, or the image is flat.
    """
    end = source.content.find(HEADER_END)
    if end < 0 or not recognises(source.content):
        raise source.error("a header that ends with [Header end]", "none", "copy the file again")
    lines = source.content[:end].decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines)
    header = {key.strip().lower(): value.strip() for key, _, value in pairs}
    nx, ny = (integer(header.get(f"number of {name}")) or 0 for name in ("columns", "rows"))
    kind = header.get("image data type", "short").lower()
    if min(nx, ny) < 1 or kind not in TYPES:
        raise source.error(
            "Number of columns and rows, and values of type short, float or double",
            f"{nx} x {ny} values of type {kind[:20]}",
            "save the image again in WSxM",
        )
    start = source.content.find(b"\n", end) + 1
    dtype = np.dtype(TYPES[kind])
    present = len(source.content) - start if start else 0
    if present < nx * ny * dtype.itemsize:
        raise source.error(
            f"{nx * ny * dtype.itemsize} bytes of values", f"{present}", "copy the file again"
        )
    image = np.frombuffer(source.content, dtype, nx * ny, start).reshape(ny, nx)[:, ::-1]
    values, units = _scaled(image.astype(np.float64), header.get("z amplitude", ""))
    size = [_length_nm(header.get(f"{axis} amplitude")) for axis in "xy"]
    bias_V = number(header.get("topography bias"))
    current = re.match(r"\s*(\S+)\s*(\S+)", header.get("set point", ""))
    factor, unit = displayed(current[2]) if current else (1.0, "")
    setpoint = number(current[1]) if current and unit == "pA" else None
    in_mV = header.get("topography bias", "").endswith("mV")
    bias_mV = bias_V if in_mV else in_milli(bias_V)
    return build_dataset(
        source,
        [Channel(header.get("acquisition channel") or "topography", values, units)],
        bias_mV=bias_mV,
        size_nm=None if size[0] is None or size[1] is None else (size[0], size[1]),
        facts={
            "angle_deg": number(header.get("angle")),
            "setpoint_bias_mV": bias_mV,
            "setpoint_current_pA": None if setpoint is None else round(setpoint * factor, 6),
        },
    )


def _scaled(image: np.ndarray, amplitude: str) -> tuple[np.ndarray, str]:
    """Return the values from 0 to the amplitude in its unit; as stored if it states none."""
    height, unit = number(amplitude), amplitude.rpartition(" ")[2]
    span = float(np.ptp(image)) if np.isfinite(image).all() else 0.0
    if height is None or span == 0 or unit == amplitude:
        return image, "a.u."
    return (image - image.min()) * (height / span), unit


def _length_nm(entry: str | None) -> float | None:
    length = number(entry)
    factor = nanometres((entry or "").rpartition(" ")[2])
    return None if length is None or factor is None else round(length * factor, 9)


READER = Reader("WSxM image", (".stp", ".top", ".cur"), recognises, read)
