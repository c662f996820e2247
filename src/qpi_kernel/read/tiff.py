"""TIFF pictures with float or integer values; ImageJ stacks with unit, pixel size and biases."""

import io
import logging
import math
import re
from typing import Any

import numpy as np
import tifffile
import xarray as xr

from qpi_kernel.read.dataset import build_dataset
from qpi_kernel.read.recording import Channel, Reader, ReadError, Source, number
from qpi_kernel.read.units import nanometres

# tifffile logs each flaw of a damaged file; without a handler Python would print them all.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def recognises(content: bytes) -> bool:
    """Tell TIFF by its byte order mark and version."""
    return content[:4] in MAGIC


def read(source: Source) -> xr.Dataset:
    """Read a TIFF whose first row is the top of the picture, the row of the largest y.

    ImageJ states the pixel size as unit and pixels per unit, the origin in pixels, and here the
    bias of each page as its label ("-12 mV"). Without a length unit the size must be given by
    hand.

    Raises
    ------
    ReadError
        If the file is damaged, coloured, states no size, or has several pages without biases.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(source.content)) as file:
            series = file.series[0]
            source.check_claim(math.prod(series.shape) * series.dtype.itemsize)
            values = np.squeeze(series.asarray())
            coloured = "S" in series.axes
            metadata = dict(file.imagej_metadata or {})
            tags = file.pages.first.tags
            resolution = [_ratio(tags.valueof(name)) for name in ("XResolution", "YResolution")]
    except ReadError:
        raise
    except Exception as error:
        # On damaged bytes tifffile and its codecs raise nearly anything.
        raise source.error("TIFF", f"damaged data ({error})"[:120], "copy it again") from None
    if coloured or values.ndim not in (2, 3) or values.dtype.kind not in "fiu" or not values.size:
        raise source.error(
            "a grey picture or a stack with one page per bias",
            f"{values.dtype} of shape {values.shape}",
            "export the values, not a coloured picture",
        )
    values = values.reshape(-1, *values.shape[-2:])[:, ::-1]
    ny, nx = values.shape[1:]
    pitch = _pitch_nm(metadata, resolution)
    axes = None
    if pitch is not None:
        left, top = number(str(metadata.get("xorigin"))), number(str(metadata.get("yorigin")))
        left, top = left or 0.0, ny - 1.0 if top is None else top
        axes = (
            (np.arange(nx) - left) * pitch[0],
            (top - np.arange(ny)[::-1]) * pitch[1],
        )
    return build_dataset(
        source,
        [Channel("values", values, _units(metadata))],
        bias_mV=_biases(source, metadata, len(values)),
        size_nm=None if pitch is None else (nx * pitch[0], ny * pitch[1]),
        axes_nm=axes,
        facts={},
    )


def _ratio(value: Any) -> float | None:
    """Return a resolution tag (numerator, denominator) as a number."""
    if not isinstance(value, tuple) or len(value) != 2 or 0 in value:
        return None
    return float(value[0]) / float(value[1])


def _pitch_nm(
    metadata: dict[str, Any], resolution: list[float | None]
) -> tuple[float, float] | None:
    factor = nanometres(str(metadata.get("unit", "")))
    if factor is None or resolution[0] is None or resolution[1] is None:
        return None
    # TIFF stores pixels per unit as a fraction of 32-bit numbers: seven digits are meant.
    return (
        float(f"{factor / resolution[0]:.9g}"),
        float(f"{factor / resolution[1]:.9g}"),
    )


def _biases(source: Source, metadata: dict[str, Any], count: int) -> list[float] | None:
    labels = metadata.get("Labels") or []
    found = [
        re.search(r"([-+]?\d[\d.]*(?:[eE][-+]?\d{1,3})?) ?(mV|V)\b", str(label))
        for label in ([labels] if isinstance(labels, str) else labels)
    ]
    if len(found) == count and all(found):
        values = [(number(match[1]), match[2]) for match in found if match is not None]
        return [(value or 0.0) * (1e3 if unit == "V" else 1.0) for value, unit in values]
    if count > 1:
        raise source.error(
            f"a bias in the label of each of {count} pages, such as '-12 mV'",
            "pages without bias",
            "save the map as .npz with bias_mV or as .nc",
        )
    return None


def _units(metadata: dict[str, Any]) -> str:
    match = re.search(r"^units = (.{1,20})$", str(metadata.get("Info", "")), re.MULTILINE)
    return match[1].strip() if match else "a.u."


READER = Reader("TIFF", (".tif", ".tiff"), recognises, read)
