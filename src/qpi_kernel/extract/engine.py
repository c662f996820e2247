"""The order of an extraction: grids, scatterers, rounds of kernel and positions, final solution.

Every round solves for the kernel with the scatterers held, then for the scatterers with the kernel
held; blind runs also add the scatterers that the residual asks for and drop those it does not. The
rounds run on the model grid; the last solution runs on the measured pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import qpi_kernel
from qpi_kernel.errors import QpiError
from qpi_kernel.extract import posterior
from qpi_kernel.extract.average import average
from qpi_kernel.extract.grids import Grid, make_grids, noise_level, without
from qpi_kernel.extract.halves import iter_half_agreement
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.prior import PriorShape, flat_prior, learned_prior
from qpi_kernel.extract.refine import add_and_drop, refine
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.learn.model import Model, load_model
from qpi_kernel.locate import LocateSettings, iter_locate, suggest_window_nm
from qpi_kernel.maps import check_map
from qpi_kernel.progress import Progress, Steps, drain, scaled
from qpi_kernel.scatterers import Scatterers

KNOWN_ROUNDS = 2
BLIND_ROUNDS = 4
# Refining on the strongest slices of a long energy stack is as good as on all of them.
REFINE_BIASES = 8
# White noise never reaches this many standard deviations in a map of a million pixels.
FOREIGN_SIGMA, FOREIGN_SHARE = 5.5, 0.1


@dataclass(frozen=True)
class _State:
    """What the rounds improve."""

    scatterers: Scatterers
    shape: PriorShape
    kernel: Tensor
    noise: Tensor
    widening: Tensor
    foreign: Tensor


def choose_device(device: str) -> torch.device:
    """Return the torch device for "auto", "cpu" or "cuda".

    Raises
    ------
    QpiError
        If CUDA is asked for and there is none, or the name is unknown.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device not in ("cpu", "cuda"):
        raise QpiError(f"unknown device {device!r}; choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise QpiError("CUDA was asked for, but this machine has no usable GPU; choose cpu or auto")
    return torch.device(device)


def iter_extract(
    didv: xr.DataArray,
    scatterers: Scatterers | None = None,
    settings: ExtractSettings | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Steps[Extraction]:
    """Extract the kernel of one scatterer, step by step.

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
        If the map, the window or the scatterers do not allow an extraction.
    """
    check_map(didv)
    settings = settings or ExtractSettings()
    place = choose_device(device)
    generator = torch.Generator().manual_seed(seed)
    yield Progress(0.0, "preparing the map")
    window_nm = settings.window_nm or suggest_window_nm(didv)
    measured, coarse = make_grids(didv, window_nm, place)

    blind = scatterers is None
    if scatterers is None:
        scatterers = yield from scaled(iter_locate(didv, LocateSettings()), 0.02, 0.1)
    scatterers = _near(scatterers, measured)
    model = load_model(settings.model, str(place)) if settings.method == "aligned" else None

    if settings.method == "average":
        problem = measured.problem(scatterers, settings.background_degree)
        kernel, spread = average(problem)
        prior, small = None, coarse.problem(scatterers, settings.background_degree)
        effective = noise_level(coarse.field, coarse.mask)
        numbers: dict[str, tuple[float, ...]] = {}
    else:
        state = yield from scaled(
            _rounds(coarse, scatterers, settings, model, blind, generator), 0.1, 0.6
        )
        scatterers, effective = state.scatterers, state.noise
        coarse = without(coarse, state.foreign)
        small = coarse.problem(scatterers, settings.background_degree)
        wide = state.shape.on_window(coarse.window, 1.0).widened(state.widening)
        draws, _ = yield from scaled(
            posterior.sample(small, wide, effective, settings.samples, generator), 0.6, 0.75
        )
        pitch = measured.pixel / coarse.pixel
        measured = without(measured, state.foreign)
        problem = measured.problem(scatterers, settings.background_degree)
        fine = state.shape.on_window(measured.window, pitch).widened(state.widening)
        # The same noise per area on both grids, so that both weigh data and prior alike.
        kernel = yield from scaled(posterior.solve(problem, fine, effective / pitch), 0.75, 0.9)
        spread = _on_grid(_smooth_spread(draws), measured, pitch)
        prior = fine.mean if model is not None else None
        numbers = {
            "prior_widening": _floats(state.widening),
            "effective_noise": _floats(effective / pitch),
        }
    agreement, chance = yield from scaled(
        iter_half_agreement(small, effective, generator), 0.9, 0.97
    )
    numbers |= {"half_agreement": agreement, "half_agreement_chance": chance}
    noise = noise_level(measured.field, measured.mask)
    yield Progress(0.97, "reconstructing the map")
    return _result(
        measured, problem, kernel, spread, prior, noise, scatterers, settings, numbers,
        _provenance(model, place, seed, window_nm, blind),
    )  # fmt: skip


def extract_kernel(
    didv: xr.DataArray,
    scatterers: Scatterers | None = None,
    settings: ExtractSettings | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Extraction:
    """Extract the kernel of one scatterer; see `iter_extract`."""
    return drain(iter_extract(didv, scatterers, settings, device, seed))


def _rounds(
    grid: Grid,
    scatterers: Scatterers,
    settings: ExtractSettings,
    model: Model | None,
    blind: bool,
    generator: torch.Generator,
) -> Steps[_State]:
    noise = noise_level(grid.field, grid.mask)
    rounds = (BLIND_ROUNDS if blind else KNOWN_ROUNDS) if settings.refine else 1
    whole, foreign = grid, torch.zeros_like(grid.mask)
    error_px = (settings.position_error_nm or max(0.1, grid.pixel)) / grid.pixel
    for number in range(rounds):
        problem = grid.problem(scatterers, settings.background_degree)
        shape = learned_prior(model, problem, noise) if model else flat_prior(problem)
        prior, noise = yield from posterior.rescale(
            problem, shape.on_window(grid.window, 1.0), noise, generator
        )
        widening = prior.scale / shape.scale
        kernel = yield from posterior.solve(problem, prior, noise, steps=40, rtol=1e-3)
        state = _State(scatterers, shape, kernel, noise, widening, foreign)
        yield Progress((number + 1) / rounds, f"round {number + 1} of {rounds}")
        if number + 1 == rounds:
            break
        best = torch.argsort(kernel.square().sum((-2, -1)) / noise**2)[-REFINE_BIASES:]
        strong = replace(problem, field=problem.field[best])
        places, weights = refine(
            strong, kernel[best], noise[best], problem.rows_columns, problem.weights,
            position_error_px=error_px,
        )  # fmt: skip
        scatterers = grid.from_pixels(places, _unit(weights), scatterers)
        if blind:
            scatterers = add_and_drop(grid, strong, kernel[best], noise[best], scatterers)
        if settings.set_aside:
            foreign = _foreign(whole.problem(scatterers, settings.background_degree), kernel)
            grid = without(whole, foreign)
    return state


def _foreign(problem: NormalEquations, kernel: Tensor) -> Tensor:
    """Mark the pixels whose residual stands out of the rest at any bias, with a margin around."""
    rest = problem.project(problem.field - problem.forward(kernel)).abs()
    inside = problem.mask > 0
    robust = rest[:, inside].median(-1).values / 0.6745
    stands_out = (rest > FOREIGN_SIGMA * robust[:, None, None]).any(0).to(rest.dtype)
    margin = torch.nn.functional.max_pool2d(stands_out[None, None], 5, stride=1, padding=2)[0, 0]
    # A tenth of the map that stands out is no exception any more, but a wrong model.
    return margin if float(margin.mean()) < FOREIGN_SHARE else torch.zeros_like(margin)


def _unit(weights: Tensor) -> Tensor:
    """Scale weights so that the typical scatterer has weight +1."""
    typical = weights.abs().median().clamp(min=1e-6)
    sign = torch.sign(weights.sum())
    return weights / typical * (sign if float(sign) else 1.0)


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
    padded = torch.nn.functional.pad(variance[:, None], (1, 1, 1, 1), mode="replicate")
    return torch.nn.functional.avg_pool2d(padded, 3, stride=1)[:, 0].sqrt()


def _on_grid(image: Tensor, grid: Grid, pitch: float) -> Tensor:
    if pitch == 1.0:
        return image
    size = (grid.window, grid.window)
    fine = torch.nn.functional.interpolate(image[:, None], size, mode="bilinear")
    return fine[:, 0]


def _result(
    grid: Grid,
    problem: NormalEquations,
    kernel: Tensor,
    spread: Tensor,
    prior: Tensor | None,
    noise: Tensor,
    scatterers: Scatterers,
    settings: ExtractSettings,
    numbers: dict[str, tuple[float, ...]],
    provenance: Mapping[str, Any],
) -> Extraction:
    waves = problem.forward(kernel)
    background = problem.background(grid.field - waves, settings.background_degree)
    finite = np.isfinite(grid.didv.values).all(axis=0)
    # The field had its mean taken off for the sake of float32.
    offset = np.where(finite, grid.didv.values, 0).sum((1, 2), dtype=float) / finite.sum()
    smooth = background.cpu().numpy() + offset[:, None, None]
    whole = grid.map(waves.cpu().numpy() + smooth, "reconstruction")
    return Extraction(
        didv=grid.didv,
        kernel=grid.kernel_map(kernel, "kernel"),
        spread=grid.kernel_map(spread, "kernel spread"),
        prior=None if prior is None else grid.kernel_map(prior, "prior"),
        background=grid.map(smooth, "background"),
        reconstruction=whole,
        scatterers=scatterers,
        noise=noise.cpu().numpy().astype(np.float64),
        settings=settings,
        numbers=numbers,
        provenance=provenance,
        used=grid.mask.cpu().numpy() > 0,
    )


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
