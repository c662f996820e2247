"""Levelling: smooth surfaces and the offsets of rows are subtracted."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.maps import check_map, check_same_grid
from qpi_kernel.preprocess.slices import MAD_TO_SIGMA, Array, PreprocessError, each_slice

CLIP_SIGMA = 3.0
CLIP_ROUNDS = 2


def level(didv: xr.DataArray, degree: int = 1, masked: xr.DataArray | None = None) -> xr.DataArray:
    """Subtract a polynomial surface sum_{i+j <= degree} c_ij x^i y^j from every slice.

    The fit is by least squares, repeated twice without the pixels that are more than three robust
    standard deviations off, so that the cores of scatterers do not tilt it.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    degree : int
        0 (the mean) to 3.
    masked : xarray.DataArray, (bias, y, x), optional
        The map with NaN at the points that the surface shall not follow.

    Raises
    ------
    PreprocessError
        If the degree is not 0 to 3, or a slice has fewer points than the surface has terms.
    """
    check_map(didv)
    _check_degree(degree)
    y, x = (np.linspace(-1, 1, didv.sizes[dim]) for dim in ("y", "x"))
    terms = np.stack(
        [
            (y[:, None] ** j * x[None] ** i).ravel()
            for i in range(degree + 1)
            for j in range(degree + 1 - i)
        ],
        axis=-1,
    )

    def level_plane(plane: Array, shown: Array) -> Array:
        return plane - robust_fit(shown.ravel(), terms).reshape(plane.shape)

    return each_slice(level_plane, didv, _shown(didv, masked))


def level_rows(
    didv: xr.DataArray, degree: int = 0, masked: xr.DataArray | None = None
) -> xr.DataArray:
    """Subtract from every row its median (degree 0) or a robust polynomial along x.

    This takes away the jumps of the tip from line to line, and with them every wave that runs
    exactly along y.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    degree : int
        0 (the median) to 3.
    masked : xarray.DataArray, (bias, y, x), optional
        The map with NaN at the points that do not count; in a row that is masked throughout all
        points count.

    Raises
    ------
    PreprocessError
        If the degree is not 0 to 3, or a measured row has fewer points than terms.
    """
    check_map(didv)
    _check_degree(degree)
    terms = np.vander(np.linspace(-1, 1, didv.sizes["x"]), degree + 1)

    def level_plane(plane: Array, shown: Array) -> Array:
        result = plane.copy()
        for index in np.flatnonzero(np.isfinite(plane).any(axis=1)):
            row = shown[index] if np.isfinite(shown[index]).any() else plane[index]
            result[index] -= np.nanmedian(row) if degree == 0 else robust_fit(row, terms)
        return result

    return each_slice(level_plane, didv, _shown(didv, masked))


def robust_fit(values: Array, terms: Array) -> Array:
    """Return the least-squares fit of `terms` (point, term) to `values` without its outliers."""
    keep = np.isfinite(values)
    if keep.sum() < terms.shape[1]:
        raise PreprocessError(
            f"{int(keep.sum())} measured points do not fix a polynomial of {terms.shape[1]} terms:"
            " choose a lower degree or a larger region"
        )
    for round_ in range(CLIP_ROUNDS + 1):
        coefficients = np.linalg.lstsq(terms[keep], values[keep], rcond=None)[0]
        fit: Array = terms @ coefficients
        if round_ == CLIP_ROUNDS:
            break
        off = np.abs(values - fit)
        # A fit to less than half of the points would be one of the outliers.
        close = off <= CLIP_SIGMA * MAD_TO_SIGMA * np.median(off[keep])
        if 2 * close.sum() <= np.isfinite(values).sum() or close.sum() < terms.shape[1]:
            break
        keep = close
    return fit


def _shown(didv: xr.DataArray, masked: xr.DataArray | None) -> npt.NDArray[np.float32]:
    if masked is None:
        values: npt.NDArray[np.float32] = didv.values
        return values
    check_map(masked)
    check_same_grid(didv, masked)
    return np.where(np.isfinite(masked.values), didv.values, np.float32(np.nan))


def _check_degree(degree: Any) -> None:
    if degree not in (0, 1, 2, 3):
        raise PreprocessError(f"the degree of a levelling surface is 0 to 3, got {degree}")
