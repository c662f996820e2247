"""One scene, every method: what each of them makes of it, and how long it takes."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from qpi_kernel.assessment import assess
from qpi_kernel.errors import QpiError
from qpi_kernel.evaluate.measures import coverage, f1_score, kernel_measures, ridge_kernels
from qpi_kernel.evaluate.scenes import PIXEL_NM, PIXELS, WINDOW_NM, Scene
from qpi_kernel.extract.engine import extract_kernel
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.settings import ExtractSettings, Method
from qpi_kernel.maps import make_map
from qpi_kernel.progress import Progress, Steps
from qpi_kernel.scatterers import Scatterers

Row = dict[str, Any]
# A scatterer is found if it lies within 2 px or 0.3 nm, whichever is more.
REACH_NM = max(2 * PIXEL_NM, 0.3)
KNOWN: tuple[Method, ...] = ("aligned", "wiener", "average")
BLIND: tuple[Method, ...] = ("aligned", "sbd")
RIDGES = ("ridge, exact positions", "ridge")
# What a method that refuses a map is worth.
NOTHING = {"similarity": 0.0, "signed_similarity": 0.0, "log_q": 0.0, "ring_error": 1.0}


def iter_trial(scene: Scene, seed: int, model: str | None = None) -> Steps[dict[str, Row]]:
    """Let every method try a scene.

    Parameters
    ----------
    scene : Scene
    seed : int
        Of shuffled positions and of pure noise.
    model : str, optional
        Model file; the shipped one by default.

    Returns
    -------
    Steps of dict
        For each method what `kernel_measures` measures, seconds of the processor, and, where the
        method has them, verdict, coverage of the 90 % band and F1 of the scatterers.
    """
    rows: dict[str, Row] = {}
    for method in KNOWN:
        yield Progress(len(rows) / 10, f"{method}, positions known")
        result, row = _extracted(scene, method, scene.told, model)
        rows[method] = row
        if result is not None and result.prior is not None:
            rows["prior alone"] = kernel_measures(result.prior, scene.truth)
    for name, points in zip(RIDGES, (scene.true, scene.told), strict=True):
        yield Progress(len(rows) / 10, name)
        ridges = ridge_kernels(scene.didv, points, WINDOW_NM)
        tried = [kernel_measures(ridge, scene.truth) for ridge in ridges]
        rows[name] = max(tried, key=lambda measured: measured["similarity"])
    for method in BLIND:
        yield Progress(len(rows) / 10, f"{method}, blind")
        result, row = _extracted(scene, method, None, model)
        found = Scatterers(np.zeros((0, 2))) if result is None else result.scatterers
        row["f1"] = f1_score(found, scene.true, scene.didv, REACH_NM)
        rows[f"{method}, blind"] = row
    rng = np.random.default_rng(seed)
    yield Progress(0.9, "shuffled positions")
    shuffled = Scatterers(rng.uniform(0, PIXELS * PIXEL_NM, scene.told.xy_nm.shape))
    rows["shuffled"] = {"verdict": _extracted(scene, "aligned", shuffled, model)[1]["verdict"]}
    yield Progress(0.95, "pure noise")
    axis = scene.didv["x"].values
    noise = make_map(rng.normal(size=(axis.size,) * 2), bias_mV=[0.0], y_nm=axis, x_nm=axis)
    nothing = replace(scene, didv=noise)
    rows["noise"] = {"verdict": _extracted(nothing, "aligned", scene.told, model)[1]["verdict"]}
    return rows


def _extracted(
    scene: Scene, method: Method, points: Scatterers | None, model: str | None
) -> tuple[Extraction | None, Row]:
    settings = ExtractSettings(method=method, window_nm=WINDOW_NM, model=model)
    start = time.process_time()
    try:
        result = extract_kernel(scene.didv, points, settings, "cpu")
    except QpiError:
        return None, {**NOTHING, "seconds": time.process_time() - start, "verdict": "refused"}
    row: Row = {"seconds": time.process_time() - start, "verdict": assess(result).verdict}
    row |= kernel_measures(result.kernel, scene.truth)
    row["coverage"] = coverage(result.kernel, result.spread, scene.truth)
    return result, row
