"""The atomic lattice as a ruler: Bragg peaks, and the linear map that sets them right."""

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import median
from scipy.optimize import minimize
from skimage.feature import peak_local_max

from qpi_kernel.maps import check_map, pixel_nm
from qpi_kernel.preprocess.levelling import level
from qpi_kernel.preprocess.settings import Symmetry
from qpi_kernel.preprocess.slices import Array, PreprocessError

STEP_DEG: dict[str, float] = {"square": 90.0, "hexagonal": 60.0}
# Bragg peaks stand out of the ring of equal |q| by this factor; speckle of a transform does not.
PROMINENCE = 8.0
LEAST_WAVES = 6  # per frame: what is slower is background or ripple
LARGEST_ERROR = 0.2  # of a length, between a scan and the known lattice
LARGEST_ERROR_DEG = 12.0
LENGTH_RATIO = 1.25
MOST_CANDIDATES = 24


def find_bragg_peaks(
    topograph: xr.DataArray,
    symmetry: Symmetry | None = None,
    lattice_nm: float | None = None,
) -> Array:
    """Return the Bragg peaks of first order, sub-pixel.

    Candidates are points of |F(q)| (levelled, Hann window) that stand out of their ring of equal
    |q|; the strongest pair that fits the symmetry is taken, and each peak is moved to the maximum
    of |F| between the pixels.

    Parameters
    ----------
    topograph : xarray.DataArray, (bias, y, x)
        A topograph or map that shows the lattice; of several biases the mean decides.
    symmetry : {"square", "hexagonal"}, optional
        Angle between the peaks, 90 or 60 degrees within 12; by default any two directions.
    lattice_nm : float, optional
        The lattice constant [nm] as far as it is known; peaks are looked for within 20 % of it.

    Returns
    -------
    array, shape (2, 2) or (3, 2)
        (qx, qy) [1/nm], by increasing angle from -90 to 90 degrees; the third peak of a hexagonal
        lattice is there if it stands out too.

    Raises
    ------
    PreprocessError
        If no such peaks stand out.
    """
    check_map(topograph)
    plane, dy, dx = _mean_plane(topograph)
    qy, qx, magnitude, contrast = _spectrum(plane, dy, dx)
    radius = np.hypot(qy[:, None], qx[None, :])
    slow = 2 * np.pi * LEAST_WAVES / min(plane.shape[0] * dy, plane.shape[1] * dx)
    allowed = (radius > slow) & (qx[None, :] >= 0)
    if lattice_nm is not None:
        wanted = _bragg_q(lattice_nm, symmetry)
        allowed &= (radius > min(wanted) / (1 + LARGEST_ERROR)) & (
            radius < max(wanted) * (1 + LARGEST_ERROR)
        )
    peaks = peak_local_max(
        np.where(allowed, contrast, 0.0),
        min_distance=2,
        threshold_abs=PROMINENCE,
        exclude_border=False,
        num_peaks=MOST_CANDIDATES,
    )
    candidates = np.column_stack([qx[peaks[:, 1]], qy[peaks[:, 0]]])
    strength = magnitude[tuple(peaks.T)]
    best = _strongest_family(candidates, strength, symmetry)
    if best is None:
        wanted_words = f"a {symmetry} lattice" if symmetry else "a lattice"
        known = f" of {lattice_nm:g} nm" if lattice_nm is not None else ""
        raise PreprocessError(
            f"no Bragg peaks of {wanted_words}{known} stand out: a topograph with atomic resolution"
            " is needed"
        )
    found = np.array([_refined(plane, dy, dx, peak, (qy[1] - qy[0])) for peak in best])
    return found[np.argsort(_angle_deg(found))]


def lattice_matrix(
    peaks: npt.ArrayLike, symmetry: Symmetry, lattice_nm: float | None = None
) -> Array:
    """Return the linear map from scanned to true positions that sets Bragg peaks right.

    M solves P_i . (M r) = Q_i . r for measured peaks Q_i and those P_i of the ideal lattice, in the
    least-squares sense. The lattice is turned such that M is upper triangular: the fast axis of the
    scan, which drift leaves alone, keeps its direction.

    Parameters
    ----------
    peaks : array_like, shape (2 or 3, 2)
        (qx, qy) [1/nm], by increasing angle, as `find_bragg_peaks` returns them.
    symmetry : {"square", "hexagonal"}
    lattice_nm : float, optional
        The lattice constant [nm]; by default the area of the unit cell is kept.

    Returns
    -------
    array, shape (2, 2)
        M, acting on (x, y), for `apply_affine`.

    Raises
    ------
    PreprocessError
        If the peaks are not nearly those of such a lattice.
    """
    measured = np.asarray(peaks, dtype=np.float64)
    turns = np.rint((_angle_deg(measured) - _angle_deg(measured)[0]) / STEP_DEG[symmetry])
    if len(set(turns)) < len(measured):
        raise PreprocessError(f"the Bragg peaks are not those of a {symmetry} lattice")
    angles = np.deg2rad(turns * STEP_DEG[symmetry])
    length = 1.0 if lattice_nm is None else _bragg_q(lattice_nm, symmetry)[0]
    ideal = length * np.column_stack([np.cos(angles), np.sin(angles)])
    turned = np.linalg.lstsq(ideal, measured, rcond=None)[0]
    matrix: Array = np.linalg.qr(turned)[1]
    matrix = matrix * np.sign(np.diag(matrix))[:, None]
    matrix[1, 0] = 0.0
    if lattice_nm is None:
        matrix /= np.sqrt(np.linalg.det(matrix))
    return matrix


