"""Preparing a map: despike, level, rows, resample.

Each step takes a map and returns a new one, slice by slice; NaN stays NaN.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field
from scipy.ndimage import distance_transform_edt, median_filter

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import check_map, check_pattern, make_map, pixel_nm
from qpi_kernel.settings import settings

Array = npt.NDArray[np.float64]

MAD_TO_SIGMA = 1.4826  # for a normal distribution
CLIP_SIGMA = 3.0
CLIP_ROUNDS = 2
# Low-pass that is flat to 0.5 and dark from 1.0 of the new Nyquist frequency, both to 0.5 %:
# Kaiser's formulas for 46 dB give this shape and half width in pixels of the coarser grid.
DOWN_CUTOFF = 0.75
KAISER_BETA = 4.1
HALF_WIDTH = 6
LARGEST_SIDE = 8192


class PreprocessError(QpiError):
    """A step that cannot be applied to a map."""


@settings
class PrepareSettings:
    """What to do to a map before the extraction, in the order in which it is done.

    Parameters
    ----------
    despike : bool
        Replace outlier pixels by the median of their neighbours.
    level_degree : int or None
        Degree of the polynomial surface that is subtracted; None subtracts nothing.
    level_rows : bool
        Subtract the median of every row.
    """

    despike: bool = Field(
        default=False, description="replace outlier pixels by their neighbours' median"
    )
    level_degree: int | None = Field(
        default=1, ge=0, le=3, description="degree of the surface to subtract, none to keep it"
    )
    level_rows: bool = Field(default=False, description="subtract the median of every row")


def prepare(didv: xr.DataArray, settings: PrepareSettings | None = None) -> xr.DataArray:
    """Apply the steps of `settings` to a map.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map; it is not changed.
    settings : PrepareSettings, optional
        By default a plane is subtracted.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        The prepared map; ``attrs["prepared"]`` lists the steps in words.

    Raises
    ------
    MapError
        If a slice is constant: levelled, its rounding errors would look like a pattern.
    """
    settings = settings or PrepareSettings()
    check_map(didv)
    check_pattern(didv)
    steps: list[str] = []
    if settings.despike:
        didv = despike(didv)
        steps.append("outlier pixels replaced by the local median")
    if settings.level_degree is not None:
        didv = level(didv, settings.level_degree)
        steps.append(f"surface of degree {settings.level_degree} subtracted")
    if settings.level_rows:
        didv = level_rows(didv)
        steps.append("median of every row subtracted")
    return didv.assign_attrs(prepared=steps)


def level(didv: xr.DataArray, degree: int = 1) -> xr.DataArray:
    """Subtract a polynomial surface sum_{i+j <= degree} c_ij x^i y^j from every slice.

    The fit is by least squares, repeated twice without the pixels that are more than three robust
    standard deviations off, so that the cores of scatterers do not tilt it.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    degree : int
        0 (the mean) to 3.

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
    return _each_slice(
        didv, lambda plane: plane - _robust_fit(plane.ravel(), terms).reshape(plane.shape)
    )


def level_rows(didv: xr.DataArray, degree: int = 0) -> xr.DataArray:
    """Subtract from every row its median (degree 0) or a robust polynomial along x.

    This takes away the jumps of the tip from line to line, and with them every wave that runs
    exactly along y.

    Raises
    ------
    PreprocessError
        If the degree is not 0 to 3, or a measured row has fewer points than terms.
    """
    check_map(didv)
    _check_degree(degree)
    terms = np.vander(np.linspace(-1, 1, didv.sizes["x"]), degree + 1)

    def level_plane(plane: Array) -> Array:
        result = plane.copy()
        for index in np.flatnonzero(np.isfinite(plane).any(axis=1)):
            row = result[index]
            row -= np.nanmedian(row) if degree == 0 else _robust_fit(row, terms)
        return result

    return _each_slice(didv, level_plane)


def despike(didv: xr.DataArray, threshold: float = 8.0) -> xr.DataArray:
    """Replace pixels far from the median of their 3 x 3 neighbourhood by this median.

    Far is more than `threshold` robust standard deviations of that difference over the slice.

    Raises
    ------
    PreprocessError
        If the threshold is not positive.
    """
    check_map(didv)
    if not threshold > 0:
        raise PreprocessError(f"the threshold of despike must be positive, got {threshold:g}")

    def despike_plane(plane: Array) -> Array:
        measured = np.isfinite(plane)
        # The nearest measured value stands in for a missing one within the median only.
        nearest = distance_transform_edt(~measured, return_distances=False, return_indices=True)
        local = median_filter(plane[tuple(nearest)], size=3, mode="nearest")
        difference = np.where(measured, plane - local, 0.0)
        sigma = MAD_TO_SIGMA * np.median(np.abs(difference[measured])) or difference[measured].std()
        return np.where(np.abs(difference) > threshold * sigma, local, plane)

    return _each_slice(didv, despike_plane)


