"""The order of an extraction: grids, scatterers, rounds of kernel and positions, final solution.

The rounds run on the model grid, the last solution on the measured pixels.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor

import qpi_kernel
from qpi_kernel.errors import QpiError
from qpi_kernel.extract import posterior
from qpi_kernel.extract.average import average
from qpi_kernel.extract.find import iter_find
from qpi_kernel.extract.grids import Grid, make_grids, noise_level, without
from qpi_kernel.extract.halves import iter_half_agreement
from qpi_kernel.extract.machine import choose_device, gpu_memory
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.rounds import iter_rounds
from qpi_kernel.extract.sbd import iter_sbd
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.extract.species import iter_tell_apart
from qpi_kernel.extract.stack import iter_within_memory
from qpi_kernel.extract.surroundings import with_confidence
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
    with _spare_core(), gpu_memory():
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


@contextmanager
def _spare_core() -> Iterator[None]:
    """Leave a core to everybody else while torch computes.

    A team of threads waits for its slowest member, spinning: with one core taken by a window or
    another program, a team on all cores is several times slower than one on all but one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 1) - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


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

    blind = scatterers is None
    # Deconvolution has weighed every scatterer against all others already.
    may_add = blind and settings.method != "sbd"
    if scatterers is None and settings.method == "sbd":
        search = iter_sbd(coarse, settings.background_degree, generator)
        scatterers = yield from scaled(search, 0.02, 0.1)
    elif scatterers is None:
        finder = load_model(settings.model, str(place))
        scatterers = yield from scaled(iter_find(coarse, finder), 0.02, 0.1)
    scatterers = _near(scatterers, measured)
    model = load_model(settings.model, str(place)) if settings.method == "aligned" else None

    if settings.method == "average":
        problem = measured.problem(scatterers, settings.background_degree)
        kernel, spread = average(problem)
        prior, small = None, coarse.problem(scatterers, settings.background_degree)
        level = noise_level(coarse.field, coarse.mask)
        numbers: dict[str, Tensor] = {}
    else:
        state = yield from scaled(
            iter_rounds(coarse, scatterers, settings, model, may_add, generator), 0.1, 0.6
        )
        if settings.max_species > 1:
            steps = iter_tell_apart(coarse, state, settings, model, generator)
            state = yield from scaled(steps, 0.6, 0.6)
        scatterers = state.scatterers
        coarse = without(coarse, state.foreign)
        small = coarse.problem(scatterers, settings.background_degree)
        level = state.noise
        effective = level * posterior.swelling(small, state.kernel)
        wide = state.shape.on_window(coarse.window, 1.0)

        def draw(part: slice) -> Steps[tuple[Tensor, ...]]:
            draws, _ = yield from posterior.sample(
                small.only(part), wide.only(part), effective[part], settings.samples, generator
            )
            return (_smooth_spread(draws),)

        (rough,) = yield from scaled(posterior.in_chunks(small, draw), 0.6, 0.75)
        pitch = measured.pixel / coarse.pixel
        measured = without(measured, state.foreign)
        problem = measured.problem(scatterers, settings.background_degree)
        fine = state.shape.on_window(measured.window, pitch)

        # A prior that knows nothing must not gain where the data say less: it would only shrink the
        # kernel. The same noise per area on both grids weighs data and prior alike.
        weighing = (level if model is None else effective) / pitch

        def finish(part: slice) -> Steps[tuple[Tensor, ...]]:
            kernel = yield from posterior.solve(problem.only(part), fine.only(part), weighing[part])
            return (kernel,)

        (kernel,) = yield from scaled(posterior.in_chunks(problem, finish), 0.75, 0.9)
        origin_px = origin_error_px(small, state.marking_px) / pitch
        spread = whole_spread(
            _on_grid(rough, measured, pitch), kernel, origin_px, size_error(small), found=blind
        )
        prior = fine.mean if model is not None else None
        numbers = {
            "prior_widening": state.widening,
            "effective_noise": (effective / pitch)[:, None].expand_as(state.widening),
            "origin_error_nm": (measured.pixel * origin_px).expand_as(state.widening),
        }
    agreement, chance = yield from scaled(iter_half_agreement(small, level, generator), 0.9, 0.97)
    numbers |= {"half_agreement": agreement, "half_agreement_chance": chance}
    noise = noise_level(measured.field, measured.mask)
    scatterers = with_confidence(scatterers, problem, kernel, noise)
    yield Progress(0.97, "reconstructing the map")
    return _result(
        measured, problem, kernel, spread, prior, noise, scatterers, settings, numbers,
        _provenance(model, place, seed, window_nm, blind),
    )  # fmt: skip