def flattened(topograph: xr.DataArray) -> Array:
    """Return the mean over the biases without its surface, 0 where nothing was measured."""
    flat = level(topograph, 2).values.astype(np.float64)
    measured = np.isfinite(flat)
    total = np.where(measured, flat, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(measured.sum(axis=0), 1))


def _mean_plane(topograph: xr.DataArray) -> tuple[Array, float, float]:
    plane = flattened(topograph)
    taper = np.hanning(plane.shape[0] + 2)[1:-1, None] * np.hanning(plane.shape[1] + 2)[1:-1]
    return plane * taper, *pixel_nm(topograph)


def _spectrum(plane: Array, dy: float, dx: float) -> tuple[Array, Array, Array, Array]:
    """Return qy, qx [1/nm], |F| and its ratio to the median of the ring of equal |q|."""
    magnitude = np.fft.fftshift(np.abs(np.fft.fft2(plane)))
    qy, qx = (
        2 * np.pi * np.fft.fftshift(np.fft.fftfreq(n, d))
        for n, d in zip(plane.shape, (dy, dx), strict=True)
    )
    step = max(qy[1] - qy[0], qx[1] - qx[0])
    ring = np.rint(np.hypot(qy[:, None], qx[None, :]) / step).astype(int)
    typical = np.asarray(median(magnitude, ring, np.arange(ring.max() + 1)))
    return qy, qx, magnitude, magnitude / np.maximum(typical[ring], np.finfo(float).tiny)


def _bragg_q(lattice_nm: float, symmetry: Symmetry | None) -> tuple[float, ...]:
    """Return |Q| [1/nm] of first order: 2 pi / a, or 4 pi / (sqrt(3) a), or both if unknown."""
    square, hexagonal = 2 * np.pi / lattice_nm, 4 * np.pi / (np.sqrt(3) * lattice_nm)
    return {"square": (square,), "hexagonal": (hexagonal,)}.get(
        symmetry or "any", (square, hexagonal)
    )


def _strongest_family(
    candidates: Array, strength: Array, symmetry: Symmetry | None
) -> Array | None:
    """Return the pair of peaks, with the third of a hexagon, whose weaker one is strongest."""
    best, most = None, 0.0
    for i in range(len(candidates)):
        for j in range(i):
            family = _family(candidates[i], candidates[j], symmetry)
            weaker = min(strength[i], strength[j])
            if family is not None and weaker > most:
                best, most = family, weaker
    if best is None or symmetry != "hexagonal":
        return best
    third = best[0] - best[1]
    near = [
        candidate
        for candidate in candidates
        for sign in (-1, 1)
        if np.linalg.norm(sign * candidate - third) < 0.1 * np.linalg.norm(third)
    ]
    return np.vstack([best, near[:1]]) if near else best


def _family(first: Array, second: Array, symmetry: Symmetry | None) -> Array | None:
    lengths = np.hypot(*first), np.hypot(*second)
    cosine = first @ second / (lengths[0] * lengths[1])
    if cosine < 0 and symmetry == "hexagonal":
        second, cosine = -second, -cosine
    angle = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
    if symmetry is None:
        return np.stack([first, second]) if 30 <= angle <= 150 else None
    fits = abs(angle - STEP_DEG[symmetry]) <= LARGEST_ERROR_DEG
    alike = max(lengths) <= LENGTH_RATIO * min(lengths)
    return np.stack([first, second]) if fits and alike else None


def _refined(plane: Array, dy: float, dx: float, peak: Array, step: float) -> Array:
    """Return the maximum of |F| near a peak, in the half plane of angles from -90 to 90 degrees."""
    y, x = dy * np.arange(plane.shape[0]), dx * np.arange(plane.shape[1])

    def dark(q: Array) -> float:
        return -float(np.abs(np.exp(-1j * q[1] * y) @ plane @ np.exp(-1j * q[0] * x)))

    simplex = peak + 0.5 * step * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = minimize(
        dark,
        peak,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-4 * step, "fatol": 1e-9},
    )
    q: Array = found.x
    return q if q[0] > 0 or (q[0] == 0 and q[1] < 0) else -q


def _angle_deg(peaks: Array) -> Array:
    return np.rad2deg(np.arctan2(peaks[:, 1], peaks[:, 0]))
