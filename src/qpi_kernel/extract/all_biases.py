"""Long stacks: scatterers from the strongest biases, then the kernels of all biases.

All biases share their scatterers, and the strongest of a long stack tell them as well as all would.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from qpi_kernel.extract.grids import Grid, without
from qpi_kernel.extract.rounds import State, fit_kernel, iter_told
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.learn.model import Model
from qpi_kernel.progress import Steps, scaled
from qpi_kernel.scatterers import Scatterers

SHARED_BIASES = 8


def strongest(grid: Grid, background_degree: int) -> Tensor:
    """Return which biases tell the scatterers, at most `SHARED_BIASES` of them."""
    if len(grid.field) <= SHARED_BIASES:
        return torch.arange(len(grid.field), device=grid.field.device)
    problem = grid.problem(Scatterers(np.zeros((1, 2))), background_degree)
    power = problem.project(problem.field).square().mean((-2, -1))
    return torch.argsort(power / grid.white**2)[-SHARED_BIASES:]


def iter_all_biases(
    grid: Grid,
    told_by: Tensor,
    state: State,
    settings: ExtractSettings,
    model: Model | None,
    generator: torch.Generator,
    *,
    found: bool,
) -> Steps[State]:
    """Go on from the state of some biases to that of all.

    Parameters
    ----------
    grid : Grid
        All biases.
    told_by : Tensor
        Those that `state` belongs to, as `strongest` chose them.
    state : State
    settings, model, generator
        As in `qpi_kernel.extract.rounds.iter_rounds`.
    found : bool
        Whether the scatterers were found in the map.
    """
    if len(told_by) == len(grid.field):
        return state
    white = grid.white
    noise = white * (state.noise / white[told_by]).median()
    problem = without(grid, state.foreign).problem(state.scatterers, settings.background_degree)
    told = yield from scaled(iter_told(model, problem, noise, None, generator), 0.0, 0.1)
    fit = fit_kernel(problem, told, noise, generator, given=not found)
    kernel, shape, noise = yield from scaled(fit, 0.1, 1.0)
    widening = shape.wider_than(told)
    return replace(state, shape=shape, kernel=kernel, noise=noise, widening=widening)
