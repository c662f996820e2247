"""Rounds of kernel and scatterers, each held while the other is solved for.

Blind runs also add the scatterers that the residual asks for and drop those that explain nothing,
and end with the round before the first that leaves more of the map unexplained: between rounds the
network is asked anew and the scales of noise and prior error are found anew, so that a further
round need not be better. Pixels that stand out of the residual (clusters, crash sites) are set
aside from round to round.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qpi_kernel.extract import posterior
from qpi_kernel.extract.grids import Grid, without
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.prior import PriorShape, flat_prior, learned_prior
from qpi_kernel.extract.refine import add_and_drop, refine
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.extract.uncertainty import inside
from qpi_kernel.learn.model import Model
from qpi_kernel.progress import Progress, Steps, scaled
from qpi_kernel.scatterers import Scatterers

KNOWN_ROUNDS = 2
BLIND_ROUNDS = 3
# White noise never reaches this many standard deviations in a map of a million pixels.
FOREIGN_SIGMA, FOREIGN_SHARE = 5.5, 0.1


@dataclass(frozen=True)
class State:
    """What the rounds improve.

    Parameters
    ----------
    scatterers : Scatterers
    shape : PriorShape
        With the error that the map asks for.
    kernel : Tensor, shape (bias, species, K, K)
        On the model grid.
    noise : Tensor, shape (bias,)
        Noise per pixel of the model grid.
    widening : Tensor, shape (bias, species)
        The factor by which the prior's error was widened (root mean square).
    foreign : Tensor, shape (height, width)
        1 at the pixels set aside as no part of the model.
    marking_px : float
        How far the positions were off at the start, by where they were moved (along each axis, root
        mean square) [px].
    misfits : tuple of float
        What each round up to this one left over: mean square residual over the variance of the
        white noise, pixels that stand out counting no more than the border of what does.
    """

    scatterers: Scatterers
    shape: PriorShape
    kernel: Tensor
    noise: Tensor
    widening: Tensor
    foreign: Tensor
    marking_px: float
    misfits: tuple[float, ...]


def iter_rounds(
    grid: Grid,
    scatterers: Scatterers,
    settings: ExtractSettings,
    model: Model | None,
    blind: bool,
    generator: torch.Generator,
) -> Steps[State]:
    """Improve kernel and scatterers in turn on the model grid; see the module.

    Parameters
    ----------
    grid : Grid
        The map on the model grid.
    scatterers : Scatterers
        Where to start.
    model : Model or None
        None solves without a learned prior.
    blind : bool
        Whether scatterers may be added and dropped.
    generator : torch.Generator
        Of the draws that set the scales.
    """
    white = grid.white
    noise = white
    # Where nothing moves the second round still has better scales of noise and prior error.
    rounds = BLIND_ROUNDS if blind and settings.refine else KNOWN_ROUNDS
    whole, foreign = grid, torch.zeros_like(grid.mask)
    error_px = (settings.position_error_nm or max(0.1, grid.pixel)) / grid.pixel
    kernel: Tensor | None = None
    state: State | None = None
    marking = error_px
    wider: Tensor | None = None
    for number in range(rounds):
        problem = grid.problem(scatterers, settings.background_degree)
        told = yield from iter_told(model, problem, noise, kernel, generator)
        # What the prior's error was in the round before is nearly what it is in this one.
        start = told if wider is None else told.widened(wider)
        passes = 2 if wider is None else 1
        fit = fit_kernel(problem, start, noise, generator, given=not blind, passes=passes)
        kernel, shape, noise = yield from scaled(fit, number / rounds, (number + 1) / rounds)
        wider = (shape.spectrum / told.spectrum).sqrt()
        misfit = _misfit(whole.problem(scatterers, settings.background_degree), kernel, white)
        before = state.misfits if state else ()
        if state and blind and misfit >= before[-1]:
            break
        misfits = (*before, misfit)
        state = State(
            scatterers, shape, kernel, noise, shape.wider_than(told), foreign, marking, misfits
        )
        yield Progress((number + 1) / rounds, f"round {number + 1} of {rounds}")
        if number + 1 == rounds:
            break
        if settings.refine:
            places, weights = refine(
                problem, kernel, noise, problem.rows_columns, problem.weights,
                position_error_px=error_px,
            )  # fmt: skip
            if number == 0:
                marking = _marking(problem, places)
            size = _typical(weights, problem.members)
            kernel = kernel * size[:, None, None]
            scatterers = grid.from_pixels(places, weights / (size @ problem.members), scatterers)
            if blind:
                scatterers = add_and_drop(grid, problem, kernel, noise, scatterers)
        if settings.set_aside:
            foreign = _foreign(whole.problem(scatterers, settings.background_degree), kernel)
            grid = without(whole, foreign)
    assert state is not None, "there is at least one round"
    return replace(state, marking_px=marking)


def iter_told(
    model: Model | None,
    problem: NormalEquations,
    noise: Tensor,
    kernel: Tensor | None,
    generator: torch.Generator,
) -> Steps[PriorShape]:
    """Return the prior of a model, or the one that knows nothing."""
    if model is None:
        return flat_prior(problem)
    if kernel is None and len(problem.members) > 1:
        # The network is asked for one species at a time: the others must be known roughly.
        steps = fit_kernel(problem, flat_prior(problem), noise, generator)
        kernel, *_ = yield from scaled(steps, 0.0, 0.0)
    return learned_prior(model, problem, noise, kernel)


def fit_kernel(
    problem: NormalEquations,
    shape: PriorShape,
    noise: Tensor,
    generator: torch.Generator,
    given: bool = False,
    passes: int = 2,
) -> Steps[tuple[Tensor, PriorShape, Tensor]]:
    """Solve for the kernels with the error of the prior and the noise that explain the map best.

    Returns
    -------
    kernel, shape, noise
        As in `State`.
    """

    def work(part: slice) -> Steps[tuple[Tensor, ...]]:
        some = problem.only(part)
        fit = posterior.rescale(
            some, shape.only(part), noise[part], generator, given=given, passes=passes
        )
        fitted, level = yield from scaled(fit, 0.0, 0.6)
        prior = fitted.on_window(problem.geometry.window, 1.0)
        solution = posterior.solve(some, prior, level, steps=40, rtol=1e-2)
        kernel = yield from scaled(solution, 0.6, 1.0)
        return kernel, fitted.spectrum, level

    kernel, spectrum, level = yield from posterior.in_chunks(problem, work)
    return kernel, replace(shape, spectrum=spectrum), level


def _misfit(problem: NormalEquations, kernel: Tensor, white: Tensor) -> float:
    rest = problem.project(problem.field - problem.forward(kernel)) / white[:, None, None]
    inside = problem.mask > 0
    return float(rest.square().clamp(max=FOREIGN_SIGMA**2)[:, inside].mean())


def _marking(problem: NormalEquations, places: Tensor) -> float:
    """Return the root mean square, along each axis, of how far the scatterers in the map moved."""
    within = inside(problem)
    moved = (places - problem.rows_columns).square().mean(-1)
    return float(((moved * within).sum() / within.sum().clamp(min=1)).sqrt())


def foreign_border(rest: Tensor, mask: Tensor) -> Tensor:
    """Return the size (bias,) beyond which a residual stands out, whatever it is made of."""
    robust = rest[:, mask > 0].abs().median(-1).values / 0.6745
    return FOREIGN_SIGMA * robust


def _foreign(problem: NormalEquations, kernel: Tensor) -> Tensor:
    """Mark the pixels whose residual stands out of the rest at any bias, with a margin around."""
    rest = problem.project(problem.field - problem.forward(kernel))
    border = foreign_border(rest, problem.mask)[:, None, None]
    stands_out = (rest.abs() > border).any(0).to(rest.dtype)
    margin = torch.nn.functional.max_pool2d(stands_out[None, None], 5, stride=1, padding=2)[0, 0]
    # A tenth of the map that stands out is no exception any more, but a wrong model.
    return margin if float(margin.mean()) < FOREIGN_SHARE else torch.zeros_like(margin)


def _typical(weights: Tensor, members: Tensor) -> Tensor:
    """Return the typical weight of each species, with the sign of most of its scatterers."""
    own = [weights[kind] for kind in members > 0]
    return torch.stack(
        [each.abs().median().clamp(min=1e-6) * (-1 if float(each.sum()) < 0 else 1) for each in own]
    )
