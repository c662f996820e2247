"""The Fourier transforms of kernels and maps, with calibrated axes."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import i0

from qpi_kernel.maps import MapError, check_map, pixel_nm

Window = Literal["none", "hann", "blackman", "kaiser"]
# The main lobe is a tenth wider than that of Hann, the first side lobe four times lower.
KAISER_BETA = 6.0
Array = npt.NDArray[np.floating[Any]]


def kernel_fft(kernel: xr.DataArray, *, window: Window = "none", pad: int = 1) -> xr.DataArray:
    """Return the complex Fourier transform of a kernel, its phase taken about the scatterer.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0; NaN counts as 0.
    window : {"none", "hann", "blackman", "kaiser"}
        What the kernel is multiplied by (`taper` of r / R), r the distance from the scatterer and
        R that of the farthest window edge: 1 at the scatterer, falling towards the edge.
    pad : int
        Length of the transform in units of the window: 2 halves the step in q by zero padding.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx), complex64
        F(q) [unit of the kernel nm^2]; qy, qx [1/nm] increase, with q = 0 on the axes.
    """
    check_map(kernel)
    values = np.nan_to_num(kernel.values.astype(float))
    y, x = kernel["y"].values, kernel["x"].values
    dy, dx = pixel_nm(kernel)
    reach = max(np.max(np.abs(y)) + dy, np.max(np.abs(x)) + dx)
    r = np.minimum(np.hypot(y[:, None], x[None, :]), reach)
    return _transform(kernel, values * taper(window, r / reach), pad, window)


def map_fft(didv: xr.DataArray, *, window: Window = "hann", pad: int = 1) -> xr.DataArray:
    """Return the complex Fourier transform of a whole map, its mean removed.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map; its mean over the measured points is removed first, then NaN counts as 0.
    window : {"hann", "none", "blackman", "kaiser"}
        Tapers y and x towards the borders, which keeps them from drawing a cross.
    pad : int
        Length of the transform in units of the map.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx), complex64
        F(q) [unit of the map nm^2].
    """
    check_map(didv)
    values = without_mean(didv.values.astype(float))
    rows, columns = (
        taper(window, np.linspace(-1, 1, didv.sizes[dim] + 2)[1:-1]) for dim in ("y", "x")
    )
    return _transform(didv, values * rows[:, None] * columns[None, :], pad, window)


def taper(window: Window, t: Array) -> Array:
    """Return a window function at t = -1 .. 1: 1 in the middle, small or 0 at both ends.

    Parameters
    ----------
    window : {"none", "hann", "blackman", "kaiser"}
        1; (1 + cos pi t) / 2; 0.42 + 0.5 cos pi t + 0.08 cos 2 pi t; or
        I0(beta sqrt(1 - t^2)) / I0(beta) with beta = 6.
    t : array
        Place in units of the half width.

    Raises
    ------
    MapError
        If there is no such window.
    """
    if window == "none":
        return np.ones_like(t)
    if window == "hann":
        return np.asarray(0.5 + 0.5 * np.cos(np.pi * t))
    if window == "blackman":
        return np.asarray(0.42 + 0.5 * np.cos(np.pi * t) + 0.08 * np.cos(2 * np.pi * t))
    if window == "kaiser":
        return np.asarray(i0(KAISER_BETA * np.sqrt(np.maximum(1 - t**2, 0))) / i0(KAISER_BETA))
    raise MapError(f"unknown window {window!r}; choose none, hann, blackman or kaiser")


def check_fft(fft: xr.DataArray) -> None:
    """Raise `MapError` unless `fft` has the dimensions of a transform, (bias, qy, qx)."""
    if not isinstance(fft, xr.DataArray) or fft.dims != ("bias", "qy", "qx"):
        found = fft.dims if isinstance(fft, xr.DataArray) else type(fft).__name__
        raise MapError(f"expected a transform with dimensions (bias, qy, qx), found {found}")


def without_mean(values: Array) -> Array:
    """Remove the mean over the measured points of each bias and fill the others with 0."""
    measured = np.isfinite(values)
    count = np.maximum(measured.sum(axis=(-2, -1), keepdims=True), 1)
    mean = np.where(measured, values, 0).sum(axis=(-2, -1), keepdims=True) / count
    return np.where(measured, values - mean, 0)


def _transform(like: xr.DataArray, values: Array, pad: int, window: Window) -> xr.DataArray:
    """Transform plain values on the grid of the map `like`."""
    if pad < 1:
        raise MapError(f"pad must be 1 or more, not {pad}")
    dy, dx = pixel_nm(like)
    shape = (pad * like.sizes["y"], pad * like.sizes["x"])
    qy, qx = (
        2 * np.pi * np.fft.fftshift(np.fft.fftfreq(n, d))
        for n, d in zip(shape, (dy, dx), strict=True)
    )
    # The discrete transform counts positions from the first pixel; the map has it at (y0, x0).
    y0, x0 = float(like["y"][0]), float(like["x"][0])
    phase = np.exp(-1j * (qy[:, None] * y0 + qx[None, :] * x0))
    spectrum = np.fft.fftshift(np.fft.fft2(values, shape), axes=(-2, -1)) * phase * (dy * dx)
    return xr.DataArray(
        spectrum.astype(np.complex64),
        dims=("bias", "qy", "qx"),
        coords={
            "bias": like["bias"],
            "qy": ("qy", qy, {"units": "1/nm"}),
            "qx": ("qx", qx, {"units": "1/nm"}),
        },
        name=f"{like.name} FFT",
        attrs={
            **like.attrs,
            "units": f"{like.attrs['units']} nm^2",
            "pad": pad,
            "window": window,
        },
    )
