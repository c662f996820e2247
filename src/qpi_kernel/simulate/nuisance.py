"""What a real scan adds to the ripples: noise in raster time, distortion, foreign patterns.

Rows are scanned from the smallest y upwards, pixel by pixel, and all biases of a pixel before the
next. Every nuisance draws from a generator of its own, so that one can be switched on or off and
the others stay as they are.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.signal import lfilter

from qpi_kernel.errors import QpiError
from qpi_kernel.settings import settings
from qpi_kernel.simulate import patterns
from qpi_kernel.simulate.scanning import TipPath

Floats = npt.NDArray[np.float64]
Realism = Literal["clean", "lab", "hard"]

# The feedback rings for so many of its periods after a scatterer, on rows this near to it.
RINGING_PERIODS = 1.5
RINGING_ROWS_NM = 0.4


@settings
class Nuisance:
    """How much of each nuisance; zero switches it off.

    Amplitudes are standard deviations in units of that of the ripples, those at single places
    (spikes, ringing, steps) heights in the same unit.
    """

    flicker: float = Field(default=0.0, ge=0, description="1/f noise in raster time")
    line: float = Field(default=0.0, ge=0, description="hum of the mains")
    line_Hz: float = Field(default=50.0, gt=0, description="Frequency of the mains [Hz]")
    pixel_s: float = Field(default=0.0123, gt=0, description="Time spent on a pixel [s]")
    lockin_s: float = Field(
        default=0.0, ge=0, description="Time constant of the lock-in, which smears along rows [s]"
    )
    row_offsets: float = Field(default=0.0, ge=0, description="one random offset per row")
    spikes: float = Field(default=0.0, ge=0, le=0.5, description="Share of pixels that are spikes")
    spike_height: float = Field(default=10.0, ge=0, description="Height of spikes [ripples]")
    ringing: float = Field(
        default=0.0, ge=0, description="swing of the feedback after each scatterer"
    )
    ringing_nm: float = Field(default=1.0, gt=0, description="Its period along the row [nm]")
    drift_x: float = Field(
        default=0.0, ge=-0.2, le=0.2, description="Drift along x during the scan [map widths]"
    )
    drift_y: float = Field(
        default=0.0, ge=-0.2, le=0.2, description="Drift along y during the scan [map widths]"
    )
    # The tip must not run backwards: drift and creep together stay below 0.7 rows per row.
    creep_x: float = Field(
        default=0.0, ge=-0.05, le=0.05, description="Creep along x at the start [map widths]"
    )
    creep_y: float = Field(
        default=0.0, ge=-0.05, le=0.05, description="Creep along y at the start [map widths]"
    )
    creep_scans: float = Field(
        default=0.15, ge=0.1, description="Share of the scan in which creep falls to 1/e"
    )
    shear_deg: float = Field(
        default=0.0, ge=-10, le=10, description="How far the scan axes are from 90 degrees [deg]"
    )
    double_tip: float = Field(
        default=0.0, ge=0, le=1, description="Strength of a second tip beside the first"
    )
    double_tip_nm: float = Field(default=1.5, gt=0, description="Distance of the second tip [nm]")
    background: float = Field(default=0.0, ge=0, description="slow random background")
    background_nm: float = Field(default=8.0, gt=0, description="Its correlation length [nm]")
    bragg: float = Field(
        default=0.0, ge=0, description="corrugation of the lattice, if the pixels resolve it"
    )
    lattice_nm: float = Field(default=0.4, gt=0, description="Its hexagonal lattice constant [nm]")
    cdw: float = Field(default=0.0, ge=0, description="stripes of a charge-density wave")
    cdw_nm: float = Field(default=2.2, gt=0, description="Their period [nm]")
    moire: float = Field(default=0.0, ge=0, description="hexagonal superlattice")
    moire_nm: float = Field(default=5.0, gt=0, description="Its lattice constant [nm]")
    herringbone: float = Field(default=0.0, ge=0, description="zigzag stripes, as on Au(111)")
    herringbone_nm: float = Field(default=6.3, gt=0, description="Their period [nm]")
    terrace: float = Field(default=0.0, ge=0, description="offset of all beyond a straight step")
    step_edge: float = Field(
        default=0.0, ge=0, description="standing waves along that step, as high at the edge"
    )
    tip_change: float = Field(
        default=0.0, ge=0, lt=1, description="Step of gain and offset at one row"
    )
    unfinished: float = Field(
        default=0.0, ge=0, le=0.8, description="Share of rows missing at the end of the scan"
    )


REALISM: dict[Realism, Nuisance] = {
    "clean": Nuisance(),
    "lab": Nuisance(
        flicker=0.15, line=0.1, lockin_s=0.003, row_offsets=0.2, spikes=2e-4, ringing=0.2,
        drift_x=0.01, drift_y=0.015, creep_x=0.002, creep_y=0.002, shear_deg=1.0, background=0.3,
        bragg=0.2,
    ),
    "hard": Nuisance(
        flicker=0.5, line=0.3, lockin_s=0.006, row_offsets=0.6, spikes=1e-3, spike_height=15.0,
        ringing=0.6, drift_x=0.03, drift_y=0.04, creep_x=0.01, creep_y=0.01, shear_deg=2.0,
        double_tip=0.15, background=1.0, bragg=0.6, cdw=0.4, tip_change=0.3, unfinished=0.12,
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


def tip_path(nuisance: Nuisance, pixels: int) -> TipPath:
    """Return the way of the tip over a map."""
    across = nuisance.drift_x + np.tan(np.deg2rad(nuisance.shear_deg))
    return TipPath(
        pixels,
        (nuisance.drift_y, float(across)),
        (nuisance.creep_y * pixels, nuisance.creep_x * pixels),
        nuisance.creep_scans * pixels,
    )


def second_tip(nuisance: Nuisance, pixel_nm: float, seed: int) -> tuple[float, float]:
    """Return where the second tip stands beside the first, (row, column) [px]."""
    if not nuisance.double_tip:
        return 0.0, 0.0
    angle = _generator(seed, "double_tip").uniform(0, 2 * np.pi)
    distance = nuisance.double_tip_nm / pixel_nm
    return float(distance * np.sin(angle)), float(distance * np.cos(angle))


def spoiled(
    nuisance: Nuisance,
    ripples: Floats,
    pixel_nm: float,
    seed: int,
    *,
    places: Floats | None = None,
    ring_q: Floats | None = None,
) -> Floats:
    """Return ripples with all that is no ripple, white noise and the second tip apart.

    Parameters
    ----------
    ripples : array, shape (bias, rows, columns)
        The clean map as scanned, with ripples of standard deviation 1.
    pixel_nm : float
    seed : int
    places : array, shape (n, 2), optional
        Where scatterers appear (row, column) [px], for the feedback to ring at.
    ring_q : array, shape (bias,), optional
        Wave vector of the ring, for the standing waves at a step [1/nm].

    Returns
    -------
    array, shape (bias, rows, columns)
        NaN in the rows that were not reached.
    """
    count, rows, columns = ripples.shape
    values = (ripples + _patterns(nuisance, rows, pixel_nm, seed)) * np.ones((count, 1, 1))
    if nuisance.terrace or nuisance.step_edge:
        y, x = _true_nm(nuisance, rows, pixel_nm)
        distance, upper = patterns.step(_generator(seed, "step"), y, x)
        values += nuisance.terrace * upper
        for plane, q in zip(values, np.nan_to_num(_per_bias(ring_q, count)), strict=True):
            if q > 0:
                plane += nuisance.step_edge * patterns.standing_wave(distance, float(q))
    if nuisance.ringing and places is not None:
        values += nuisance.ringing * _ringing(nuisance, places, rows, pixel_nm)
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
    if nuisance.lockin_s:
        stays = np.exp(-nuisance.pixel_s / nuisance.lockin_s)
        # Each row starts from a signal that has settled.
        values, _ = lfilter([1 - stays], [1, -stays], values, zi=stays * values[..., :1])
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
    """Return what the surface shows at every bias, where the drifting tip is."""
    y, x = _true_nm(nuisance, pixels, pixel_nm)
    result = np.zeros((pixels, pixels))
    if nuisance.background:
        length = nuisance.background_nm / pixel_nm
        slow = patterns.puddles(_generator(seed, "background"), result.shape, length)
        result += nuisance.background * slow
    if nuisance.bragg and patterns.hexagonal_q(nuisance.lattice_nm) < np.pi / pixel_nm:
        lattice = patterns.hexagonal(_generator(seed, "bragg"), y, x, nuisance.lattice_nm)
        result += nuisance.bragg * lattice
    if nuisance.cdw:
        result += nuisance.cdw * patterns.stripes(_generator(seed, "cdw"), y, x, nuisance.cdw_nm)
    if nuisance.moire:
        moire = patterns.hexagonal(_generator(seed, "moire"), y, x, nuisance.moire_nm)
        result += nuisance.moire * moire
    if nuisance.herringbone:
        rng = _generator(seed, "herringbone")
        zigzag = patterns.herringbone(rng, y, x, nuisance.herringbone_nm)
        result += nuisance.herringbone * zigzag
    return result


def _ringing(nuisance: Nuisance, places: Floats, pixels: int, pixel_nm: float) -> Floats:
    """Return damped swings of the feedback to the right of each scatterer, height 1 at first."""
    rows, columns = np.indices((pixels, pixels)).astype(float)
    result = np.zeros((pixels, pixels))
    for row, column in places:
        behind = (columns - column) * pixel_nm / nuisance.ringing_nm
        near = np.exp(-(((rows - row) * pixel_nm / RINGING_ROWS_NM) ** 2) / 2)
        swing = np.exp(-np.maximum(behind, 0) / RINGING_PERIODS) * np.sin(2 * np.pi * behind)
        result += near * np.where(behind > 0, swing, 0)
    return result


def _flicker(rng: np.random.Generator, count: int) -> Floats:
    """Return noise of power 1/f and standard deviation 1, without the mean."""
    frequency = np.fft.rfftfreq(count)
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(frequency[1:])
    return patterns.standardised(np.fft.irfft(spectrum, count))


def _in_raster_order(series: Floats, shape: tuple[int, ...]) -> Floats:
    count, rows, columns = shape
    return np.moveaxis(series.reshape(rows, columns, count), -1, 0)


def _per_bias(values: Floats | None, count: int) -> Floats:
    return np.zeros(count) if values is None else np.asarray(values, float)


def _true_nm(nuisance: Nuisance, pixels: int, pixel_nm: float) -> Floats:
    """Return where the tip is at each pixel, (y, x) from the middle of the map [nm]."""
    places = tip_path(nuisance, pixels).true_places()
    return np.asarray((places - (pixels - 1) / 2) * pixel_nm)


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])