def _near(scatterers: Scatterers, grid: Grid) -> Scatterers:
    """Keep the scatterers whose kernel window reaches into the map."""
    places, _ = grid.to_pixels(scatterers)
    half = grid.window // 2
    size = torch.tensor(grid.field.shape[-2:], device=places.device)
    keep = ((places > -half) & (places < size + half)).all(-1).cpu().numpy()
    inside = ((places > -1) & (places < size)).all(-1).cpu().numpy()
    if not inside.any():
        raise QpiError(
            f"none of the {len(scatterers)} scatterers lies in the map; mark at least one, or leave"
            " them out to have them found"
        )
    return scatterers.select(keep)


def _smooth_spread(draws: Tensor) -> Tensor:
    """Return the standard deviation of the draws, its sampling noise smoothed over 3 x 3 px."""
    variance = draws.var(0)
    padded = torch.nn.functional.pad(variance, (1, 1, 1, 1), mode="replicate")
    return torch.nn.functional.avg_pool2d(padded, 3, stride=1).sqrt()


def _on_grid(image: Tensor, grid: Grid, pitch: float) -> Tensor:
    if pitch == 1.0:
        return image
    size = (grid.window, grid.window)
    return torch.nn.functional.interpolate(image, size, mode="bilinear")


def _result(
    grid: Grid,
    problem: NormalEquations,
    kernel: Tensor,
    spread: Tensor,
    prior: Tensor | None,
    noise: Tensor,
    scatterers: Scatterers,
    settings: ExtractSettings,
    numbers: Mapping[str, Tensor],
    provenance: Mapping[str, Any],
) -> Extraction:
    """Gather what was found on the measured grid; `numbers` are (bias, species) each."""
    waves = problem.forward(kernel)
    background = problem.background(grid.field - waves, settings.background_degree)
    finite = np.isfinite(grid.didv.values).all(axis=0)
    # The field had its mean taken off for the sake of float32.
    offset = np.where(finite, grid.didv.values, 0).sum((1, 2), dtype=float) / finite.sum()
    smooth = background.cpu().numpy() + offset[:, None, None]
    backdrop = grid.map(smooth, "background")
    level = noise.cpu().numpy().astype(np.float64)
    used = grid.mask.cpu().numpy() > 0

    def part(number: int, own: Scatterers, others: npt.NDArray[Any]) -> Extraction:
        return Extraction(
            didv=grid.didv.copy(data=grid.didv.values - others),
            kernel=grid.kernel_map(kernel[:, number], "kernel"),
            spread=grid.kernel_map(spread[:, number], "kernel spread"),
            prior=None if prior is None else grid.kernel_map(prior[:, number], "prior"),
            background=backdrop,
            reconstruction=grid.map(waves.cpu().numpy() - others + smooth, "reconstruction"),
            scatterers=own,
            noise=level,
            settings=settings,
            numbers={name: _floats(values[:, number]) for name, values in numbers.items()},
            provenance=provenance,
            used=used,
        )

    whole = part(0, scatterers, np.zeros((), np.float32))
    if len(problem.members) == 1:
        return whole
    each = problem.waves(kernel).cpu().numpy()
    parts = [
        part(number, scatterers.select(scatterers.species == label), others)
        for number, (label, others) in enumerate(
            zip(scatterers.labels, waves.cpu().numpy()[None] - each.swapaxes(0, 1), strict=True)
        )
    ]
    return replace(whole, parts=tuple(parts))


def _provenance(
    model: Model | None, device: torch.device, seed: int, window_nm: float, blind: bool
) -> dict[str, Any]:
    return {
        "version": qpi_kernel.__version__,
        "model": model.card["name"] if model else None,
        "model_sha256": model.sha256 if model else None,
        "device": str(device),
        "seed": seed,
        "window_nm": window_nm,
        "scatterers": "found in the map" if blind else "given",
    }


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
