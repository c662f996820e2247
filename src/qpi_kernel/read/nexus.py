"""NeXus (.nxs, .h5): the plottable data of an HDF5 file, found by its attributes."""

import io
import math
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, build_spectra, covered
from qpi_kernel.read.recording import Channel, Reader, ReadError, Source
from qpi_kernel.read.units import millivolts, nanometres

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def recognises(content: bytes) -> bool:
    """Tell NeXus by HDF5 and the names of its classes, which stand in the file as plain text."""
    return content.startswith(HDF5_MAGIC) and b"NX_class" in content and b"NXdata" in content


def read(source: Source) -> xr.Dataset:
    """Read the default signal of the default entry, with its axes.

    The axes are told by their units, lengths from biases, and x from y by their names. Without
    a default the first entry and its first data group count.

    Raises
    ------
    ReadError
        If the file is damaged, or its default signal is neither a map nor a spectrum.
    """
    try:
        with h5py.File(io.BytesIO(source.content), "r") as file:
            name, values, units, axes = _plottable(source, file)
    except ReadError:
        raise
    except Exception as error:
        # On damaged bytes the HDF5 stack raises nearly anything, from KeyError to RuntimeError.
        raise source.error("NeXus", f"damaged data ({error})"[:120], "copy it again") from None
    kinds = [_kind(axis_name, unit) for axis_name, _, unit in axes]
    if values.dtype.kind not in "fiu":
        raise source.error("real values", str(values.dtype), "save real values")
    if kinds == ["bias"] and values.shape == axes[0][1].shape:
        return build_spectra(
            source,
            [Channel(name, values[:, None], units)],
            bias_mV=np.round(axes[0][1].astype(np.float64) * (millivolts(axes[0][2]) or 1.0), 6),
            xy_nm=None,
            facts={},
        )
    if sorted(kinds) not in (["x", "y"], ["bias", "x", "y"]) or values.shape != tuple(
        axis.size for _, axis, _ in axes
    ):
        along = ", ".join(axis_name for axis_name, _, _ in axes) or "no axis"
        raise source.error(
            "a map along x, y and perhaps bias",
            f"{name} along {along} ({values.ndim} dimensions)",
            "choose a file whose default signal is a map",
        )
    scaled = {
        kind: np.asarray(axis, dtype=np.float64) * (millivolts(unit) or nanometres(unit) or 1.0)
        for kind, (_, axis, unit) in zip(kinds, axes, strict=True)
    }
    order = [kinds.index(kind) for kind in ("bias", "y", "x") if kind in kinds]
    return build_dataset(
        source,
        [Channel(name, values.transpose(order), units)],
        bias_mV=np.round(scaled["bias"], 6) if "bias" in scaled else None,
        size_nm=(covered(scaled["x"]), covered(scaled["y"])),
        axes_nm=(scaled["x"], scaled["y"]),
        facts={},
    )


def _plottable(
    source: Source, file: h5py.File
) -> tuple[str, npt.NDArray[Any], str, list[tuple[str, npt.NDArray[Any], str]]]:
    """Return name, values and unit of the default signal, and (name, values, unit) of its axes."""
    data = _default(_default(file, "NXentry"), "NXdata")
    signal = _text(data.attrs.get("signal")) if data is not None else ""
    stored = data.get(signal) if data is not None and signal else None
    if not isinstance(stored, h5py.Dataset):
        raise source.error("a default signal", "none", "name it in the attributes of the file")
    source.check_claim(math.prod(stored.shape) * max(stored.dtype.itemsize, 8))
    names = [_text(name) for name in np.atleast_1d(data.attrs.get("axes", []))]
    axes = []
    for name in names:
        axis = data.get(name)
        if isinstance(axis, h5py.Dataset) and axis.size <= stored.size:
            axes.append((name, np.atleast_1d(axis[()]), _text(axis.attrs.get("units"))))
    return signal, np.asarray(stored[()]), _text(stored.attrs.get("units")), axes


def _default(group: Any, kind: str) -> Any:
    """Return the child that the attribute "default" names, or else the first of a class."""
    if group is None:
        return None
    named = _text(group.attrs.get("default"))
    if named and isinstance(group.get(named), h5py.Group):
        return group[named]
    for child in group.values():
        if isinstance(child, h5py.Group) and _text(child.attrs.get("NX_class")) == kind:
            return child
    return None


def _kind(name: str, unit: str) -> str:
    if millivolts(unit) is not None:
        return "bias"
    letters = {letter for letter in "xy" if letter in name.lower()}
    return letters.pop() if nanometres(unit) is not None and len(letters) == 1 else "other"


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size == 1 else b""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


READER = Reader("NeXus", (".nxs", ".h5"), recognises, read)
