"""The one data type between stages: a dI/dV map on a calibrated grid.

A map is an `xarray.DataArray` with dimensions (bias, y, x), float32 values and the coordinates bias
[mV], y [nm] and x [nm], all increasing. NaN marks points that were not measured. A kernel is a map
whose y and x are centred on 0, the position of its scatterer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.errors import QpiError

DIMS = ("bias", "y", "x")
COORDINATE_UNITS = {"bias": "mV", "y": "nm", "x": "nm"}
# Headers give sizes with a few digits and float32 axes carry 1e-7 of noise; a real irregular grid
# is off by far more than a thousandth of a pixel.
GRID_TOLERANCE = 1e-3
# float32 resolves 1e-7: what varies less, relative to its size, is rounding.
FLAT = 1e-6


class MapError(QpiError):
    """A map, or a pair of maps, that does not have the form a stage needs."""


def make_map(
    values: npt.ArrayLike,
    *,
    bias_mV: Sequence[float] | npt.ArrayLike,
    y_nm: npt.ArrayLike,
    x_nm: npt.ArrayLike,
    units: str = "a.u.",
    name: str = "dI/dV",
    attrs: Mapping[str, Any] | None = None,
    copy: bool = True,
) -> xr.DataArray:
    """Build a map from plain arrays.

    Parameters
    ----------
    values : array_like, shape (bias, y, x) or (y, x)
        dI/dV (or topography, current) in `units`; NaN where nothing was measured.
    bias_mV : array_like, shape (bias,)
        Sample bias [mV]; a falling axis is turned round together with the values.
    y_nm, x_nm : array_like
        Positions of the pixel centres [nm], evenly spaced; a falling axis is turned round likewise.
    units : str
        Unit of the values, "nS", "pA", "pm", ... or "a.u." if uncalibrated.
    name : str
        Name of the channel.
    attrs : mapping, optional
        Further facts (set point, angle, source file).
    copy : bool
        False if nobody else uses `values`: a large grid then needs its memory only once.

    Returns
    -------
    xarray.DataArray
        A map that passes `check_map`.

    Raises
    ------
    MapError
        If shapes disagree or an axis is not evenly spaced and finite.

    Examples
    --------
    >>> import numpy as np
    >>> didv = make_map(np.zeros((2, 3)), bias_mV=[-20], y_nm=[0, 0.5], x_nm=[0, 0.5, 1.0])
    >>> didv.sizes["bias"], pixel_nm(didv)
    (1, (0.5, 0.5))
    """
    array = np.asarray(values, dtype=np.float32)
    if array.ndim == 2:
        array = array[None]
    axes = [np.atleast_1d(np.asarray(axis, dtype=np.float64)) for axis in (bias_mV, y_nm, x_nm)]
    if array.ndim != 3 or array.shape != tuple(axis.size for axis in axes):
        raise MapError(
            f"values have shape {array.shape}, but bias, y and x have "
            f"{axes[0].size}, {axes[1].size} and {axes[2].size} points"
        )
    if not np.all(np.isfinite(axes[0])):
        raise MapError("the bias axis has values that are not finite")
    if np.any(np.diff(axes[0]) < 0):
        order = np.argsort(axes[0], kind="stable")
        array, axes[0] = array[order], axes[0][order]
    for position in (1, 2):
        if axes[position].size > 1 and axes[position][1] < axes[position][0]:
            array, axes[position] = np.flip(array, position), axes[position][::-1]
    result = xr.DataArray(
        np.array(array, order="C", copy=copy or None),
        dims=DIMS,
        coords={
            dim: (dim, axis, {"units": COORDINATE_UNITS[dim]})
            for dim, axis in zip(DIMS, axes, strict=True)
        },
        name=name,
        attrs={**(attrs or {}), "units": units},
    )
    check_map(result)
    return result


def check_map(didv: xr.DataArray) -> None:
    """Raise `MapError` unless `didv` is a map as this module describes it."""
    if not isinstance(didv, xr.DataArray):
        raise MapError(f"expected a map (xarray.DataArray), got {type(didv).__name__}")
    if didv.dims != DIMS:
        raise MapError(f"a map has the dimensions {DIMS}, this one has {didv.dims}")
    if didv.dtype != np.float32:
        raise MapError(f"a map holds float32 values, this one holds {didv.dtype}")
    if 0 in didv.shape:
        raise MapError(f"the map is empty: {dict(didv.sizes)}")
    if "units" not in didv.attrs:
        raise MapError("the map says no unit of its values (attrs['units'])")
    for dim in DIMS:
        if dim not in didv.coords:
            raise MapError(f"the map has no {dim} axis [{COORDINATE_UNITS[dim]}]")
        axis = np.asarray(didv[dim].values, dtype=float)
        if not np.all(np.isfinite(axis)):
            raise MapError(f"the {dim} axis has values that are not finite")
        steps = np.diff(axis)
        if dim == "bias":
            if np.any(steps < 0):
                raise MapError("the bias axis must increase")
        elif np.any(steps <= 0):
            raise MapError(f"the {dim} axis must increase")
        elif steps.size and np.ptp(steps) > GRID_TOLERANCE * float(np.mean(steps)):
            raise MapError(f"the {dim} axis is not evenly spaced")


def check_pattern(didv: xr.DataArray) -> None:
    """Raise `MapError` if all that was measured of a slice is one value."""
    for bias, values in zip(didv["bias"].values, didv.values, strict=True):
        measured = values[np.isfinite(values)].astype(np.float64)
        if measured.size and np.ptp(measured) <= FLAT * np.max(np.abs(measured)):
            raise MapError(
                f"the map is constant at {bias:g} mV: there is no pattern to extract a kernel from"
            )


def pixel_nm(didv: xr.DataArray) -> tuple[float, float]:
    """Return the pixel pitch (dy, dx) of a map [nm].

    Raises
    ------
    MapError
        If the map is a single row or column, which has no pitch.
    """
    if didv.sizes["y"] < 2 or didv.sizes["x"] < 2:
        raise MapError(
            f"a map needs at least 2 x 2 points, this one has {didv.sizes['y']} x {didv.sizes['x']}"
        )
    y, x = didv["y"].values, didv["x"].values
    return (
        round(float(y[-1] - y[0]) / (y.size - 1), 12),
        round(float(x[-1] - x[0]) / (x.size - 1), 12),
    )


def odd_pixels(window_nm: float, pixel: float) -> int:
    """Return the largest odd number of pixels of a pitch [nm] that a window holds, at least 1."""
    # A window that was given as so many pixels must not lose two of them by rounding.
    return 2 * max(0, int((window_nm / pixel - 1) / 2 + 1e-6)) + 1


def check_same_grid(first: xr.DataArray, second: xr.DataArray) -> None:
    """Raise `MapError` unless both maps lie on one (y, x) grid.

    xarray aligns coordinates by exact equality, so that axes 1e-9 nm apart give an empty result
    without a word; stages that combine maps call this and then work on the plain arrays.
    """
    for dim in ("y", "x"):
        a, b = first[dim].values, second[dim].values
        if a.size != b.size:
            raise MapError(f"the maps have {a.size} and {b.size} points along {dim}")
        step = abs(float(a[-1] - a[0])) / max(a.size - 1, 1) or 1.0
        if np.max(np.abs(a - b)) > GRID_TOLERANCE * step:
            raise MapError(f"the maps lie at different {dim} positions")


def crop(didv: xr.DataArray, region_nm: tuple[float, float, float, float]) -> xr.DataArray:
    """Cut a rectangle out of a map.

    Parameters
    ----------
    didv : xarray.DataArray
        A map.
    region_nm : (x0, y0, x1, y1)
        Two opposite corners [nm], in the coordinates of the map.

    Raises
    ------
    MapError
        If the rectangle lies outside the map or holds fewer than 2 x 2 points.
    """
    check_map(didv)
    x0, x1 = sorted((region_nm[0], region_nm[2]))
    y0, y1 = sorted((region_nm[1], region_nm[3]))
    y, x = didv["y"].values, didv["x"].values
    rows = np.flatnonzero((y >= y0) & (y <= y1))
    columns = np.flatnonzero((x >= x0) & (x <= x1))
    if rows.size < 2 or columns.size < 2:
        raise MapError(
            f"the region x {x0:g} to {x1:g} nm, y {y0:g} to {y1:g} nm holds fewer than 2 x 2 points"
            f" of the map (x {x[0]:g} to {x[-1]:g} nm, y {y[0]:g} to {y[-1]:g} nm)"
        )
    return didv.isel(
        y=slice(int(rows[0]), int(rows[-1]) + 1), x=slice(int(columns[0]), int(columns[-1]) + 1)
    )


def nearest_bias(didv: xr.DataArray, bias_mV: float) -> xr.DataArray:
    """Return the slice of a map nearest to a bias [mV], still as a map with one bias."""
    check_map(didv)
    if not np.isfinite(bias_mV):
        raise MapError(f"the bias {bias_mV} mV is not a finite number")
    index = int(np.argmin(np.abs(didv["bias"].values - bias_mV)))
    return didv.isel(bias=slice(index, index + 1))
