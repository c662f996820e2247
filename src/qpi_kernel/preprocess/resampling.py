"""Resampling without aliasing."""

import numpy as np
import xarray as xr

from qpi_kernel.maps import check_map, make_map, pixel_nm
from qpi_kernel.preprocess.slices import Array, PreprocessError

# Low-pass that is flat to 0.5 and dark from 1.0 of the new Nyquist frequency, both to 0.5 %:
# Kaiser's formulas for 46 dB give this shape and half width in pixels of the coarser grid.
DOWN_CUTOFF = 0.75
KAISER_BETA = 4.1
HALF_WIDTH = 6
LARGEST_SIDE = 8192


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