def resample(didv: xr.DataArray, pixel: float) -> xr.DataArray:
    """Bring a map to square pixels of another size without aliasing.

    Every axis is convolved with a windowed sinc that passes waves up to half of the new Nyquist
    frequency unchanged and stops those above it (both to 1 %, away from the edges), and sampled at
    the new positions; on a finer grid it interpolates. Missing pixels have no weight, and the
    pixels nearest to them stay missing. At the edges the map is continued by reflection.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    pixel : float
        New pitch [nm]. The new map begins at the same edges; a rest smaller than a pixel is lost.

    Raises
    ------
    PreprocessError
        If the new map would have fewer than 2 or more than 8192 points along a side.
    """
    check_map(didv)
    old = pixel_nm(didv)
    new_axes, weights, nearest = [], [], []
    for dim, pitch in zip(("y", "x"), old, strict=True):
        count = didv.sizes[dim] * pitch / pixel if pixel > 0 else np.inf
        if not 2 <= count + 1e-6 < LARGEST_SIDE + 1:
            raise PreprocessError(
                f"pixels of {pixel:g} nm do not suit a map of {didv.sizes[dim] * pitch:g} nm along"
                f" {dim}: choose them between {didv.sizes[dim] * pitch / LARGEST_SIDE:.3g} and"
                f" {didv.sizes[dim] * pitch / 2:.3g} nm"
            )
        # In old pixels, counted from the centre of the first one.
        indices = np.arange(int(count + 1e-6), dtype=np.float64)
        positions = (indices + 0.5) * (pixel / pitch) - 0.5
        new_axes.append(float(didv[dim][0]) + positions * pitch)
        weights.append(_sinc_weights(positions, didv.sizes[dim], pixel / pitch))
        nearest.append(np.clip(np.rint(positions), 0, didv.sizes[dim] - 1).astype(int))

    planes = []
    for plane in didv.values.astype(np.float64):
        measured = np.isfinite(plane)
        mean = plane[measured].mean() if measured.any() else 0.0
        filled = np.where(measured, plane - mean, 0.0)
        share = weights[0] @ measured @ weights[1].T
        known = measured[np.ix_(*nearest)] & (share > 0.3)
        value = (weights[0] @ filled @ weights[1].T) / np.where(known, share, 1.0) + mean
        planes.append(np.where(known, value, np.nan))
    return make_map(
        np.stack(planes),
        bias_mV=didv["bias"].values,
        y_nm=new_axes[0],
        x_nm=new_axes[1],
        units=didv.attrs["units"],
        name=str(didv.name),
        attrs=didv.attrs,
    )


def _sinc_weights(positions: Array, count: int, ratio: float) -> Array:
    """Return the weights (new, old) of a windowed sinc; `ratio` is new over old pitch."""
    scale = max(ratio, 1.0)
    cutoff = DOWN_CUTOFF if ratio > 1 + 1e-9 else 1.0
    reach = int(np.ceil(HALF_WIDTH * scale))
    index = np.rint(positions)[:, None] + np.arange(-reach, reach + 1)
    distance = (index - positions[:, None]) / scale
    inside = np.clip(1 - (distance / HALF_WIDTH) ** 2, 0, None)
    taps = np.sinc(cutoff * distance) * np.i0(KAISER_BETA * np.sqrt(inside)) * (inside > 0)
    taps /= taps.sum(axis=1, keepdims=True)
    folded = np.mod(index, 2 * count).astype(int)
    folded = np.minimum(folded, 2 * count - 1 - folded)
    weights = np.zeros((positions.size, count))
    np.add.at(weights, (np.arange(positions.size)[:, None], folded), taps)
    return weights


def _robust_fit(values: Array, terms: Array) -> Array:
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


def _each_slice(didv: xr.DataArray, change: Callable[[Array], Array]) -> xr.DataArray:
    """Apply `change` to every slice with a measured point; attributes and axes stay."""
    values = didv.values.astype(np.float64)
    for index, plane in enumerate(values):
        if np.isfinite(plane).any():
            values[index] = change(plane)
    return didv.copy(data=values.astype(np.float32))


def _check_degree(degree: Any) -> None:
    if degree not in (0, 1, 2, 3):
        raise PreprocessError(f"the degree of a levelling surface is 0 to 3, got {degree}")
