"""Finding the scatterers in a map or a topograph.

A scatterer has a core: a blob, bright or dark, that stands out of the ripples. Blobs of the scale
and sign that stand out most are averaged into a template, and whatever looks like the template is a
scatterer. Positions are sub-pixel; what is found here is refined together with the kernel later.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field
from scipy import ndimage
from skimage.feature import match_template, peak_local_max

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import check_map, pixel_nm
from qpi_kernel.progress import Progress, Steps, drain
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.settings import settings

Floats = npt.NDArray[np.float64]

LARGEST_CORE_NM = 1.6
TEMPLATE_ROUNDS = 2
NOTHING_FOUND = (
    "no scatterers found: no core stands out of the map; mark them by hand, lower the threshold, or"
    " look for them in the topography"
)
# Wavelengths per window when the user leaves it open: enough rings to see, few enough to fit.
WAVELENGTHS = 8.0
NOISE_SIGMA = 5.0  # rings of the power spectrum stand out of white noise by more than this


@settings
class LocateSettings:
    """How scatterers are found.

    Parameters
    ----------
    threshold : float
        Least height of a core above the map, in robust standard deviations of the filtered map.
    similarity : float
        Least correlation of a candidate's surroundings with the typical scatterer, 0 to 1.
    most : int
        At most so many scatterers, the surest first.
    """

    threshold: Annotated[float, Field(ge=3, le=50)] = 5.0
    similarity: Annotated[float, Field(ge=0, le=1)] = 0.45
    most: Annotated[int, Field(ge=1, le=5000)] = 600


@dataclass(frozen=True)
class _Blobs:
    """Candidates at one scale and sign."""

    rows_columns: npt.NDArray[np.int64]
    heights: Floats
    response: Floats
    sigma: float
    score: float


def locate_scatterers(didv: xr.DataArray, settings: LocateSettings | None = None) -> Scatterers:
    """Find the scatterers of a map or topograph; see `iter_locate`."""
    return drain(iter_locate(didv, settings))


def iter_locate(didv: xr.DataArray, settings: LocateSettings | None = None) -> Steps[Scatterers]:
    """Find the scatterers of a map or topograph, step by step.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        dI/dV at one or several biases, or a topograph; of several slices the one with the clearest
        cores decides.
    settings : LocateSettings, optional

    Returns
    -------
    Steps of Scatterers
        Positions [nm], weight 1, and the correlation with the typical scatterer as confidence.

    Raises
    ------
    QpiError
        If nothing stands out; the message says what to do.
    """
    check_map(didv)
    settings = settings or LocateSettings()
    dy, dx = pixel_nm(didv)
    pixel = (dy + dx) / 2
    size = min(didv.shape[1:])
    largest = min(LARGEST_CORE_NM / pixel, size / 12)
    sigmas = np.geomspace(1.0, max(largest, 1.5), 7)
    best, image = None, None
    for index in range(didv.sizes["bias"]):
        yield Progress(index / didv.sizes["bias"], "looking for scatterers")
        values = didv.values[index].astype(np.float64)
        flat, measured = _flatten(values), np.isfinite(values)
        for sigma in sigmas if measured.any() else ():
            for sign in (-1.0, 1.0):
                blobs = _blobs(flat, measured, float(sigma), sign, settings.threshold)
                if best is None or blobs.score > best.score:
                    best, image = blobs, flat
    if best is None or image is None or len(best.rows_columns) == 0:
        raise QpiError(NOTHING_FOUND)
    yield Progress(0.9, "comparing candidates with the typical scatterer")
    places, likeness = _match(image, best, settings)
    if len(places) == 0:
        raise QpiError(NOTHING_FOUND)
    y0, x0 = float(didv["y"].values[0]), float(didv["x"].values[0])
    xy = np.column_stack([x0 + places[:, 1] * dx, y0 + places[:, 0] * dy])
    order = np.argsort(-likeness, kind="stable")[: settings.most]
    return Scatterers(xy[order], confidence=np.clip(likeness[order], 0, 1))


def suggest_window_nm(didv: xr.DataArray) -> float:
    """Return a kernel window [nm]: eight wavelengths of the finest strong ripple, or half the map.

    See `ripple_wavelength_nm`; where no ripple stands out of the noise, half the map.
    """
    wavelength = ripple_wavelength_nm(didv)
    dy, dx = pixel_nm(didv)
    half = min(didv.sizes["y"] * dy, didv.sizes["x"] * dx) / 2
    least = 12 * max(dy, dx)
    if wavelength is None or half <= least:
        return half
    return float(np.clip(WAVELENGTHS * wavelength, least, half))


def ripple_wavelength_nm(didv: xr.DataArray) -> float | None:
    """Return the wavelength 2 pi / q [nm] of the finest strong ripple, or None without ripples.

    The ripple is read off the power spectrum: q is the wave vector below which nine tenths of the
    power above the noise floor lies, the median over the slices.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    """
    check_map(didv)
    dy, dx = pixel_nm(didv)
    step = 2 * np.pi / min(didv.sizes["y"] * dy, didv.sizes["x"] * dx)
    edges = []
    for values in didv.values:
        image = _flatten(values.astype(np.float64))
        taper = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])[None, :]
        power = np.abs(np.fft.fft2(image * taper)) ** 2
        qy = 2 * np.pi * np.fft.fftfreq(image.shape[0], dy)[:, None]
        qx = 2 * np.pi * np.fft.fftfreq(image.shape[1], dx)[None, :]
        bins = (np.hypot(qy, qx) / step).astype(int)
        rings = np.arange(int(np.pi / max(dy, dx) / step) + 1)
        # The median over a ring passes over Bragg peaks, which are no ripples.
        typical = ndimage.median(power, bins, rings)
        floor = np.median(typical[-max(len(typical) // 4, 1) :])
        # The median of a ring of white noise scatters by sqrt(2 / pi ring) / ln 2 of itself, and
        # the taper ties neighbours together: small rings need more than twice the floor.
        gate = floor * np.maximum(2, 1 + NOISE_SIGMA * 1.15 / np.sqrt(np.maximum(rings, 1)))
        above = np.where(typical > gate, typical - 2 * floor, 0) * rings
        above[:2] = 0
        total = np.cumsum(above)
        if total[-1] > 0:
            edges.append(step * (np.searchsorted(total, 0.9 * total[-1]) + 0.5))
    return 2 * np.pi / float(np.median(edges)) if edges else None


def _flatten(image: Floats) -> Floats:
    """Take slow variations off and put the median where nothing was measured."""
    finite = np.isfinite(image)
    if not finite.any():
        return np.zeros_like(image)
    filled = np.where(finite, image, np.median(image[finite]))
    y = np.linspace(-1, 1, image.shape[0])[:, None]
    x = np.linspace(-1, 1, image.shape[1])[None, :]
    terms = np.stack(
        [np.broadcast_to(t, image.shape) for t in (1 + 0 * y, x, y, x * y, x * x, y * y)]
    )
    flat = filled
    for _ in range(2):
        # Cores are clipped, so that they do not bend the surface.
        low, high = np.percentile(flat[finite], [5, 95])
        aim = np.clip(flat, 2 * low - high, 2 * high - low)[finite]
        slope = np.linalg.lstsq(terms[:, finite].T, aim, rcond=None)[0]
        flat = flat - np.tensordot(slope, terms, 1)
    slow = ndimage.gaussian_filter(
        np.where(finite, np.clip(flat, low, high), 0), min(image.shape) / 6
    )
    return np.asarray(np.where(finite, flat - slow, 0.0))


def _blobs(
    image: Floats, measured: npt.NDArray[np.bool_], sigma: float, sign: float, threshold: float
) -> _Blobs:
    response = -sign * ndimage.gaussian_laplace(image, sigma)
    middle = np.median(response[measured])
    robust = 1.4826 * np.median(np.abs(response[measured] - middle)) or 1.0
    response = np.where(measured, (response - middle) / robust, 0.0)
    distance = max(1, round(1.2 * sigma))
    peaks = peak_local_max(
        response, min_distance=distance, threshold_abs=threshold, exclude_border=False
    )
    heights = response[tuple(peaks.T)]
    # What exceeds the threshold counts with saturation: one crash site must not decide the scale.
    excess = np.minimum(heights, 4 * threshold) / threshold - 1
    # A wide core fills more pixels than the corrugation of the lattice that scatters as much.
    score = float(np.sum(excess) * np.sqrt(sigma))
    return _Blobs(peaks, heights, response, sigma, score)


def _match(image: Floats, blobs: _Blobs, settings: LocateSettings) -> tuple[Floats, Floats]:
    # The template reaches past the core to the first ripples, which tell a scatterer from a bump.
    reach = int(np.clip(np.ceil(4 * blobs.sigma), 3, min(image.shape) // 5))
    typical = float(np.median(np.sort(blobs.heights)[-20:]))
    chosen = blobs.rows_columns[(blobs.heights > 0.4 * typical) & (blobs.heights < 2.5 * typical)]
    # Scatterers at the border count with what is seen of them.
    padded = np.pad(image, reach)
    for _ in range(TEMPLATE_ROUNDS):
        if len(chosen) == 0:
            return np.zeros((0, 2)), np.zeros(0)
        patches = np.stack(
            [padded[r : r + 2 * reach + 1, c : c + 2 * reach + 1] for r, c in chosen]
        )
        template = np.median(patches, axis=0)
        if np.ptp(template) == 0:
            return np.zeros((0, 2)), np.zeros(0)
        likeness = match_template(padded, template)
        peaks = peak_local_max(
            likeness,
            min_distance=max(1, round(1.2 * blobs.sigma)),
            threshold_abs=settings.similarity,
            exclude_border=False,
        )
        standing = ndimage.maximum_filter(blobs.response, size=2 * round(blobs.sigma) + 1)
        strong = standing[tuple(peaks.T)] > max(settings.threshold, 0.2 * typical)
        chosen = peaks[strong]
    return _sub_pixel(likeness, chosen), likeness[tuple(chosen.T)]


def _sub_pixel(image: Floats, peaks: npt.NDArray[np.int64]) -> Floats:
    """Move each peak to the top of the parabola through it and its neighbours."""
    padded = np.pad(image, 1, mode="edge")
    places = peaks.astype(np.float64)
    for axis, step in enumerate(np.eye(2, dtype=int)):
        here = padded[tuple((peaks + 1).T)]
        after, before = padded[tuple((peaks + 1 + step).T)], padded[tuple((peaks + 1 - step).T)]
        curvature = before - 2 * here + after
        flat = curvature >= 0
        shift = 0.5 * (before - after) / np.where(flat, -1.0, curvature)
        places[:, axis] += np.where(flat, 0.0, np.clip(shift, -0.5, 0.5))
    return places
