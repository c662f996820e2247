"""What a kernel and its scatterers are worth beside the truth."""

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from qpi_kernel.extract import posterior
from qpi_kernel.extract.grids import make_grids
from qpi_kernel.extract.prior import PriorShape, flat_prior
from qpi_kernel.progress import drain
from qpi_kernel.qspace.rings import ring_radius
from qpi_kernel.qspace.similarity import core_free_similarity, log_power_correlation
from qpi_kernel.scatterers import Scatterers

CORE_PX = 3.0
# Scales of the flat prior, relative to the size of the data: 30 dB either way.
RIDGE_SCALES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# Half width of the 90 % band of a normal distribution in standard deviations.
BAND = 1.645


def similarity(kernel: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]) -> float:
    """Return the cosine similarity of two kernels on one odd window at r > 3 px, mean removed.

    Neither shift nor sign is free; see `qpi_kernel.qspace.similarity` where they are.
    """
    ring = outside_core(kernel.shape[-1])
    first, second = kernel[ring].astype(float), truth[ring].astype(float)
    first, second = first - first.mean(), second - second.mean()
    norm = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / norm) if norm > 0 else 0.0


def kernel_measures(kernel: xr.DataArray, truth: xr.DataArray) -> dict[str, float]:
    """Return the measures of the first slice of a kernel on the grid of the truth.

    ``similarity`` at r > 3 px with free sign and ``signed_similarity``, both at the best shift;
    ``log_q``, the correlation of log |F|; ``ring_error``, |q - q0| / q0 of the strongest ring, 1
    where the kernel has none.
    """
    aim, found = float(ring_radius(truth)[0]), float(ring_radius(kernel)[0])
    return {
        "similarity": float(core_free_similarity(kernel, truth, free_sign=True)[0]),
        "signed_similarity": float(core_free_similarity(kernel, truth)[0]),
        "log_q": float(log_power_correlation(kernel, truth)[0]),
        "ring_error": abs(found - aim) / aim if np.isfinite(found) else 1.0,
    }


def coverage(kernel: xr.DataArray, spread: xr.DataArray, truth: xr.DataArray) -> float:
    """Return the share of pixels outside the core whose truth lies in the 90 % band.

    The constant by which kernel and truth differ there belongs to the background of the map.
    """
    outside = outside_core(truth.sizes["x"])
    error = (kernel.values[0] - truth.values[0])[outside]
    return float(np.mean(np.abs(error - error.mean()) <= BAND * spread.values[0][outside]))


def f1_score(found: Scatterers, true: Scatterers, didv: xr.DataArray, reach_nm: float) -> float:
    """Return 2 hits / (found + true) of the scatterers in the map, each paired at most once.

    A hit lies within `reach_nm` [nm] of its partner; pairs are chosen for the most hits.
    """
    first, second = (inside(points, didv).xy_nm for points in (found, true))
    if len(first) + len(second) == 0:
        return 1.0
    near = cdist(first, second) <= reach_nm
    pairs = linear_sum_assignment(near, maximize=True)
    return float(2 * near[pairs].sum() / (len(first) + len(second)))


def inside(scatterers: Scatterers, didv: xr.DataArray) -> Scatterers:
    """Return the scatterers that lie in a map."""
    x, y = didv["x"].values, didv["y"].values
    low, high = np.array([x[0], y[0]]), np.array([x[-1], y[-1]])
    xy = scatterers.xy_nm
    return scatterers.select(np.all((xy >= low) & (xy <= high), axis=1))


def ridge_kernels(
    didv: xr.DataArray, scatterers: Scatterers, window_nm: float
) -> list[xr.DataArray]:
    """Solve for the kernel with regularisations of 30 dB either way; the truth may choose one."""
    grid, _ = make_grids(didv, window_nm, torch.device("cpu"))
    problem = grid.problem(scatterers, 2)
    flat, noise = flat_prior(problem), grid.white
    kernels = []
    for scale in RIDGE_SCALES:
        shape = PriorShape(flat.weighted, flat.scale * scale, flat.spectrum)
        ridge = drain(posterior.solve(problem, shape.on_window(grid.window, 1.0), noise))
        kernels.append(grid.kernel_map(ridge[:, 0], "ridge"))
    return kernels


def outside_core(size: int) -> npt.NDArray[np.bool_]:
    """Return where a window of odd side is farther than 3 px from its scatterer."""
    axis = np.arange(size) - size // 2
    return np.asarray(np.hypot(axis[:, None], axis[None, :]) > CORE_PX)
