"""What a verdict rests on: numbers of a map and of its kernels, one value per bias each."""

import numpy as np
import numpy.typing as npt

from qpi_kernel.extract.misplaced import repeated_pair
from qpi_kernel.extract.result import Extraction
from qpi_kernel.maps import pixel_nm

# Within so many pixels of the scatterer lies its core, which says nothing about the ripples.
CORE_PX = 3.0


def map_numbers(result: Extraction) -> dict[str, list[float]]:
    """Return what concerns the map as a whole, one value per bias each."""
    residual = result.residual.values
    signal = result.didv.values - result.background.values
    finite = np.isfinite(residual) & (True if result.used is None else result.used)
    rest = np.array([float(np.mean(r[f] ** 2)) for r, f in zip(residual, finite, strict=True)])
    power = np.array([float(np.mean(s[f] ** 2)) for s, f in zip(signal, finite, strict=True)])
    white = np.minimum(result.noise**2, rest)
    tiny = np.finfo(np.float32).tiny
    return {
        "explained_variance": _list(1 - rest / np.maximum(power, tiny)),
        "explained_structure": _list(
            (power - rest) / np.maximum(power - white, 0.05 * power + tiny)
        ),
        "residual_over_noise": _list(np.sqrt(rest) / np.maximum(result.noise, tiny)),
        "share_used": _list(finite.mean(axis=(1, 2))),
        "repeated_pairs": _list(np.full(len(rest), _repeated_pairs(result))),
    }


def kernel_numbers(part: Extraction) -> dict[str, list[float]]:
    """Return what concerns the kernel of one species, one value per bias each."""
    outside = _outside_core(part)
    kernel, spread = part.kernel.values[:, outside], part.spread.values[:, outside]
    centred = kernel - kernel.mean(axis=1, keepdims=True)
    size = np.linalg.norm(centred, axis=1)
    tiny = np.finfo(np.float32).tiny
    numbers = {
        "spread_over_kernel": _list(np.linalg.norm(spread, axis=1) / np.maximum(size, tiny)),
        "effective_averages": _list(np.full(len(size), _averages(part))),
        "weight_scatter": _list(np.full(len(size), _weight_scatter(part))),
        **{name: list(values) for name, values in part.numbers.items()},
    }
    if part.prior is not None:
        prior = part.prior.values[:, outside]
        prior = prior - prior.mean(axis=1, keepdims=True)
        overlap = np.sum(prior * centred, axis=1)
        norms = np.linalg.norm(prior, axis=1) * size
        numbers["prior_similarity"] = _list(overlap / np.maximum(norms, tiny))
    return numbers


def _outside_core(result: Extraction) -> npt.NDArray[np.bool_]:
    y, x = result.kernel["y"].values, result.kernel["x"].values
    distance = np.hypot(y[:, None], x[None, :])
    # In pixels of the grid the network sees, so that oversampling does not move the border.
    return np.asarray(distance > CORE_PX * max(pixel_nm(result.kernel)[0], np.ptp(x) / 63))


def _inside(result: Extraction) -> npt.NDArray[np.bool_]:
    x, y = result.didv["x"].values, result.didv["y"].values
    sx, sy = result.scatterers.xy_nm.T
    return np.asarray((sx >= x[0]) & (sx <= x[-1]) & (sy >= y[0]) & (sy <= y[-1]))


def _weight_scatter(result: Extraction) -> float:
    """Return the standard deviation of the weights over their median size."""
    weights = result.scatterers.weight[_inside(result)]
    if len(weights) < 2:
        return 0.0
    return float(weights.std() / max(np.median(np.abs(weights)), np.finfo(np.float32).tiny))


def _averages(result: Extraction) -> float:
    return float(np.sum(result.scatterers.weight[_inside(result)] ** 2))


def _repeated_pairs(result: Extraction) -> float:
    """Return the share of scatterers with a partner where others have theirs, less chance's."""
    xy = result.scatterers.xy_nm[_inside(result)]
    area = np.ptp(result.didv["x"].values) * np.ptp(result.didv["y"].values)
    reach, step = np.ptp(result.kernel["x"].values), 2 * max(pixel_nm(result.didv))
    return repeated_pair(xy, float(reach), step, float(area))[1]


def _list(values: npt.NDArray[np.floating]) -> list[float]:
    return [float(value) for value in values]
