"""Arrays from NumPy: .npz with `values`, `x_nm`, `y_nm`, `bias_mV`, or a bare .npy."""

import io
import math
import zipfile
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, covered
from qpi_kernel.read.recording import Channel, Reader, ReadError, Source

NPY_MAGIC = b"\x93NUMPY"
NAMES = ("values", "x_nm", "y_nm", "bias_mV", "units")
LAYOUT = "values (bias, y, x) or (y, x), x_nm, y_nm, bias_mV and optionally units"

Array = npt.NDArray[Any]


def recognises(content: bytes) -> bool:
    """Tell NumPy files by their first bytes; an .npz is a zip archive of .npy files."""
    return content.startswith(NPY_MAGIC) or (
        content.startswith(b"PK\x03\x04") and b".npy" in content[:256]
    )


def read(source: Source) -> xr.Dataset:
    """Read a map from an array file.

    An .npz holds `values` (bias, y, x) or (y, x), the axes `x_nm`, `y_nm`, `bias_mV` and
    optionally `units`; other arrays in it are left alone. A .npy, or an .npz without x_nm and
    y_nm, needs the size given by hand and has row 0 at the smallest y. Nothing is unpickled.

    Raises
    ------
    ReadError
        If an array is missing, damaged, not numeric, or does not fit the others.
    """
    arrays = _arrays(source)
    if "values" not in arrays:
        raise source.error(
            f"the arrays {LAYOUT}", f"only {', '.join(sorted(arrays)) or 'others'}", "save them so"
        )
    values = arrays["values"]
    if values.dtype.kind not in "fiu" or values.ndim not in (2, 3) or 0 in values.shape:
        raise source.error(
            "real values (bias, y, x) or (y, x)",
            f"{values.dtype} of shape {values.shape}",
            f"save {LAYOUT}",
        )
    values = values.astype(np.float32).reshape(-1, *values.shape[-2:])
    bias_mV = _axis(source, arrays, "bias_mV", values.shape[0])
    if bias_mV is None and values.shape[0] > 1:
        raise source.error(
            f"bias_mV of {values.shape[0]} slices", "no biases", f"save an .npz with {LAYOUT}"
        )
    x = _axis(source, arrays, "x_nm", values.shape[2])
    y = _axis(source, arrays, "y_nm", values.shape[1])
    units = arrays.get("units")
    return build_dataset(
        source,
        [Channel("values", values, str(units) if units is not None else "a.u.")],
        bias_mV=bias_mV,
        size_nm=None if x is None or y is None else (covered(x), covered(y)),
        axes_nm=None if x is None or y is None else (x, y),
        facts={},
    )


def _arrays(source: Source) -> dict[str, Array]:
    if not recognises(source.content):
        raise source.error("a NumPy file", f"{source.content[:8]!r}", "save it with numpy.savez")
    if source.content.startswith(NPY_MAGIC):
        return {"values": _array(source, source.content)}
    try:
        with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            for name in NAMES:
                source.check_claim(entries[name].file_size if name in entries else 0)
            raw = {name: archive.read(entries[name]) for name in NAMES if name in entries}
    except ReadError:
        raise
    except Exception:
        # On damaged archives zipfile raises nearly anything, from KeyError to NotImplementedError.
        raise source.error("an .npz archive", "a damaged one", "save it again") from None
    return {name: _array(source, content) for name, content in raw.items()}


def _array(source: Source, content: bytes) -> Array:
    """Return the array of a .npy file without asking for memory that the file does not fill."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(stream)
        array = np.frombuffer(content, dtype, math.prod(shape), stream.tell())
        return array.reshape(shape, order="F" if fortran else "C")
    except (ValueError, LookupError, EOFError, TypeError, ArithmeticError, TokenError):
        raise source.error(
            "plain numbers in NumPy format", "damaged, cut or pickled values", "save them again"
        ) from None


def _axis(source: Source, arrays: dict[str, Array], name: str, count: int) -> Array | None:
    axis = arrays.get(name)
    if axis is None:
        return None
    if axis.dtype.kind not in "fiu" or axis.size != count:
        raise source.error(
            f"{count} numbers in {name}", f"{axis.dtype} of shape {axis.shape}", f"save {LAYOUT}"
        )
    return axis.astype(np.float64).reshape(-1)


READER = Reader("NumPy arrays", (".npz", ".npy"), recognises, read)
