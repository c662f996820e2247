"""The hum of the mains: a sine in the time of the scan, stripes in the map."""

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from qpi_kernel.maps import check_map
from qpi_kernel.preprocess.slices import Array, PreprocessError, each_slice

SEARCH = 0.05  # the period that is asked for is refined within this share of it
# The hum of a row is averaged with its neighbours: what is removed has this width along qy only.
ROWS = 4.0


def remove_hum(didv: xr.DataArray, period_px: float) -> xr.DataArray:
    """Subtract a sine along the rows whose phase advances steadily from row to row.

        z(row, x) = Re[ a(row) exp(2 pi i x / period) ],   a(row + 1) ~ a(row) exp(i advance)

    The period is refined around the given one, where the mean power of the rows is highest. The
    advance per row, which depends on the time the tip takes to turn, is measured; then a(row) is
    averaged over neighbouring rows, so that ripples which share the period keep all but a spot of
    their spectrum.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map, the rows in the order of the scan.
    period_px : float
        Distance between two stripes along a row [px], more than 2.

    Raises
    ------
    PreprocessError
        If the period is not more than 2 px and at most half of a row.
    """
    check_map(didv)
    width = didv.sizes["x"]
    if not 2 < period_px <= width / 2:
        raise PreprocessError(
            f"a hum of period {period_px:g} px cannot be told in rows of {width} points: choose a"
            f" period of more than 2 and at most {width // 2} px"
        )
    values = didv.values.astype(np.float64)
    measured = np.isfinite(values)
    count = np.maximum(measured.sum(axis=-1, keepdims=True), 1)
    mean = np.where(measured, values, 0).sum(axis=-1, keepdims=True) / count
    rows = np.where(measured, values - mean, 0.0) * np.hanning(width + 2)[1:-1]
    weight = measured @ np.hanning(width + 2)[1:-1]

    around = (1 + np.linspace(-SEARCH, SEARCH, 201)) / period_px
    frequencies = around[around < 0.5]
    waves = np.exp(-2j * np.pi * np.outer(np.arange(width), frequencies))
    power = (np.abs(rows.reshape(-1, width) @ waves) ** 2).sum(axis=0)
    frequency = frequencies[np.argmax(power)]

    wave = np.exp(2j * np.pi * frequency * np.arange(width))
    amplitude = 2 * (rows @ wave.conj()) / np.maximum(weight, 1)

    def calm_plane(plane: Array, one: Array) -> Array:
        advance = np.angle(np.sum(one[:-1].conj() * one[1:]))
        turn = np.exp(1j * advance * np.arange(one.size))
        steady = one * turn.conj()
        smooth = gaussian_filter1d(steady.real, ROWS) + 1j * gaussian_filter1d(steady.imag, ROWS)
        return np.asarray(plane - np.outer(smooth * turn, wave).real)

    return each_slice(calm_plane, didv, amplitude)
