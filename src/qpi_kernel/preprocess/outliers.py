"""Outliers of a scan: single pixels and streaks along the fast axis."""

import numpy as np
import xarray as xr
from scipy.ndimage import binary_opening, median_filter

from qpi_kernel.maps import check_map
from qpi_kernel.preprocess.slices import (
    MAD_TO_SIGMA,
    Array,
    PreprocessError,
    each_slice,
    filled,
    robust_sigma,
)

# A column of five rows forgets streaks of one or two.
STREAK_ROWS = 5
COLUMN_ROWS = 15
SMOOTHED = 5


def despike(didv: xr.DataArray, threshold: float = 8.0) -> xr.DataArray:
    """Replace pixels far from the median of their 3 x 3 neighbourhood by this median.

    Far is more than `threshold` robust standard deviations of that difference over the slice.

    Raises
    ------
    PreprocessError
        If the threshold is not positive.
    """
    check_map(didv)
    _check_threshold("despike", threshold)

    def despike_plane(plane: Array) -> Array:
        measured = np.isfinite(plane)
        local = median_filter(filled(plane), size=3, mode="nearest")
        difference = np.where(measured, plane - local, 0.0)
        sigma = MAD_TO_SIGMA * np.median(np.abs(difference[measured])) or difference[measured].std()
        return np.where(np.abs(difference) > threshold * sigma, local, plane)

    return each_slice(despike_plane, didv)


def remove_streaks(didv: xr.DataArray, length: int = 12, threshold: float = 3.0) -> xr.DataArray:
    """Replace streaks, one or two rows high, by the median of the rows above and below.

    A streak is a run of pixels in a row whose difference from the median of their columns over five
    rows has one sign and exceeds `threshold` robust standard deviations, of the slice and of the
    column over 15 rows. Cores of scatterers are too short along x to count, and fronts of waves
    recur within the column.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    length : int
        Least length of a streak [px].
    threshold : float
        In robust standard deviations of the difference, smoothed along x.

    Raises
    ------
    PreprocessError
        If the threshold is not positive, or the length is not 3 to the width of the map.
    """
    check_map(didv)
    _check_threshold("remove_streaks", threshold)
    if not 3 <= length <= didv.sizes["x"]:
        raise PreprocessError(
            f"streaks of {length} px cannot be told in rows of {didv.sizes['x']} points: choose 3"
            f" to {didv.sizes['x']} px"
        )

    def calm_plane(plane: Array) -> Array:
        whole = filled(plane)
        column = median_filter(whole, size=(STREAK_ROWS, 1), mode="nearest")
        along = median_filter(whole - column, size=(1, SMOOTHED), mode="nearest")
        recurring = median_filter(np.abs(along), size=(COLUMN_ROWS, 1), mode="nearest")
        sigma = np.maximum(MAD_TO_SIGMA * recurring, robust_sigma(along) or float(along.std()))
        run = np.ones((1, length), dtype=bool)
        streak = np.zeros(plane.shape, dtype=bool)
        for sign in (-1, 1):
            streak |= binary_opening(sign * along > threshold * sigma, run)
        return np.where(streak & np.isfinite(plane), column, plane)

    return each_slice(calm_plane, didv)


def _check_threshold(step: str, threshold: float) -> None:
    if not threshold > 0:
        raise PreprocessError(f"the threshold of {step} must be positive, got {threshold:g}")
