"""The values of a map or a transform between its pixels."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import map_coordinates

from qpi_kernel.maps import pixel_nm

Array = npt.NDArray[np.floating[Any]]


def sample(field: xr.DataArray, y: Array, x: Array) -> Array:
    """Interpolate with cubic splines at the positions (y, x); NaN outside the window.

    Parameters
    ----------
    field : xarray.DataArray, (bias, y, x) or (bias, qy, qx), real
        A map, or a real part of a transform.
    y, x : array
        Positions [nm], or wave vectors [1/nm].

    Returns
    -------
    array, shape (bias, *y.shape)
        Values in the unit of the field; points that were not measured count as 0.
    """
    rows, columns = (
        (where - float(axis[0])) / step
        for where, axis, step in zip((y, x), _axes(field), steps(field), strict=True)
    )
    last_row, last_column = field.shape[1] - 1, field.shape[2] - 1
    # A pixel that a rotation by 90 degrees throws 1e-12 outside is still that pixel.
    edge = 1e-6
    outside = (rows < -edge) | (rows > last_row + edge)
    outside |= (columns < -edge) | (columns > last_column + edge)
    where = np.stack([np.clip(rows, 0, last_row), np.clip(columns, 0, last_column)])
    filled = np.nan_to_num(field.values.astype(float))
    samples = np.stack([map_coordinates(v, where, order=3, mode="mirror") for v in filled])
    samples[:, outside] = np.nan
    return samples


def steps(field: xr.DataArray) -> tuple[float, float]:
    """Return the pitch along the last two dimensions [nm, or 1/nm]."""
    if field.dims[1:] == ("y", "x"):
        return pixel_nm(field)
    first, second = ((float(axis[-1]) - float(axis[0])) / (axis.size - 1) for axis in _axes(field))
    return first, second


def _axes(field: xr.DataArray) -> tuple[Array, Array]:
    return field[field.dims[1]].values, field[field.dims[2]].values
