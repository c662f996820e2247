"""The Fourier transforms of kernels and maps, with calibrated axes."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.maps import MapError, check_map, pixel_nm

Window = Literal["none", "hann"]
Array = npt.NDArray[np.floating[Any]]


def kernel_fft(kernel: xr.DataArray, *, window: Window = "none", pad: int = 1) -> xr.DataArray:
    """Return the complex Fourier transform of a kernel, its phase taken about the scatterer.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0; NaN counts as 0.
    window : {"none", "hann"}
        "hann" multiplies by (1 + cos(pi r / R)) / 2, r the distance from the scatterer and R that
        of the farthest window edge: 1 at the scatterer, 0 at the edge.
    pad : int
        Length of the transform in units of the window: 2 halves the step in q by zero padding.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx), complex64
        F(q) [unit of the kernel nm^2]; qy, qx [1/nm] increase, with q = 0 on the axes.
    """
    check_map(kernel)
    values = np.nan_to_num(kernel.values.astype(float))
    if window == "hann":
        y, x = kernel["y"].values, kernel["x"].values
        dy, dx = pixel_nm(kernel)
        reach = max(np.max(np.abs(y)) + dy, np.max(np.abs(x)) + dx)
        r = np.minimum(np.hypot(y[:, None], x[None, :]), reach)
        values = values * (0.5 + 0.5 * np.cos(np.pi * r / reach))
    return _transform(kernel, values, pad)


def map_fft(didv: xr.DataArray, *, window: Window = "hann", pad: int = 1) -> xr.DataArray:
    """Return the complex Fourier transform of a whole map, its mean removed.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map; its mean over the measured points is removed first, then NaN counts as 0.
    window : {"hann", "none"}
        "hann" tapers y and x to 0 at the borders, which keeps them from drawing a cross.
    pad : int
        Length of the transform in units of the map.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx), complex64
        F(q) [unit of the map nm^2].
    """
    check_map(didv)
    values = without_mean(didv.values.astype(float))
    if window == "hann":
        rows, columns = (np.hanning(didv.sizes[dim] + 2)[1:-1] for dim in ("y", "x"))
        values = values * rows[:, None] * columns[None, :]
    return _transform(didv, values, pad)


def without_mean(values: Array) -> Array:
    """Remove the mean over the measured points of each bias and fill the others with 0."""
    measured = np.isfinite(values)
    count = np.maximum(measured.sum(axis=(-2, -1), keepdims=True), 1)
    mean = np.where(measured, values, 0).sum(axis=(-2, -1), keepdims=True) / count
    return np.where(measured, values - mean, 0)


def _transform(like: xr.DataArray, values: Array, pad: int) -> xr.DataArray:
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
        attrs={**like.attrs, "units": f"{like.attrs['units']} nm^2", "pad": pad},
    )
