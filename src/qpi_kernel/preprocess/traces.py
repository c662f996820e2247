"""Forward and backward traces: how far they lie apart, and their average."""

import numpy as np
import xarray as xr
from scipy.optimize import minimize

from qpi_kernel.maps import check_map, check_same_grid, pixel_nm
from qpi_kernel.preprocess.distortion import warp
from qpi_kernel.preprocess.levelling import level
from qpi_kernel.preprocess.slices import Array, PreprocessError

LARGEST_SHIFT = 0.25  # of a side: beyond that too little of the map overlaps to tell


def shift_between(
    first: xr.DataArray, second: xr.DataArray, *, along_rows: bool = False
) -> tuple[float, float]:
    """Return how far the pattern of one map lies from that of another.

        s = argmax_s  sum_q  conj(F1(q)) F2(q) exp(i q.s)

    F are the transforms of both maps, levelled and tapered, and the sum runs over all biases, so
    that second(r) is like first(r - s).

    Parameters
    ----------
    first, second : xarray.DataArray, (bias, y, x)
        Two maps on one grid.
    along_rows : bool
        Whether to look along x only, as backward traces lag.

    Returns
    -------
    (sy, sx)
        The shift [nm], sub-pixel.

    Raises
    ------
    PreprocessError
        If they have nothing in common within a quarter of the map.
    MapError
        If they do not lie on one grid.
    """
    check_same_grid(first, second)
    a, b = (_tapered(didv) for didv in (first, second))
    cross = (np.fft.fft2(a).conj() * np.fft.fft2(b)).sum(axis=0)
    if along_rows:
        # The value at sy = 0 of the correlation is the mean over qy.
        cross = cross.sum(axis=0, keepdims=True)
    shape = cross.shape
    correlation = np.fft.ifft2(cross).real
    steps = [np.fft.fftfreq(n, 1 / n) for n in shape]
    far = [np.abs(step) > LARGEST_SHIFT * n for step, n in zip(steps, shape, strict=True)]
    correlation[far[0]] = -np.inf
    correlation[:, far[1]] = -np.inf
    row, column = np.unravel_index(np.argmax(correlation), shape)
    if not correlation[row, column] > 0:
        raise PreprocessError("the two maps have no pattern in common: they cannot be aligned")
    frequencies = [2 * np.pi * np.fft.fftfreq(n) for n in shape]

    def apart(shift: Array) -> float:
        waves = [np.exp(1j * q * s) for q, s in zip(frequencies, shift, strict=True)]
        return -float((waves[0] @ cross @ waves[1]).real)

    start = np.array([steps[0][row], steps[1][column]])
    found = minimize(apart, start, method="Nelder-Mead", options={"xatol": 1e-3, "maxiter": 200})
    dy, dx = pixel_nm(first)
    return (0.0 if along_rows else float(found.x[0]) * dy, float(found.x[1]) * dx)


def average_traces(forward: xr.DataArray, backward: xr.DataArray) -> xr.DataArray:
    """Average two traces of one scan, the backward one moved onto the forward one.

    Parameters
    ----------
    forward, backward : xarray.DataArray, (bias, y, x)
        Maps on one grid, x in the direction of the scan frame in both.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        The mean where both are measured, the forward trace where it is alone;
        ``attrs["backward_lag_nm"]`` says how far the backward trace was moved.

    Raises
    ------
    PreprocessError
        If the traces have other biases or units, or no pattern in common.
    """
    check_map(forward)
    check_map(backward)
    if not np.array_equal(forward["bias"].values, backward["bias"].values):
        raise PreprocessError("the forward and the backward trace have different biases")
    if forward.attrs["units"] != backward.attrs["units"]:
        raise PreprocessError(
            f"the forward trace is in {forward.attrs['units']}, the backward one in"
            f" {backward.attrs['units']}: they have no average"
        )
    _, lag = shift_between(forward, backward, along_rows=True)
    rows, columns = np.indices(forward.shape[1:]).astype(np.float64)
    moved = warp(backward.values, rows, columns + lag / pixel_nm(forward)[1])
    both = 0.5 * (forward.values + moved)
    values = np.where(np.isfinite(both), both, forward.values).astype(np.float32)
    return forward.copy(data=values).assign_attrs(backward_lag_nm=round(lag, 4))


def _tapered(didv: xr.DataArray) -> Array:
    """Return the map without its plane, 0 where it ends or was not measured."""
    taper = np.hanning(didv.sizes["y"] + 2)[1:-1, None] * np.hanning(didv.sizes["x"] + 2)[1:-1]
    return np.nan_to_num(level(didv).values.astype(np.float64)) * taper
