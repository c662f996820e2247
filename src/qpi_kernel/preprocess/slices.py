"""What the steps share: a step that does not apply, and work slice by slice."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import distance_transform_edt

from qpi_kernel.errors import QpiError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MAD_TO_SIGMA = 1.4826  # for a normal distribution


class PreprocessError(QpiError):
    """A step that cannot be applied to a map."""


def each_slice(
    change: Callable[..., Array], didv: xr.DataArray, *others: npt.NDArray[Any]
) -> xr.DataArray:
    """Apply `change` to every slice with a measured point; attributes and axes stay.

    Parameters
    ----------
    change : callable
        From a slice (y, x), and the slices of `others` at the same bias, to a new slice (y, x).
    didv : xarray.DataArray, (bias, y, x)
        A map.
    others : array, (bias, y, x)
    """
    # Double precision slice by slice: a double copy of a stack is twice the stack.
    values = didv.values.copy()
    kinds = [np.result_type(other, np.float64) for other in others]
    for index, plane in enumerate(values):
        if np.isfinite(plane).any():
            beside = [other[index].astype(kind) for other, kind in zip(others, kinds, strict=True)]
            values[index] = change(plane.astype(np.float64), *beside)
    return didv.copy(data=values)


def filled(plane: Array) -> Array:
    """Return a slice with the nearest measured value where nothing was measured."""
    nearest = distance_transform_edt(
        ~np.isfinite(plane), return_distances=False, return_indices=True
    )
    result: Array = plane[tuple(nearest)]
    return result


def robust_sigma(values: Array) -> float:
    """Return the standard deviation of the bulk of finite values about their median."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0
    return float(MAD_TO_SIGMA * np.median(np.abs(finite - np.median(finite))))
