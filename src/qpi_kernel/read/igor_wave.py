"""Igor waves with 2 or 3 dimensions, as files and packed experiments hold them; by igor2."""

import io
import logging
import math
import re
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, covered
from qpi_kernel.read.recording import Channel, ReadError, Source
from qpi_kernel.read.units import millivolts, nanometres

# igor2 logs each flaw of a damaged file; without a handler Python would print them all.
logging.getLogger("igor2").addHandler(logging.NullHandler())

# Version 5, the one with dimensions: its two headers, whose 16-bit words add up to 0.
VERSION, HEADER_BYTES = 5, 384

Array = npt.NDArray[Any]


class Wave(NamedTuple):
    """A map: its channel, (bias, y, x) or (y, x), and its axes as far as the wave states them."""

    channel: Channel
    bias_mV: Array | None
    axes_nm: tuple[Array, Array] | None
    note: str


def is_wave(content: bytes) -> bool:
    """Tell a wave by its version and the checksum of its headers, in either byte order."""
    return _byte_order(content) is not None


def _byte_order(content: bytes) -> str | None:
    if len(content) < HEADER_BYTES:
        return None
    for order in "<>":
        words = np.frombuffer(content, f"{order}i2", HEADER_BYTES // 2)
        if words[0] == VERSION and int(words.sum(dtype=np.int64)) % 2**16 == 0:
            return order
    return None


def _sizes_fit(content: bytes) -> bool:
    """Tell whether the sizes in the headers fit into the file: igor2 asks for memory by them."""
    order = _byte_order(content)
    if order is None:
        return False
    parts = struct.unpack_from(f"{order}15i", content, 4)
    (points,) = struct.unpack_from(f"{order}i", content, 76)
    shape = struct.unpack_from(f"{order}4i", content, 132)
    claims = (*parts, points, *shape, math.prod(size for size in shape if size > 0))
    return all(0 <= claim <= len(content) for claim in claims)


def read_waves(source: Source, contents: Sequence[bytes]) -> xr.Dataset:
    """Return the waves that share the grid of the first grid of spectra, or else of the first map.

    Raises
    ------
    ReadError
        If igor2 is not installed, a wave is damaged, or none is a map.
    """
    waves, problem = [], None
    for content in contents:
        try:
            waves.append(_wave(source, content))
        except ReadError as error:
            problem = problem or error
    if not waves:
        raise problem or source.error("waves", "none", "save the map as a wave")
    first = max(waves, key=lambda wave: wave.channel.values.ndim)
    same = [wave for wave in waves if _fits(wave, first)]
    notes = []
    if len(contents) > len(same):
        notes.append(f"{len(contents) - len(same)} waves of another kind or grid were left out")
    missing = re.search(r"Stripped (\d{1,9}) incomplete line", first.note)
    if missing:
        notes.append(f"scan unfinished: {missing[1]} rows are not in the file")
    axes = first.axes_nm
    return build_dataset(
        source,
        [wave.channel for wave in same],
        bias_mV=first.bias_mV,
        size_nm=None if axes is None else (covered(axes[0]), covered(axes[1])),
        axes_nm=axes,
        facts={},
        notes=notes,
    )


def _fits(wave: Wave, first: Wave) -> bool:
    if wave.channel.values.shape[-2:] != first.channel.values.shape[-2:]:
        return False
    if wave.bias_mV is not None and (
        first.bias_mV is None or not np.array_equal(wave.bias_mV, first.bias_mV)
    ):
        return False
    if wave.axes_nm is None or first.axes_nm is None:
        return wave.axes_nm is first.axes_nm
    pairs = zip(wave.axes_nm, first.axes_nm, strict=True)
    return all(np.allclose(mine, other, rtol=1e-6, atol=1e-9) for mine, other in pairs)


def _wave(source: Source, content: bytes) -> Wave:
    wave = _load(source, content)
    header = wave["wave_header"]
    values = np.asarray(wave["wData"])
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu" or min(values.shape) < 1:
        raise source.error(
            "a wave of real numbers along x, y and perhaps bias",
            f"{values.dtype} of shape {values.shape}",
            "save the map as such a wave",
        )
    axes = [_axis(header, place, size) for place, size in enumerate(values.shape)]
    bias_mV = axes_nm = None
    if values.ndim == 3:
        axis, unit = axes[2]
        factor = millivolts(unit)
        if factor is None:
            raise source.error(
                "a bias axis in V or mV as third dimension",
                f"the unit {unit!r}",
                "set the scale of the layers in Igor",
            )
        bias_mV = np.round(axis * factor, 4)
    scale = [nanometres(unit) for _, unit in axes[:2]]
    if scale[0] is not None and scale[1] is not None:
        axes_nm = (axes[0][0] * scale[0], axes[1][0] * scale[1])
    name = _text(header["bname"]) or "wave"
    channel = Channel(name, values.T, _unit(header["dataUnits"]) or "a.u.")
    return Wave(channel, bias_mV, axes_nm, _text(wave.get("note", b"")))


def _load(source: Source, content: bytes) -> dict[str, Any]:
    try:
        from igor2 import binarywave
    except ImportError:
        raise source.error(
            "the package igor2", "none", 'run pip install "napari-qpi-kernel[igor]"'
        ) from None
    if not _sizes_fit(content):
        raise source.error(
            "a wave of version 5 whose sizes fit", "damaged headers", "copy it again"
        )
    try:
        loaded: dict[str, Any] = binarywave.load(io.BytesIO(content))["wave"]
    except Exception as error:
        # On damaged bytes igor2 raises nearly anything, from KeyError to ValueError.
        raise source.error(
            "an Igor wave", f"damaged data ({error})"[:120], "copy it again"
        ) from None
    return loaded


def _axis(header: dict[str, Any], place: int, size: int) -> tuple[npt.NDArray[np.float64], str]:
    step, start = float(header["sfA"][place]), float(header["sfB"][place])
    return start + step * np.arange(size, dtype=np.float64), _unit(header["dimUnits"][place])


def _unit(characters: npt.NDArray[np.bytes_]) -> str:
    return _text(b"".join(np.atleast_1d(characters).tolist()))


def _text(raw: bytes) -> str:
    return bytes(raw).split(b"\0")[0].decode("latin-1").strip()
