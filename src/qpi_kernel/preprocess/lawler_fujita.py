"""The displacement field of a lattice: local phases of its Bragg waves.

M. J. Lawler, K. Fujita et al., Nature 466, 347 (2010).
"""

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import gaussian_filter
from skimage.restoration import unwrap_phase

from qpi_kernel.maps import check_map, pixel_nm
from qpi_kernel.preprocess.lattice import find_bragg_peaks, flattened
from qpi_kernel.preprocess.slices import Array, PreprocessError, robust_sigma

PERIODS = 3.0
ROUNDS = 4
# Cores of scatterers are clipped, so that their weight in the phase is that of a lattice site.
CLIP_SIGMA = 4.0


def displacement_field(
    topograph: xr.DataArray,
    peaks: npt.ArrayLike | None = None,
    smoothing_nm: float | None = None,
) -> xr.DataArray:
    """Return where the points of a scan lie in its own mean lattice.

    A tip that is at r + d(r) while the scan says r sees T(r) = sum_i A_i cos(Q_i.(r + d(r))). The
    phases of the Bragg waves

        phi_i(r) = arg sum_r' T(r') exp(-i Q_i.r') exp(-(r - r')^2 / (2 L^2)) = Q_i.d(r) + const

    are unwrapped, and d = [Q]^-1 (phi - <phi>). The sum is repeated with the phases found so far
    taken out, which undoes its bias at the borders and where d bends. A plane in phi belongs to the
    mean lattice, which `lattice_matrix` can set right afterwards.

    Parameters
    ----------
    topograph : xarray.DataArray, (bias, y, x)
        A topograph or map with atomic resolution; of several biases the mean decides.
    peaks : array_like, shape (2 or 3, 2), optional
        Bragg peaks (qx, qy) [1/nm]; by default `find_bragg_peaks` finds them.
    smoothing_nm : float, optional
        L [nm]; by default three periods of the lattice, at least a pixel and at most a fifth of the
        frame.

    Returns
    -------
    xarray.DataArray, (axis, y, x)
        d [nm] along x and y, for `undistort`; d has neither mean nor slope.

    Raises
    ------
    PreprocessError
        If no Bragg peaks stand out, or L is larger than a fifth of the frame.
    """
    check_map(topograph)
    q = find_bragg_peaks(topograph) if peaks is None else np.asarray(peaks, dtype=np.float64)
    dy, dx = pixel_nm(topograph)
    side = min(topograph.sizes["y"] * dy, topograph.sizes["x"] * dx)
    period = 2 * np.pi / float(np.mean(np.hypot(*q.T)))
    width = min(PERIODS * period, side / 5) if smoothing_nm is None else smoothing_nm
    if not max(dy, dx) <= width <= side / 5:
        raise PreprocessError(
            f"phases averaged over {width:g} nm say nothing about a map of {side:g} nm with pixels"
            f" of {max(dy, dx):.3g} nm: choose {max(dy, dx):.3g} to {side / 5:.3g} nm"
        )
    waves = _lattice_waves(topograph, period)
    y = topograph["y"].values - topograph["y"].values.mean()
    x = topograph["x"].values - topograph["x"].values.mean()
    phases, refined = [], []
    pitch = np.array([dy, dx])
    for peak in q:
        carrier = peak[0] * x[None, :] + peak[1] * y[:, None]
        phase = _local_phase(waves, carrier, period / pitch, width / pitch)
        rest, slope = _without_plane(phase, y, x)
        phases.append(rest)
        refined.append(peak + slope)
    inverse = np.linalg.pinv(np.array(refined))
    displacement = np.tensordot(inverse, np.stack(phases), 1)
    return xr.DataArray(
        displacement,
        dims=("axis", "y", "x"),
        coords={"axis": ["x", "y"], "y": topograph["y"], "x": topograph["x"]},
        name="displacement",
        attrs={"units": "nm", "smoothing_nm": float(width)},
    )


def _lattice_waves(topograph: xr.DataArray, period: float) -> Array:
    """Return the topograph without what varies over more than a period, and without high cores."""
    plane = flattened(topograph)
    sigma = [0.5 * period / pitch for pitch in pixel_nm(topograph)]
    waves = plane - gaussian_filter(plane, sigma, mode="nearest")
    limit = CLIP_SIGMA * robust_sigma(waves)
    measured = np.isfinite(topograph.values).any(axis=0)
    return np.where(measured, np.clip(waves, -limit, limit), 0.0)


def _local_phase(waves: Array, carrier: Array, period: Array, width: Array) -> Array:
    """Return the unwrapped phase of a wave about its carrier, averaged over `width` [px].

    Averaged over a single period first, the phase does not slip where it bends; what it smooths to
    is then only corrected.
    """
    phase = np.zeros_like(waves)
    for number in range(ROUNDS):
        still = waves * np.exp(-1j * (carrier + phase))
        reach = width if number else period
        local = np.angle(
            gaussian_filter(still.real, reach, mode="constant")
            + 1j * gaussian_filter(still.imag, reach, mode="constant")
        )
        phase += local if number else gaussian_filter(unwrap_phase(local, rng=0), width)
    return phase


def _without_plane(phase: Array, y: Array, x: Array) -> tuple[Array, Array]:
    """Return a phase without its mean and slope, and the slope along (x, y)."""
    slope = np.array(
        [
            (phase * x[None, :]).mean() / (x**2).mean(),
            (phase * y[:, None]).mean() / (y**2).mean(),
        ]
    )
    return phase - phase.mean() - slope[0] * x[None, :] - slope[1] * y[:, None], slope
