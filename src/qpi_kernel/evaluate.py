"""How good are the kernels? Every method on the same scenes, of families that training never saw.

The score is the cosine similarity of kernel and truth outside the core (r > 3 px, mean removed),
for scenes drawn as in training: jittered positions, some missed, background, row offsets,
unfinished maps. Beside the methods stands what nobody can have in practice: the ridge regression
whose regularisation was chosen by looking at the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from qpi_kernel.extract import posterior
from qpi_kernel.extract.engine import iter_extract
from qpi_kernel.extract.grids import MODEL_WINDOW, make_grids, noise_level
from qpi_kernel.extract.prior import PriorShape, flat_prior
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.learn.scenes import Scene, draw_scene
from qpi_kernel.maps import make_map
from qpi_kernel.progress import Progress, Steps, drain
from qpi_kernel.scatterers import Scatterers

CORE_PX = 3.0
# Scales of the flat prior, relative to the size of the data: 30 dB either way.
RIDGE_SCALES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
METHODS = ("average", "best-lambda ridge", "wiener", "prior alone", "aligned")


@dataclass(frozen=True)
class Score:
    """Similarities of one method in one cell of the table.

    Parameters
    ----------
    family, method : str
    snr : float
    similarity : array
        One value per scene.
    """

    family: str
    snr: float
    method: str
    similarity: npt.NDArray[np.float64]


def similarity(kernel: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]) -> float:
    """Return the cosine similarity of two kernels on one odd window at r > 3 px, mean removed."""
    axis = np.arange(kernel.shape[-1]) - kernel.shape[-1] // 2
    ring = np.hypot(axis[:, None], axis[None, :]) > CORE_PX
    first, second = kernel[ring].astype(float), truth[ring].astype(float)
    first, second = first - first.mean(), second - second.mean()
    norm = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / norm) if norm > 0 else 0.0


def iter_evaluate(
    bank: npt.NDArray[np.float16],
    families: Sequence[str],
    *,
    snrs: Sequence[float] = (0.5, 1.0, 2.0, 10.0),
    scenes: int = 40,
    seed: int = 11,
    model: str | None = None,
) -> Steps[list[Score]]:
    """Score every method on `scenes` scenes of each family and SNR.

    Parameters
    ----------
    bank : array, shape (count, size, size)
        Kernels of held-out families.
    families : sequence of str
        Family of each kernel.
    snrs : sequence of float
        Variance of the ripples (cores cut out) over variance of the white noise.
    model : str, optional
        Model file; the shipped one by default.
    """
    scores = []
    labels = np.asarray(families)
    names = sorted(set(families))
    total, done = len(names) * len(snrs) * scenes, 0
    for family in names:
        for number, snr in enumerate(snrs):
            rng = np.random.default_rng([seed, number, names.index(family)])
            found: dict[str, list[float]] = {name: [] for name in METHODS}
            for _ in range(scenes):
                scene = draw_scene(
                    bank[labels == family], rng, 1, snr=(snr, snr * 1.0001), scatterers=(4.0, 60.0),
                    jitter_px=0.3,
                )  # fmt: skip
                for name, value in _score(scene, model).items():
                    found[name].append(value)
                done += 1
                yield Progress(done / total, f"{family}, SNR {snr:g}")
            scores += [Score(family, snr, name, np.array(v)) for name, v in found.items()]
    return scores


def markdown(scores: Sequence[Score]) -> str:
    """Return the scores as a table: median (10 % to 90 % quantile)."""
    lines = [
        "| family | SNR | " + " | ".join(METHODS) + " |",
        "|---|---|" + "---|" * len(METHODS),
    ]
    cells = {(s.family, s.snr, s.method): s.similarity for s in scores}
    for family, snr in dict.fromkeys((s.family, s.snr) for s in scores):
        row = []
        for method in METHODS:
            low, middle, high = np.quantile(cells[family, snr, method], [0.1, 0.5, 0.9])
            row.append(f"{middle:.3f} ({low:.2f} to {high:.2f})")
        lines.append(f"| {family} | {snr:g} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def _score(scene: Scene, model: str | None) -> dict[str, float]:
    didv, points = _as_map(scene)
    half = MODEL_WINDOW // 2
    middle = scene.kernel.shape[-1] // 2
    window = slice(middle - half, middle + half + 1)
    truth = scene.kernel[0, window, window].numpy()
    result: dict[str, float] = {}
    for method in ("average", "wiener", "aligned"):
        settings = ExtractSettings(method=method, window_nm=float(MODEL_WINDOW), samples=4)
        extraction = drain(iter_extract(didv, points, settings, "cpu", 0))
        result[method] = similarity(extraction.kernel.values[0], truth)
        if extraction.prior is not None:
            result["prior alone"] = similarity(extraction.prior.values[0], truth)
    ridges = ridge_kernels(didv, points, float(MODEL_WINDOW))
    result["best-lambda ridge"] = max(similarity(ridge.values[0], truth) for ridge in ridges)
    return result


def ridge_kernels(
    didv: xr.DataArray, scatterers: Scatterers, window_nm: float
) -> list[xr.DataArray]:
    """Solve for the kernel with regularisations of 30 dB either way; the truth may choose one."""
    grid, _ = make_grids(didv, window_nm, torch.device("cpu"))
    problem = grid.problem(scatterers, 2)
    flat, noise = flat_prior(problem), noise_level(grid.field, grid.mask)
    kernels = []
    for scale in RIDGE_SCALES:
        shape = PriorShape(flat.weighted, flat.scale * scale, flat.spectrum)
        ridge = drain(posterior.solve(problem, shape.on_window(grid.window, 1.0), noise))
        kernels.append(grid.kernel_map(ridge[:, 0], "ridge"))
    return kernels


def f1_score(found: Scatterers, true: Scatterers, didv: xr.DataArray, reach_nm: float) -> float:
    """Return 2 hits / (found + true) of the scatterers in the map, each paired at most once.

    A hit lies within `reach_nm` [nm] of its partner; pairs are chosen for the most hits.
    """
    x, y = didv["x"].values, didv["y"].values
    low, high = np.array([x[0], y[0]]), np.array([x[-1], y[-1]])
    first, second = (
        points.xy_nm[np.all((points.xy_nm >= low) & (points.xy_nm <= high), axis=1)]
        for points in (found, true)
    )
    if len(first) + len(second) == 0:
        return 1.0
    near = cdist(first, second) <= reach_nm
    pairs = linear_sum_assignment(near, maximize=True)
    return float(2 * near[pairs].sum() / (len(first) + len(second)))


def _as_map(scene: Scene) -> tuple[xr.DataArray, Scatterers]:
    """Return the first scene as a map of 1 nm pixels with the scatterers it is told."""
    values = np.where(scene.mask[0].numpy() > 0, scene.field[0].numpy(), np.nan)
    height, width = values.shape
    didv = make_map(
        values,
        bias_mV=[0.0],
        y_nm=np.arange(height, dtype=float),
        x_nm=np.arange(width, dtype=float),
    )
    told = scene.weights[0].numpy() != 0
    xy = scene.places[0].numpy()[told][:, ::-1].astype(float)
    return didv, Scatterers(xy, scene.weights[0].numpy()[told].astype(float))
