"""Rings in q space: averages over them, their radius and their edge."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.signal import find_peaks

from qpi_kernel.maps import pixel_nm
from qpi_kernel.qspace.one_sided import radial_profile, window_reach
from qpi_kernel.qspace.profiles import as_profile, maxima, q_range_within
from qpi_kernel.qspace.transform import check_fft, kernel_fft

Array = npt.NDArray[np.floating[Any]]
# A rim must rise out of what surrounds it by this share of its own height, which the speckle of an
# average over a ring of many pixels does not, and of the prominence of the most prominent one.
RIM_PROMINENCE = 0.2


def radial_average(fft: xr.DataArray) -> xr.DataArray:
    """Return |F| averaged over rings one q-pixel wide.

    Parameters
    ----------
    fft : xarray.DataArray, (bias, qy, qx)
        A transform as `kernel_fft` and `map_fft` return it.

    Returns
    -------
    xarray.DataArray, (bias, q)
        Mean of |F| over the ring |q| +- half a q-pixel, out to the nearer Nyquist limit.
    """
    check_fft(fft)
    qy, qx = fft["qy"].values, fft["qx"].values
    step = max(float(qy[1] - qy[0]), float(qx[1] - qx[0]))
    rings = int(min(-qy[0], -qx[0]) / step) + 1
    ring = np.rint(np.hypot(qy[:, None], qx[None, :]) / step).astype(int).ravel()
    inside = ring < rings
    count = np.bincount(ring[inside], minlength=rings)
    power = np.abs(fft.values).reshape(fft.sizes["bias"], -1)[:, inside]
    means = np.stack([np.bincount(ring[inside], row, rings) / count for row in power])
    return as_profile(fft, means, step * np.arange(rings), fft.attrs["units"])


def ring_radius(kernel: xr.DataArray, q_range: tuple[float, float] | None = None) -> Array:
    """Return the wave number of the strongest ring of a kernel, without bias by its phase.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    q_range : (lowest, highest), optional
        Where to look [1/nm]; by default from one wavelength per window half-width to Nyquist.

    Returns
    -------
    array, shape (bias,)
        q [1/nm] of the highest maximum of `radial_profile`; NaN where the range holds none.
    """
    reach = window_reach(kernel)
    nyquist = np.pi / max(pixel_nm(kernel))
    low, high = q_range_within(q_range or (2 * np.pi / reach, nyquist), (0.0, nyquist))
    step = 0.02 * np.pi / reach
    profiles = radial_profile(kernel, np.arange(max(low - step, 0), high + 2 * step, step))
    highest = np.full(profiles.sizes["bias"], np.nan)
    for index, row in enumerate(profiles.values):
        q, heights = maxima(profiles["q"].values, row)
        if q.size:
            highest[index] = q[np.argmax(heights)]
    return highest


def interesting_q(kernel: xr.DataArray) -> float:
    """Return how far in q to look [1/nm]: past the ring, not all the way out to a far Nyquist."""
    nyquist = float(np.pi / max(pixel_nm(kernel)))
    marks = np.concatenate([ring_radius(kernel), half_rim_q(kernel)])
    seen = marks[np.isfinite(marks)]
    return min(nyquist, 2.2 * float(seen.max())) if seen.size else nyquist


def half_rim_q(fft_or_kernel: xr.DataArray) -> Array:
    """Return the edge of a disc or ring in |F|: where it falls to half of its rim.

    Parameters
    ----------
    fft_or_kernel : xarray.DataArray
        A kernel (bias, y, x), or a transform (bias, qy, qx).

    Returns
    -------
    array, shape (bias,)
        q [1/nm] beyond the outermost prominent maximum of `radial_average` at which it has fallen
        to half of that maximum, between the rings linearly; NaN where there is no such edge.
    """
    fft = kernel_fft(fft_or_kernel) if "y" in fft_or_kernel.dims else fft_or_kernel
    profiles = radial_average(fft)
    q = profiles["q"].values
    edges = np.full(profiles.sizes["bias"], np.nan)
    for index, row in enumerate(profiles.values):
        peaks, found = find_peaks(row, prominence=0)
        # Two waves across the window, or less, are what is left of the background.
        waves = peaks >= 2 * int(fft.attrs.get("pad", 1))
        peaks, prominence = peaks[waves], found["prominences"][waves]
        tallest = prominence.max(initial=0.0)
        rims = peaks[prominence > RIM_PROMINENCE * np.maximum(row[peaks], tallest)]
        if rims.size:
            half = 0.5 * row[rims[-1]]
            below = np.flatnonzero(row[rims[-1] :] < half)
            if below.size:
                last = int(rims[-1] + below[0])
                share = (row[last - 1] - half) / (row[last - 1] - row[last])
                edges[index] = q[last - 1] + share * (q[last] - q[last - 1])
    return edges
