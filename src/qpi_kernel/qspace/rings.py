"""Rings in q space: averages over them, their radius and their edge."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.signal import find_peaks

from qpi_kernel.maps import MapError, check_map, pixel_nm
from qpi_kernel.qspace.sampling import sample
from qpi_kernel.qspace.transform import kernel_fft

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
    _check_fft(fft)
    qy, qx = fft["qy"].values, fft["qx"].values
    step = max(float(qy[1] - qy[0]), float(qx[1] - qx[0]))
    rings = int(min(-qy[0], -qx[0]) / step) + 1
    ring = np.rint(np.hypot(qy[:, None], qx[None, :]) / step).astype(int).ravel()
    inside = ring < rings
    count = np.bincount(ring[inside], minlength=rings)
    power = np.abs(fft.values).reshape(fft.sizes["bias"], -1)[:, inside]
    means = np.stack([np.bincount(ring[inside], row, rings) / count for row in power])
    return _profile(fft, means, step * np.arange(rings), fft.attrs["units"])


def radial_profile(kernel: xr.DataArray, q_per_nm: npt.ArrayLike | None = None) -> xr.DataArray:
    """Return the complex radial transform of a kernel, in magnitude.

        P(q) = | integral_0^R  r <k>(r) w(r) exp(-i q r) dr |

    <k>(r) is the average over the circle of radius r about the scatterer, R the nearest window edge
    and w = sin^2(pi r / R). Unlike the ring in |F|, whose maximum moves by up to 1.5 q-pixels with
    the scattering phase, P peaks at the wave number itself: the transform of one side takes the
    wave and its phase apart, and w keeps the mirror wave at -q and the core away from it.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    q_per_nm : array_like, optional
        Where to evaluate [1/nm]; by default from 0 to the Nyquist limit in tenths of pi / R.

    Returns
    -------
    xarray.DataArray, (bias, q)
        P [unit of the kernel nm^2].

    Raises
    ------
    MapError
        If the scatterer is not inside the window.
    """
    check_map(kernel)
    reach, step = _reach(kernel), min(pixel_nm(kernel))
    q = (
        np.arange(0, np.pi / max(pixel_nm(kernel)), 0.1 * np.pi / reach)
        if q_per_nm is None
        else np.atleast_1d(np.asarray(q_per_nm, float))
    )
    count = int(np.ceil(2 * reach / step)) + 1
    r = np.linspace(0, reach, count)
    taper = np.sin(np.pi * r / reach) ** 2
    wave = np.exp(-1j * np.outer(r, q)) * (r[1] - r[0])
    profiles = np.abs((_circle_means(kernel, r) * r * taper) @ wave)
    return _profile(kernel, profiles, q, f"{kernel.attrs['units']} nm^2")


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
    reach = _reach(kernel)
    low, high = q_range or (2 * np.pi / reach, np.pi / max(pixel_nm(kernel)))
    step = 0.02 * np.pi / reach
    profiles = radial_profile(kernel, np.arange(max(low - step, 0), high + 2 * step, step))
    return np.array([_highest_maximum(profiles["q"].values, row) for row in profiles.values])


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


def _check_fft(fft: xr.DataArray) -> None:
    if fft.dims != ("bias", "qy", "qx"):
        raise MapError(f"expected a transform with dimensions (bias, qy, qx), found {fft.dims}")


def _profile(like: xr.DataArray, values: Array, q: Array, units: str) -> xr.DataArray:
    """Wrap one curve per bias."""
    return xr.DataArray(
        values,
        dims=("bias", "q"),
        coords={"bias": like["bias"], "q": ("q", q, {"units": "1/nm"})},
        attrs={"units": units},
    )


def _reach(kernel: xr.DataArray) -> float:
    """Return the distance from the scatterer to the nearest window edge [nm]."""
    y, x = kernel["y"].values, kernel["x"].values
    reach = float(min(-y[0], y[-1], -x[0], x[-1]))
    if reach <= 0:
        raise MapError("the window does not hold the scatterer (y = x = 0): is this a kernel?")
    return reach


def _circle_means(kernel: xr.DataArray, r: Array) -> Array:
    """Return the mean over circles of the radii `r` [nm] about the scatterer, (bias, r)."""
    count = int(np.ceil(2 * np.pi * r[-1] / min(pixel_nm(kernel))))
    angle = 2 * np.pi * np.arange(count) / count
    means: Array = sample(kernel, np.outer(r, np.sin(angle)), np.outer(r, np.cos(angle))).mean(-1)
    return means


def _highest_maximum(q: Array, profile: Array) -> float:
    """Return the abscissa of the highest inner maximum, refined by a parabola."""
    peaks = find_peaks(profile)[0]
    if not peaks.size:
        return float("nan")
    top = int(peaks[np.argmax(profile[peaks])])
    before, at, after = profile[top - 1 : top + 2]
    bend = before - 2 * at + after
    offset = 0.5 * (before - after) / bend if bend else 0.0
    return float(q[top] + offset * (q[1] - q[0]))


def interesting_q(kernel: xr.DataArray) -> float:
    """Return how far in q to look [1/nm]: past the ring, not all the way out to a far Nyquist."""
    nyquist = float(np.pi / max(pixel_nm(kernel)))
    marks = [float(ring_radius(kernel)[0]), float(half_rim_q(kernel)[0])]
    seen = [mark for mark in marks if np.isfinite(mark)]
    return min(nyquist, 2.2 * max(seen)) if seen else nyquist
