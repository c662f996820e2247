"""The wave number of a ring at every energy, with its error."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.maps import check_map, check_same_grid, pixel_nm
from qpi_kernel.qspace.one_sided import radial_transform, ray_transform, window_reach
from qpi_kernel.qspace.profiles import maxima, q_range_within, track_peaks, write_rows

Array = npt.NDArray[np.floating[Any]]
# What near field, decay and window edges may still shift a maximum by, in q-pixels.
RADIAL_ERROR, RAY_ERROR = 0.02, 0.05


# Compared by identity: arrays have no single truth value.
@dataclass(frozen=True, eq=False)
class Dispersion:
    """q(E) of one ring or spot.

    Parameters
    ----------
    bias_mV : array, shape (n,)
        Sample bias, the energy from the Fermi level [meV].
    q_per_nm : array, shape (n,)
        Wave number [1/nm]; NaN where none was found.
    error_per_nm : array, shape (n,)
        Its standard deviation [1/nm]; NaN where it is not known.
    """

    bias_mV: Array
    q_per_nm: Array
    error_per_nm: Array

    def __len__(self) -> int:
        return len(self.bias_mV)

    def save(self, path: Path | str) -> None:
        """Write a CSV file with the columns bias_mV, q_per_nm, error_per_nm."""
        columns = (self.bias_mV, self.q_per_nm, self.error_per_nm)
        names = ("bias_mV", "q_per_nm", "error_per_nm")
        write_rows(path, names, zip(*columns, strict=True))


def measure_dispersion(
    kernel: xr.DataArray,
    spread: xr.DataArray | None = None,
    *,
    angle_deg: float | None = None,
    width_deg: float = 0.0,
    q_range: tuple[float, float] | None = None,
    draws: int = 24,
    seed: int = 0,
) -> Dispersion:
    """Follow the ring of a kernel through its energies.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    spread : xarray.DataArray, (bias, y, x), optional
        Its standard deviation, from which the errors follow (`draw_kernels`); without it they are
        NaN.
    angle_deg, width_deg : float, optional
        Direction and width of a ray (`ray_profile`); by default all directions (`radial_profile`).
    q_range : (lowest, highest), optional
        Where to look [1/nm]; by default from one wavelength per window half-width to Nyquist.
    draws : int
        Kernels drawn for the errors.
    seed : int
        Of the draws.

    Returns
    -------
    Dispersion
        The maxima that `track_peaks` finds. The error is the standard deviation over the draws,
        and in quadrature what the curve itself may be off: 0.02 q-pixels (2 pi / window), 0.05
        along a ray. It knows nothing of the calibration of the map: with a pixel that is 1 % too
        large all q are 1 % too small.

    Raises
    ------
    MapError
        If the scatterer is not inside the window, kernel and spread do not match, or the range
        lies outside what the pixels resolve.
    """
    reach = window_reach(kernel)
    nyquist = np.pi / max(pixel_nm(kernel))
    step = 0.1 * np.pi / reach
    wanted = q_range_within(q_range or (2 * np.pi / reach, nyquist), (0.0, nyquist))
    q = np.arange(max(wanted[0] - 2 * step, 0), wanted[1] + 2 * step, step)

    profile = (
        radial_transform(kernel, q)
        if angle_deg is None
        else ray_transform(kernel, angle_deg, width_deg=width_deg, q_per_nm=q)
    )
    found = track_peaks(profile(kernel), wanted)
    error = np.full(found.size, np.nan)
    if spread is not None:
        shifted = [
            _nearest_maxima(profile(each), found)
            for each in draw_kernels(kernel, spread, draws, seed)
        ]
        shift = np.stack(shifted) - found
        floor = RADIAL_ERROR if angle_deg is None else RAY_ERROR
        # Two half-widths make the window: one q-pixel is pi / reach.
        error = np.hypot(np.sqrt(np.mean(shift**2, axis=0)), floor * np.pi / reach)
    return Dispersion(kernel["bias"].values.astype(float), found, error)


def draw_kernels(
    kernel: xr.DataArray, spread: xr.DataArray, count: int, seed: int = 0
) -> Iterator[xr.DataArray]:
    """Draw kernels as they might be within their error bars.

    The spread tells how far each pixel may be off, not which pixels are off together. An error
    looks much like the kernel itself (what the data leave open the prior fills with waves of the
    band), so the draws add noise with the ring-averaged power spectrum of the kernel, and in each
    pixel the size of the spread. White noise of that size would leave the ring three times more
    certain than it is.

    Parameters
    ----------
    kernel, spread : xarray.DataArray, (bias, y, x)
        A kernel and its standard deviation on one grid.
    count : int
        How many to draw.
    seed : int
        Of the random numbers.

    Yields
    ------
    xarray.DataArray, (bias, y, x)

    Raises
    ------
    MapError
        If kernel and spread do not lie on one grid.
    """
    check_map(kernel)
    check_map(spread)
    check_same_grid(kernel, spread)
    rng = np.random.default_rng(seed)
    shape = kernel.shape[1:]
    fy, fx = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    ring = np.rint(np.hypot(fy[:, None], fx[None, :]) * max(shape)).astype(int)
    power = np.abs(np.fft.rfft2(np.nan_to_num(kernel.values.astype(float)))) ** 2
    count_on = np.bincount(ring.ravel())
    means = [np.bincount(ring.ravel(), plane.ravel()) / np.maximum(count_on, 1) for plane in power]
    colour = np.sqrt(np.stack(means))[:, ring]
    for _ in range(count):
        white = np.fft.rfft2(rng.normal(size=kernel.shape))
        noise = np.fft.irfft2(white * colour, s=shape)
        noise /= np.maximum(noise.std(axis=(1, 2), keepdims=True), 1e-30)
        yield kernel.copy(data=(kernel.values + noise * spread.values).astype(np.float32))


def _nearest_maxima(profile: xr.DataArray, places: Array) -> Array:
    """Return for each bias the maximum nearest to a place [1/nm]; NaN if there is none."""
    nearest = np.full(places.size, np.nan)
    for index, (row, place) in enumerate(zip(profile.values, places, strict=True)):
        candidates = maxima(profile["q"].values, row)[0]
        if candidates.size and np.isfinite(place):
            nearest[index] = candidates[np.argmin(np.abs(candidates - place))]
    return nearest
