"""The values of a map or a transform between its pixels."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse
from scipy.ndimage import map_coordinates, spline_filter

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
    rows, columns, inside = _pixels(field, y, x)
    where = np.stack([rows, columns])
    filled = np.nan_to_num(field.values.astype(float))
    samples = np.stack([map_coordinates(v, where, order=3, mode="mirror") for v in filled])
    samples[:, ~inside] = np.nan
    return samples


def spline_sums(field: xr.DataArray, y: Array, x: Array) -> sparse.csr_array:
    """Return the matrix from spline coefficients to sums of the values along lines.

    For many fields on one grid this is `sample` and a sum at a small part of the cost: the places
    are looked up once.

    Parameters
    ----------
    field : xarray.DataArray, (bias, y, x) or (bias, qy, qx)
        Any field on the grid.
    y, x : array, shape (line, point)
        Positions [nm], or wave vectors [1/nm]; those outside the window add nothing.

    Returns
    -------
    scipy.sparse.csr_array, shape (line, pixel)
        To multiply with `spline_coefficients`.
    """
    rows, columns, inside = _pixels(field, y, x)
    line = np.broadcast_to(np.arange(y.shape[0])[:, None], y.shape)[inside]
    (first_row, row_weights), (first_column, column_weights) = (
        _cubic_weights(each[inside]) for each in (rows, columns)
    )
    height, width = field.shape[1:]
    total = sparse.csr_array((y.shape[0], height * width))
    for i in range(4):
        row = _mirrored(first_row + i, height)
        for j in range(4):
            pixel = row * width + _mirrored(first_column + j, width)
            weight = row_weights[i] * column_weights[j]
            total = total + sparse.csr_array((weight, (line, pixel)), shape=total.shape)
    return total


def spline_coefficients(values: Array) -> Array:
    """Return the cubic spline coefficients of images (bias, y, x), one column each; NaN is 0."""
    filled = np.nan_to_num(np.asarray(values, dtype=float))
    coefficients = [spline_filter(image, order=3, mode="mirror").ravel() for image in filled]
    return np.column_stack(coefficients)


def steps(field: xr.DataArray) -> tuple[float, float]:
    """Return the pitch along the last two dimensions [nm, or 1/nm]."""
    if field.dims[1:] == ("y", "x"):
        return pixel_nm(field)
    first, second = ((float(axis[-1]) - float(axis[0])) / (axis.size - 1) for axis in _axes(field))
    return first, second


def _axes(field: xr.DataArray) -> tuple[Array, Array]:
    return field[field.dims[1]].values, field[field.dims[2]].values


def _pixels(field: xr.DataArray, y: Array, x: Array) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return positions in pixels, moved into the window, and which of them were inside."""
    rows, columns = (
        (where - float(axis[0])) / step
        for where, axis, step in zip((y, x), _axes(field), steps(field), strict=True)
    )
    last_row, last_column = field.shape[1] - 1, field.shape[2] - 1
    # A pixel that a rotation by 90 degrees throws 1e-12 outside is still that pixel.
    edge = 1e-6
    inside = (rows > -edge) & (rows < last_row + edge)
    inside &= (columns > -edge) & (columns < last_column + edge)
    return np.clip(rows, 0, last_row), np.clip(columns, 0, last_column), inside


def _cubic_weights(place: Array) -> tuple[npt.NDArray[np.intp], tuple[Array, ...]]:
    """Return the first of four pixels around each place, and the weights of their coefficients."""
    whole = np.floor(place)
    t = place - whole
    weights = (
        (1 - t) ** 3 / 6,
        (4 - 6 * t**2 + 3 * t**3) / 6,
        (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6,
        t**3 / 6,
    )
    return whole.astype(np.intp) - 1, weights


def _mirrored(index: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Reflect indices at the centres of the outer pixels."""
    last = size - 1
    return np.asarray(last - np.abs(last - np.abs(index)))
