"""Scatterers found in a map whose kernel nobody knows yet: marked, tried out, and doubted.

The network marks them, and the rounds of kernel and scatterers show what the marks are worth. Where
the network expects another kernel at these scatterers than the map asks for, something is wrong
with them. Marks that all stand beside their scatterers, or on each lobe of them, or are too few or
too many, betray themselves, and better ones are tried; sparse blind deconvolution, which knows no
kernels, gives a second opinion. Those scatterers are kept with which the network's kernel leaves
less of the map; each of them has its price.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from qpi_kernel.errors import QpiError
from qpi_kernel.extract.all_biases import strongest
from qpi_kernel.extract.grids import Grid, make_grids, near, without
from qpi_kernel.extract.machine import choose_device, gpu_memory
from qpi_kernel.extract.marks import iter_marks
from qpi_kernel.extract.misplaced import off_centre, paired, repeated_pair, strong_ones
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.refine import ADD_SHARE, ADD_SIGMA, add_and_drop
from qpi_kernel.extract.rounds import State, foreign_border, iter_rounds
from qpi_kernel.extract.sbd import iter_sbd
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.extract.validity import DENSEST
from qpi_kernel.learn.model import Model, load_model
from qpi_kernel.locate import suggest_window_nm
from qpi_kernel.maps import check_map
from qpi_kernel.progress import Progress, Steps, drain, scaled
from qpi_kernel.scatterers import Scatterers

# The kernel that the network expects explains at least this share of what the kernel of the map
# explains, or the scatterers are doubted (`python benchmarks/second_opinion.py`): enough to try
# more of them, or to ask for a second opinion, which takes longer. Marks that were as bad as this
# at first may have settled into a wrong pattern.
TRY_MORE, EXPECTED, MARKED = 0.9, 0.86, 0.82
# A kernel that is symmetric about a place so far off says that all scatterers are; so many of them
# in equal pairs say that they are lobes, and so many weak ones that they are pieces of a pattern.
OFF_CENTRE_PX, REPEATED, PIECES = 1.0, 0.15, 0.1
# Where the rest of the map asks for more scatterers, at most this share more are tried at once.
MANY_MORE = 2.0
# Scatterers make up for what no kernel explains: the more there is of it, the less each of them
# says, and the more it has to explain, up to so many times as much as one that is added.
DEAREST = 3.0
# How often in turn better places are looked for.
TURNS = 3


def find_scatterers(
    didv: xr.DataArray, settings: ExtractSettings | None = None, device: str = "auto", seed: int = 0
) -> Scatterers:
    """Find the scatterers of a map; see `iter_find_scatterers`."""
    return drain(iter_find_scatterers(didv, settings, device, seed))


def iter_find_scatterers(
    didv: xr.DataArray, settings: ExtractSettings | None = None, device: str = "auto", seed: int = 0
) -> Steps[Scatterers]:
    """Find the scatterers of a map, step by step.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        dI/dV at one or several biases; all of them see the same scatterers.
    settings : ExtractSettings, optional
        Window and model.
    device : {"auto", "cpu", "cuda"}
    seed : int
        Of the posterior draws.

    Returns
    -------
    Steps of Scatterers
        Positions [nm], weights about 1, and a confidence.

    Raises
    ------
    QpiError
        If the map is unfit, or nothing stands out of it; the message says what to do.
    """
    check_map(didv)
    settings = settings or ExtractSettings()
    place = choose_device(device)
    generator = torch.Generator().manual_seed(seed)
    with gpu_memory():
        _, grid = make_grids(didv, settings.window_nm or suggest_window_nm(didv), place)
        model = load_model(settings.model, str(place))
        strong = strongest(grid, settings.background_degree)
        return (yield from iter_find(grid, strong, settings, model, generator)).scatterers


def iter_find(
    grid: Grid,
    strong: Tensor,
    settings: ExtractSettings,
    model: Model,
    generator: torch.Generator,
) -> Steps[State]:
    """Find scatterers and kernel of the strongest biases (`all_biases.strongest`) of a map."""
    marks = yield from scaled(iter_marks(grid, model), 0.0, 0.1)
    some = grid.at(strong)
    tried = partial(_tried, some, settings, model, generator)
    marked = yield from scaled(tried(marks), 0.1, 0.3)
    if not settings.refine:
        return marked.state
    first = yield from scaled(_settled(some, tried, marked), 0.3, 0.5)
    if marked.expected >= MARKED and first.expected >= EXPECTED:
        return first.state
    yield Progress(0.5, "the kernel is not as expected: looking for scatterers once more")
    try:
        others = yield from scaled(iter_sbd(some, settings.background_degree, generator), 0.5, 0.8)
        other = yield from scaled(tried(others), 0.8, 0.9)
        second = yield from scaled(_settled(some, tried, other), 0.9, 1.0)
    except QpiError:
        return first.state
    return (second if second.cost < first.cost else first).state


@dataclass(frozen=True)
class _Trial:
    """What became of some scatterers.

    Parameters
    ----------
    state : State
    expected : float
        What the network's kernel explains of the map, over what the kernel of the map explains.
    cost : float
        What the network's kernel leaves of the map, as -2 log likelihood under noise of unknown
        size, and what the scatterers cost.
    problem : NormalEquations
        Of these scatterers.
    """

    state: State
    expected: float
    cost: float
    problem: NormalEquations


def _settled(
    grid: Grid, tried: Callable[[Scatterers], Steps[_Trial]], best: _Trial
) -> Steps[_Trial]:
    """Try what kernel and residual suggest instead of a trial."""
    before = None
    for turn in range(TURNS):
        if best is before:
            break
        before, others = best, _suggestions(grid, best)
        for number, suggestion in enumerate(others):
            start, end = ((turn + n / len(others)) / TURNS for n in (number, number + 1))
            with suppress(QpiError):  # they may lie beside the map
                trial = yield from scaled(tried(suggestion), start, end)
                best = trial if trial.cost < best.cost else best
    return best


def _tried(
    grid: Grid,
    settings: ExtractSettings,
    model: Model,
    generator: torch.Generator,
    scatterers: Scatterers,
) -> Steps[_Trial]:
    start = near(scatterers, grid)
    state = yield from iter_rounds(grid, start, settings, model, True, generator)
    everywhere, problem = (
        each.problem(state.scatterers, settings.background_degree)
        for each in (grid, without(grid, state.foreign))
    )
    expected = state.shape.on_window(grid.window, 1.0).mean
    waves = everywhere.forward(torch.stack([expected, state.kernel]))
    seen = torch.stack([torch.zeros_like(problem.field), *waves])
    rest = problem.project(problem.field - seen) / grid.white[:, None, None]
    whole, guessed, fitted = rest.square().sum((-3, -2, -1)).tolist()
    left = _left(everywhere, waves[0], grid.white)
    pixels, count = float(grid.mask.sum()), len(state.scatterers)
    cost = pixels * len(grid.field) * math.log(left) + ADD_SIGMA**2 * min(left, DEAREST) * count
    return _Trial(
        state,
        (whole - guessed) / max(whole - fitted, 1e-6 * whole),
        # So many scatterers explain any map.
        math.inf if count * DENSEST > pixels else cost,
        problem,
    )


def _left(problem: NormalEquations, waves: Tensor, white: Tensor) -> float:
    """Return what waves leave of the map, mean square over that of the white noise.

    Pixels that stand out, no part of the model, count no more than the border of what does.
    """
    rest = problem.project(problem.field - waves) / white[:, None, None]
    border = foreign_border(rest, problem.mask)[:, None]
    seen = rest[:, problem.mask > 0].abs().minimum(border)
    return float(seen.square().mean().clamp(min=1e-6))


def _suggestions(grid: Grid, trial: _Trial) -> list[Scatterers]:
    """Return other scatterers, where these seem to be misplaced, too many or too few."""
    problem, found, kernel = trial.problem, trial.state.scatterers, trial.state.kernel
    suggestions = []
    shift = off_centre(problem.geometry, kernel[None, :, 0])[0].cpu().numpy()
    if np.hypot(*shift) >= OFF_CENTRE_PX:
        suggestions.append(Scatterers(found.xy_nm + grid.pixel * shift[::-1]))
    height, width = grid.field.shape[-2:]
    step, reach = 2 * grid.pixel, grid.pixel * grid.window
    pair, repeated = repeated_pair(found.xy_nm, reach, step, height * width * grid.pixel**2)
    if repeated >= REPEATED:
        suggestions.append(paired(found, pair, step))
    strong = strong_ones(found)
    if len(strong) < (1 - PIECES) * len(found):
        suggestions.append(strong)
    if trial.expected < TRY_MORE:
        more = add_and_drop(grid, problem, kernel, grid.white, found, MANY_MORE)
        if len(more) > (1 + ADD_SHARE) * len(found):
            suggestions.append(more)
    return suggestions
