"""The order of an extraction: grids, scatterers, rounds of kernel and positions, final solution.

The rounds run on the model grid, the last solution on the measured pixels.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
import xarray as xr
from torch import Tensor

import qpi_kernel
from qpi_kernel.extract import posterior
from qpi_kernel.extract.all_biases import iter_all_biases, strongest
from qpi_kernel.extract.answer import Answer, gather
from qpi_kernel.extract.average import average
from qpi_kernel.extract.find import iter_find
from qpi_kernel.extract.grids import Grid, make_grids, near, without
from qpi_kernel.extract.halves import iter_half_agreement
from qpi_kernel.extract.machine import choose_device, gpu_memory, spare_core
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.rounds import State, iter_rounds
from qpi_kernel.extract.sbd import iter_sbd
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.extract.species import iter_tell_apart
from qpi_kernel.extract.stack import iter_within_memory
from qpi_kernel.extract.uncertainty import origin_error_px, size_error, whole_spread
from qpi_kernel.learn.model import Model, load_model
from qpi_kernel.locate import suggest_window_nm
from qpi_kernel.maps import check_map
from qpi_kernel.progress import Progress, Steps, drain, scaled
from qpi_kernel.scatterers import Scatterers


def iter_extract(
    didv: xr.DataArray,
    scatterers: Scatterers | None = None,
    settings: ExtractSettings | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Steps[Extraction]:
    """Extract the kernel of one scatterer, step by step.

    A stack too large for memory is extracted a few biases at a time, with the scatterers that some
    of its biases show (``provenance["scatterers_from_mV"]``). Where the memory of the GPU is too
    small, it is given fewer biases; with ``device="auto"`` the CPU takes over at last.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        The map, or the region of it to use; NaN where nothing was measured.
    scatterers : Scatterers, optional
        Where the scatterers are; None finds them (blind extraction).
    settings : ExtractSettings, optional
    device : {"auto", "cpu", "cuda"}
    seed : int
        Of the posterior draws.

    Returns
    -------
    Steps of Extraction
        A generator of `Progress` that returns the result.

    Raises
    ------
    QpiError
        If the map, the window or the scatterers do not allow an extraction; a `GpuMemoryError` if
        the memory of the GPU is too small.
    """
    check_map(didv)
    place, chosen = choose_device(device), settings or ExtractSettings()
    extract, may_move = partial(_extract, seed=seed), device == "auto"
    with spare_core(), gpu_memory():
        return (
            yield from iter_within_memory(
                extract, didv, scatterers, chosen, place, may_move=may_move
            )
        )


def extract_kernel(
    didv: xr.DataArray,
    scatterers: Scatterers | None = None,
    settings: ExtractSettings | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Extraction:
    """Extract the kernel of one scatterer; see `iter_extract`."""
    return drain(iter_extract(didv, scatterers, settings, device, seed))


def _extract(
    didv: xr.DataArray,
    scatterers: Scatterers | None,
    settings: ExtractSettings,
    place: torch.device,
    seed: int,
) -> Steps[Extraction]:
    generator = torch.Generator().manual_seed(seed)
    yield Progress(0.0, "preparing the map")
    window_nm = settings.window_nm or suggest_window_nm(didv)
    measured, coarse = make_grids(didv, window_nm, place)

    found = scatterers is None
    strong = strongest(coarse, settings.background_degree)
    model = load_model(settings.model, str(place)) if settings.method == "aligned" else None
    state: State | None = None
    if scatterers is not None:
        scatterers = near(scatterers, measured)
    elif settings.method == "sbd":
        search = iter_sbd(coarse, settings.background_degree, generator)
        scatterers = near((yield from scaled(search, 0.02, 0.4)), measured)
    else:
        finder = model or load_model(settings.model, str(place))
        finding = iter_find(coarse, strong, settings, finder, generator)
        state = yield from scaled(finding, 0.02, 0.4)
        scatterers = state.scatterers

    if settings.method == "average":
        answer = _average(measured, coarse, scatterers, settings)
    else:
        # A state without a model of its own was found with one that only tells the places.
        if state is None or model is None:
            steps = iter_rounds(coarse.at(strong), scatterers, settings, model, False, generator)
            state = yield from scaled(steps, 0.4 if found else 0.1, 0.6)
        solving = _solve(measured, coarse, strong, state, settings, model, generator, found)
        answer = yield from scaled(solving, 0.6, 0.9)
    halves = iter_half_agreement(answer.small, answer.level, generator)
    agreement, chance = yield from scaled(halves, 0.9, 0.97)
    yield Progress(0.97, "reconstructing the map")
    return gather(
        measured,
        replace(
            answer,
            numbers={
                **answer.numbers, "half_agreement": agreement, "half_agreement_chance": chance,
            },
        ),
        settings,
        _provenance(model, place, seed, window_nm, found),
    )  # fmt: skip


def _average(
    measured: Grid, coarse: Grid, scatterers: Scatterers, settings: ExtractSettings
) -> Answer:
    problem = measured.problem(scatterers, settings.background_degree)
    small = coarse.problem(scatterers, settings.background_degree)
    kernel, spread = average(problem)
    level = coarse.white
    return Answer(scatterers, problem, small, level, kernel, spread, None, {})


def _solve(
    measured: Grid,
    coarse: Grid,
    strong: Tensor,
    state: State,
    settings: ExtractSettings,
    model: Model | None,
    generator: torch.Generator,
    found: bool,
) -> Steps[Answer]:
    """Go on from the scatterers that the strongest biases tell to the kernels of all."""
    if settings.max_species > 1:
        telling = iter_tell_apart(coarse.at(strong), state, settings, model, generator)
        state = yield from scaled(telling, 0.0, 0.1)
    everywhere = iter_all_biases(coarse, strong, state, settings, model, generator, found=found)
    state = yield from scaled(everywhere, 0.1, 0.4)
    small = without(coarse, state.foreign).problem(state.scatterers, settings.background_degree)
    effective = state.noise * posterior.swelling(small, state.kernel)
    wide = state.shape.on_window(coarse.window, 1.0)

    def draw(part: slice) -> Steps[tuple[Tensor, ...]]:
        draws, _ = yield from posterior.sample(
            small.only(part), wide.only(part), effective[part], settings.samples, generator
        )
        return (_smooth_spread(draws),)

    (rough,) = yield from scaled(posterior.in_chunks(small, draw), 0.4, 0.7)
    pitch = measured.pixel / coarse.pixel
    problem = without(measured, state.foreign).problem(state.scatterers, settings.background_degree)
    fine = state.shape.on_window(measured.window, pitch)

    # A prior that knows nothing must not gain where the data say less: it would only shrink the
    # kernel. The same noise per area on both grids weighs data and prior alike.
    weighing = (state.noise if model is None else effective) / pitch

    def finish(part: slice) -> Steps[tuple[Tensor, ...]]:
        kernel = yield from posterior.solve(problem.only(part), fine.only(part), weighing[part])
        return (kernel,)

    (kernel,) = yield from scaled(posterior.in_chunks(problem, finish), 0.7, 1.0)
    origin_px = origin_error_px(small, state.marking_px) / pitch
    spread = whole_spread(
        _on_grid(rough, measured, pitch), kernel, origin_px, size_error(small), found=found
    )
    numbers = {
        "prior_widening": state.widening,
        "effective_noise": (effective / pitch)[:, None].expand_as(state.widening),
        "origin_error_nm": (measured.pixel * origin_px).expand_as(state.widening),
    }
    prior = fine.mean if model is not None else None
    return Answer(state.scatterers, problem, small, state.noise, kernel, spread, prior, numbers)


def _smooth_spread(draws: Tensor) -> Tensor:
    """Return the standard deviation of the draws, its sampling noise smoothed over 5 x 5 px."""
    padded = torch.nn.functional.pad(draws.var(0), (2, 2, 2, 2), mode="replicate")
    return torch.nn.functional.avg_pool2d(padded, 5, stride=1).sqrt()


def _on_grid(image: Tensor, grid: Grid, pitch: float) -> Tensor:
    if pitch == 1.0:
        return image
    size = (grid.window, grid.window)
    return torch.nn.functional.interpolate(image, size, mode="bilinear")


def _provenance(
    model: Model | None, device: torch.device, seed: int, window_nm: float, found: bool
) -> dict[str, Any]:
    return {
        "version": qpi_kernel.__version__,
        "model": model.card["name"] if model else None,
        "model_sha256": model.sha256 if model else None,
        "device": str(device),
        "seed": seed,
        "window_nm": window_nm,
        "scatterers": "found in the map" if found else "given",
    }
