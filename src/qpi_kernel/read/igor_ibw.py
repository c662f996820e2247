"""Igor binary waves (.ibw) with 2 or 3 dimensions, through the package igor2."""

import io
import logging
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.recording import Channel, Reader, Source, build_dataset

# igor2 logs each flaw of a damaged file; without a handler Python would print them all.
logging.getLogger("igor2").addHandler(logging.NullHandler())

# Version 5, the one with dimensions: its two headers, whose 16-bit words add up to 0.
VERSION, HEADER_BYTES = 5, 384
NANOMETRES = {"m": 1e9, "nm": 1.0, "Å": 0.1, "A": 0.1}
MILLIVOLTS = {"V": 1e3, "mV": 1.0, "eV": 1e3, "meV": 1.0}


def recognises(content: bytes) -> bool:
    """Tell a wave by its version and the checksum of its headers, in either byte order."""
    if len(content) < HEADER_BYTES:
        return False
    words = (np.frombuffer(content, f"{order}i2", HEADER_BYTES // 2) for order in "<>")
    return any(w[0] == VERSION and int(w.sum(dtype=np.int64)) % 2**16 == 0 for w in words)


def read(source: Source) -> xr.Dataset:
    """Read a wave whose dimensions are x, y and, for a grid of spectra, the bias.

    Igor stores position = offset + step index with a unit along each dimension. Without a length
    unit the size must be given by hand; three dimensions need a bias in V or mV.

    Raises
    ------
    ReadError
        If igor2 is not installed, the file is damaged, or the wave is no map.
    """
    wave = _wave(source)
    header = wave["wave_header"]
    values = np.asarray(wave["wData"])
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu":
        raise source.error(
            "a wave of real numbers along x, y and perhaps bias",
            f"{values.dtype} of shape {values.shape}",
            "save the map as such a wave",
        )
    axes = [_axis(header, place, size) for place, size in enumerate(values.shape)]
    note = _text(wave.get("note", b""))
    bias_mV = None
    if values.ndim == 3:
        axis, unit = axes[2]
        if unit not in MILLIVOLTS:
            raise source.error(
                "a bias axis in V or mV as third dimension",
                f"the unit {unit!r}",
                "set the scale of the layers in Igor",
            )
        bias_mV = np.round(axis * MILLIVOLTS[unit], 4)
    axes_nm = size_nm = None
    if axes[0][1] in NANOMETRES and axes[1][1] in NANOMETRES:
        x, y = (axis * NANOMETRES[unit] for axis, unit in axes[:2])
        axes_nm, size_nm = (x, y), (_extent(x), _extent(y))
    missing = re.search(r"Stripped (\d{1,9}) incomplete line", note)
    return build_dataset(
        source,
        [Channel(_text(header["bname"]) or "wave", values.T, _unit(header["dataUnits"]) or "a.u.")],
        bias_mV=bias_mV,
        size_nm=size_nm,
        axes_nm=axes_nm,
        facts={},
        notes=[f"scan unfinished: {missing[1]} rows are not in the file"] if missing else [],
    )


def _wave(source: Source) -> dict[str, Any]:
    try:
        from igor2 import binarywave
    except ImportError:
        raise source.error(
            "the package igor2", "none", 'run pip install "napari-qpi-kernel[igor]"'
        ) from None
    try:
        loaded: dict[str, Any] = binarywave.load(io.BytesIO(source.content))["wave"]
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


def _extent(axis: npt.NDArray[np.float64]) -> float:
    """Return the length that the points of an axis cover, half a pitch beyond both ends."""
    return round(abs(float(axis[-1] - axis[0])) * axis.size / max(axis.size - 1, 1), 6)


READER = Reader("Igor binary wave", (".ibw",), recognises, read)
