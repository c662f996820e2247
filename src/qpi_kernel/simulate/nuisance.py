"""What a real scan adds to the ripples: noise in raster time, distortion, foreign patterns.

Rows are scanned from the smallest y upwards, pixel by pixel, and all biases of a pixel before the
next. Every nuisance draws from a generator of its own, so that one can be switched on or off and
the others stay as they are.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.ndimage import gaussian_filter, map_coordinates

from qpi_kernel.errors import QpiError
from qpi_kernel.settings import settings

Floats = npt.NDArray[np.float64]
Realism = Literal["clean", "lab", "hard"]


@settings
class Nuisance:
    """How much of each nuisance; zero switches it off.

    Amplitudes are standard deviations in units of that of the ripples.
    """

    flicker: float = Field(default=0.0, ge=0, description="1/f noise in raster time")
    line: float = Field(default=0.0, ge=0, description="hum of the mains")
    line_Hz: float = Field(default=50.0, gt=0, description="Frequency of the mains [Hz]")
    pixel_s: float = Field(default=0.0123, gt=0, description="Time spent on a pixel [s]")
    row_offsets: float = Field(default=0.0, ge=0, description="one random offset per row")
    spikes: float = Field(default=0.0, ge=0, le=0.5, description="Share of pixels that are spikes")
    spike_height: float = Field(default=10.0, ge=0, description="Height of spikes [ripples]")
    drift_x: float = Field(
        default=0.0, ge=-0.2, le=0.2, description="Drift along x during the scan [map widths]"
    )
    drift_y: float = Field(
        default=0.0, ge=-0.2, le=0.2, description="Drift along y during the scan [map widths]"
    )
    shear_deg: float = Field(
        default=0.0, ge=-10, le=10, description="How far the scan axes are from 90 degrees [deg]"
    )
    background: float = Field(default=0.0, ge=0, description="slow random background")
    background_nm: float = Field(default=8.0, gt=0, description="Its correlation length [nm]")
    bragg: float = Field(
        default=0.0, ge=0, description="corrugation of the lattice, if the pixels resolve it"
    )
    lattice_nm: float = Field(default=0.4, gt=0, description="Its hexagonal lattice constant [nm]")
    cdw: float = Field(default=0.0, ge=0, description="stripes of a charge-density wave")
    cdw_nm: float = Field(default=2.2, gt=0, description="Their period [nm]")
    tip_change: float = Field(
        default=0.0, ge=0, lt=1, description="Step of gain and offset at one row"
    )
    unfinished: float = Field(
        default=0.0, ge=0, le=0.8, description="Share of rows missing at the end of the scan"
    )


REALISM: dict[Realism, Nuisance] = {
    "clean": Nuisance(),
    "lab": Nuisance(
        flicker=0.15, line=0.1, row_offsets=0.2, spikes=2e-4, drift_x=0.01, drift_y=0.015,
        shear_deg=1.0, background=0.3, bragg=0.2,
    ),
    "hard": Nuisance(
        flicker=0.5, line=0.3, row_offsets=0.6, spikes=1e-3, spike_height=15.0, drift_x=0.03,
        drift_y=0.04, shear_deg=2.0, background=1.0, bragg=0.6, cdw=0.4, tip_change=0.3,
        unfinished=0.12,
    ),
}  # fmt: skip


def find_nuisance(nuisance: Nuisance | Realism) -> Nuisance:
    """Return the nuisances of a preset by its name.

    Raises
    ------
    QpiError
        If there is none of that name.
    """
    if isinstance(nuisance, Nuisance):
        return nuisance
    if nuisance not in REALISM:
        raise QpiError(f"unknown realism {nuisance!r}; known: {', '.join(REALISM)}")
    return REALISM[nuisance]


def margin_px(nuisance: Nuisance, pixels: int) -> int:
    """Return how far beyond the map drift and shear take the tip [px]."""
    farthest = np.abs(_skew(nuisance)).max() * pixels / 2
    return int(np.ceil(farthest)) + 3 if farthest else 0


def as_scanned(nuisance: Nuisance, places: Floats, pixels: int) -> Floats:
    """Return where in the scanned map true places (row, column) appear, shape (n, 2) [px]."""
    middle = (pixels - 1) / 2
    return np.asarray(middle + np.linalg.solve(_scan(nuisance), (places - middle).T).T)


def distorted(nuisance: Nuisance, wide: Floats, pixels: int) -> Floats:
    """Sample a true map where the drifting tip is.

    Parameters
    ----------
    wide : array, shape (bias, pixels + 2 margin, pixels + 2 margin)
        The truth, on a margin of `margin_px` around the map.

    Returns
    -------
    array, shape (bias, pixels, pixels)
    """
    margin = margin_px(nuisance, pixels)
    if not margin:
        return wide
    true = _true_places(nuisance, pixels) + margin
    return np.stack([map_coordinates(plane, true, order=3, mode="nearest") for plane in wide])


def spoiled(nuisance: Nuisance, ripples: Floats, pixel_nm: float, seed: int) -> Floats:
    """Return ripples with all that is no ripple, white noise apart.

    Parameters
    ----------
    ripples : array, shape (bias, rows, columns)
        The clean map as scanned, with ripples of standard deviation 1.
    pixel_nm : float
    seed : int

    Returns
    -------
    array, shape (bias, rows, columns)
        NaN in the rows that were not reached.
    """
    count, rows, columns = ripples.shape
    patterns = _patterns(nuisance, rows, pixel_nm, seed)
    values = (ripples + patterns) * np.ones((count, 1, 1))
    if nuisance.tip_change:
        rng = _generator(seed, "tip_change")
        start = int(rng.uniform(0.3, 0.7) * rows)
        step = nuisance.tip_change * rng.choice([-1.0, 1.0])
        values[:, start:] = (1 + step) * values[:, start:] + step
    time = np.arange(rows * columns * count) * nuisance.pixel_s / count
    if nuisance.flicker:
        noise = nuisance.flicker * _flicker(_generator(seed, "flicker"), time.size)
        values += _in_raster_order(noise, ripples.shape)
    if nuisance.line:
        phase = _generator(seed, "line").uniform(0, 2 * np.pi)
        hum = np.sqrt(2) * nuisance.line * np.sin(2 * np.pi * nuisance.line_Hz * time + phase)
        values += _in_raster_order(hum, ripples.shape)
    if nuisance.row_offsets:
        offsets = _generator(seed, "row_offsets").normal(size=(1, rows, 1))
        values += nuisance.row_offsets * offsets
    if nuisance.spikes:
        rng = _generator(seed, "spikes")
        hit = rng.random((rows, columns)) < nuisance.spikes
        values += hit * rng.choice([-1.0, 1.0], hit.shape) * nuisance.spike_height
    if nuisance.unfinished:
        values[:, round((1 - nuisance.unfinished) * rows) :] = np.nan
    return np.asarray(values)


def _patterns(nuisance: Nuisance, pixels: int, pixel_nm: float, seed: int) -> Floats:
    """Return what the surface shows beside the ripples, where the drifting tip is."""
    y, x = (_true_places(nuisance, pixels) - (pixels - 1) / 2) * pixel_nm
    result = np.zeros((pixels, pixels))
    if nuisance.background:
        noise = _generator(seed, "background").normal(size=result.shape)
        # White noise smoothed by sigma is correlated over a length sqrt(2) sigma.
        slow = gaussian_filter(noise, nuisance.background_nm / pixel_nm / np.sqrt(2))
        result += nuisance.background * _standardised(slow)
    length = 4 * np.pi / (np.sqrt(3) * nuisance.lattice_nm)
    if nuisance.bragg and length < np.pi / pixel_nm:
        rng = _generator(seed, "bragg")
        start, phases = rng.uniform(0, np.pi / 3), rng.uniform(0, 2 * np.pi, 3)
        waves = [
            _wave(x, y, length, start + turn * np.pi / 3, phase)
            for turn, phase in enumerate(phases)
        ]
        result += nuisance.bragg * np.sqrt(2 / 3) * sum(waves)
    if nuisance.cdw:
        rng = _generator(seed, "cdw")
        angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        stripes = _wave(x, y, 2 * np.pi / nuisance.cdw_nm, angle, phase)
        result += nuisance.cdw * np.sqrt(2) * stripes
    return result


def _wave(x: Floats, y: Floats, q: float, angle: float, phase: float) -> Floats:
    return np.asarray(np.cos(q * (x * np.cos(angle) + y * np.sin(angle)) + phase))


def _flicker(rng: np.random.Generator, count: int) -> Floats:
    """Return noise of power 1/f and standard deviation 1, without the mean."""
    frequency = np.fft.rfftfreq(count)
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(frequency[1:])
    return _standardised(np.fft.irfft(spectrum, count))


def _in_raster_order(series: Floats, shape: tuple[int, ...]) -> Floats:
    count, rows, columns = shape
    return np.moveaxis(series.reshape(rows, columns, count), -1, 0)


def _standardised(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / values.std())


def _skew(nuisance: Nuisance) -> Floats:
    """Return the displacement (row, column) per row: later rows are farther off."""
    return np.array([nuisance.drift_y, nuisance.drift_x + np.tan(np.deg2rad(nuisance.shear_deg))])


def _scan(nuisance: Nuisance) -> Floats:
    scan = np.eye(2)
    scan[:, 0] += _skew(nuisance)
    return scan


def _true_places(nuisance: Nuisance, pixels: int) -> Floats:
    middle = (pixels - 1) / 2
    return np.asarray(
        middle + np.tensordot(_scan(nuisance), np.indices((pixels, pixels)) - middle, 1)
    )


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])
