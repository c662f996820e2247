"""Sparse blind deconvolution: the scatterers from the map alone, without a learned prior.

    min over |a| = 1, x >= 0 of 1/2 |P(y - a * x)|^2 + lambda sum x + 1/2 |a / rho|^2

The map y is whitened, so that lambda counts standard deviations of a matched filter. Many patches
of the map are tried as kernels a at once. For falling lambda the activations x are improved by
FISTA and the kernels by conjugate gradients, and the worse half of the starts is dropped again and
again. At last the kernel is held, the activations become scatterers between the pixels, and the
kernel is solved for without the bias of lambda.

The formulation is that of Cheung et al., Nat. Commun. 11, 1081 (2020), on an open canvas wider than
the map, so that scatterers outside count; the solver is our own. What remains to be done with known
scatterers is that of every method.
"""

from dataclasses import replace

import numpy as np
import torch
from skimage.feature import peak_local_max
from torch import Tensor

from qpi_kernel.convolution import Geometry, activation_spectrum
from qpi_kernel.errors import QpiError
from qpi_kernel.extract.grids import Grid
from qpi_kernel.extract.misplaced import off_centre
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.sparse_coding import (
    Guess,
    fit_kernels,
    misfit,
    objective,
    response,
    solve_activations,
    solve_kernels,
    unit_norm,
)
from qpi_kernel.locate import NOTHING_FOUND
from qpi_kernel.progress import Progress, Steps
from qpi_kernel.scatterers import Scatterers

# The slices of a stack are mixed to so few that hold most of its signal.
COMPONENTS = 3
# Starts alive, values of lambda and FISTA steps for each value, stage by stage.
STAGES = ((16, 5, 12), (8, 3, 15), (4, 3, 20), (1, 4, 40))
# lambda falls from a share of the strongest response to LAST_LAMBDA while the kernel is sought. A
# smaller one would fit noise, but with the kernel held it finds more of the scatterers.
FIRST_SHARE, LAST_LAMBDA = 0.5, 2.0
HELD_LAMBDAS, HELD_STEPS, HELD_ROUNDS = (2.0, 1.4, 1.0), 60, 2
# Steps towards the kernel of known scatterers.
LAST_KERNEL_STEPS = 10
# A scatterer has at least this share of the typical weight.
LEAST_SHARE = 0.25


def iter_sbd(grid: Grid, background_degree: int, generator: torch.Generator) -> Steps[Scatterers]:
    """Find the scatterers of a map together with their kernel.

    Parameters
    ----------
    grid : Grid
        The map. All its biases share the scatterers.
    background_degree : int
        Degree of the polynomial background that no kernel has to explain.
    generator : torch.Generator
        Of the places where some of the starts are cut from the map.

    Returns
    -------
    Steps of Scatterers
        Positions between the pixels and weights about 1, all of one sign; some may lie outside the
        map.

    Raises
    ------
    QpiError
        If nothing in the map repeats itself.
    """
    whitened = replace(grid, field=_components(grid))
    problem = whitened.problem(Scatterers(np.zeros((0, 2))), background_degree)
    problem = replace(problem, field=problem.project(problem.field))
    guess = _starts(problem, generator)
    strongest = response(problem.geometry, guess.kernel, problem.field).amax((-2, -1))
    total = sum(count for _, count, _ in STAGES)
    sought = FIRST_SHARE * strongest.clamp(min=LAST_LAMBDA / FIRST_SHARE)
    fall = (LAST_LAMBDA / sought) ** (1 / max(total - 1, 1))
    done = 0
    for starts, count, steps in STAGES:
        if starts < len(sought):
            best = torch.argsort(objective(problem, guess, sought.median()))[:starts]
            guess, sought, fall = guess.only(best), sought[best], fall[best]
        for _ in range(count):
            # What the noise level does not tell (rows, patterns) would be fitted by small ripples.
            penalty = torch.maximum(sought, LAST_LAMBDA * misfit(problem, guess))
            activation = solve_activations(problem, guess, penalty, steps)
            guess = solve_kernels(problem, guess.kernel, activation)
            sought = sought * fall
            done += 1
            yield Progress(done / (total + HELD_ROUNDS), "sparse blind deconvolution")
        guess = _recentred(problem.geometry, guess)
    for _ in range(HELD_ROUNDS):
        places, weights = _scatterers(problem, guess)
        if len(places) == 0:
            raise QpiError(NOTHING_FOUND)
        done += 1
        yield Progress(done / (total + HELD_ROUNDS), "sparse blind deconvolution")
        guess = _debiased(problem, guess, places, weights)
    places = places + off_centre(problem.geometry, guess.kernel)
    typical = weights.median()
    sure = (weights / typical).clamp(max=1).cpu().numpy().astype(np.float64)
    like = Scatterers(np.zeros((len(places), 2)), confidence=sure)
    return grid.from_pixels(places, weights / typical, like)


def _components(grid: Grid) -> Tensor:
    """Return the maps in units of their noise, of many biases the strongest mixtures."""
    field = grid.field / grid.white[:, None, None]
    if len(field) <= COMPONENTS:
        return field
    flat = field.flatten(1).double()
    # Orthonormal mixtures of white noise of variance 1 are white noise of variance 1.
    _, mixtures = torch.linalg.eigh(flat @ flat.T)
    return torch.einsum("bc,byx->cyx", mixtures[:, -COMPONENTS:].to(field.dtype), field)


def _starts(problem: NormalEquations, generator: torch.Generator) -> Guess:
    """Cut kernels out of the map: half of them where it is strongest, half of them anywhere."""
    geometry, field = problem.geometry, problem.field
    starts, half = STAGES[0][0], geometry.half
    strong = torch.nn.functional.avg_pool2d(field, 5, 1, 2).square().sum(0).cpu().numpy()
    peaks = peak_local_max(strong, min_distance=3, exclude_border=half // 2, num_peaks=starts // 2)
    room = torch.tensor([geometry.height - half, geometry.width - half])
    drawn = half // 2 + torch.rand(starts - len(peaks), 2, generator=generator) * room
    padded = torch.nn.functional.pad(field, (half,) * 4)
    patches = torch.stack([
        padded[:, row : row + geometry.window, column : column + geometry.window]
        for row, column in np.concatenate([peaks, drawn.long().numpy()])
    ])  # fmt: skip
    axis = torch.linspace(-1, 1, geometry.window + 2, device=field.device)[1:-1]
    taper = torch.cos(torch.pi / 2 * axis)
    nothing = torch.zeros(starts, *geometry.canvas, device=field.device)
    return Guess(unit_norm(patches * taper[:, None] * taper[None, :]), nothing)


def _recentred(geometry: Geometry, guess: Guess) -> Guess:
    """Move kernels by whole pixels to their centre, and activations the other way."""
    window = geometry.window
    kernels, activations = [], []
    shifts = off_centre(geometry, guess.kernel).round().long().tolist()
    for kernel, activation, (row, column) in zip(
        guess.kernel, guess.activation, shifts, strict=True
    ):
        wide = torch.nn.functional.pad(kernel, (window,) * 4)
        moved = torch.roll(wide, (-row, -column), (-2, -1))
        kernels.append(moved[:, window : 2 * window, window : 2 * window])
        activations.append(torch.roll(activation, (row, column), (-2, -1)))
    return Guess(unit_norm(torch.stack(kernels)), torch.stack(activations))


def _scatterers(problem: NormalEquations, guess: Guess) -> tuple[Tensor, Tensor]:
    """Return the scatterers for the kernel of the first start: (n, 2) [px] and weights (n,)."""
    for penalty in HELD_LAMBDAS:
        last = penalty * misfit(problem, guess)
        guess = replace(guess, activation=solve_activations(problem, guess, last, HELD_STEPS))
    geometry, half = problem.geometry, problem.geometry.half
    rolled = torch.roll(guess.activation[0], (half, half), (-2, -1))
    active = rolled[: geometry.height + 2 * half, : geometry.width + 2 * half]
    # A scatterer between the pixels shares itself among its neighbours.
    hill = torch.tensor([1.0, 2.0, 1.0], device=active.device)
    hills = torch.nn.functional.conv2d(
        active[None, None], (hill[:, None] * hill)[None, None], padding=1
    )
    peaks = peak_local_max(hills[0, 0].cpu().numpy(), min_distance=1, exclude_border=False)
    around = torch.nn.functional.pad(active, (1, 1, 1, 1)).unfold(0, 3, 1).unfold(1, 3, 1)
    patches = around[tuple(torch.as_tensor(peaks.copy(), device=active.device).T)]
    weights = patches.sum((-2, -1))
    offset = torch.arange(-1, 2, device=active.device, dtype=active.dtype)
    shift = torch.stack([patches.sum(-1) @ offset, patches.sum(-2) @ offset], -1)
    places = torch.as_tensor(peaks.copy()).to(active) - half + shift / weights[:, None]
    # Half of all power lies in scatterers stronger than this, however many faint ones there are.
    falling = torch.sort(weights, descending=True).values
    share = falling.square().cumsum(0) / weights.square().sum()
    typical = falling[share >= 0.5].amax() if len(weights) else 0.0
    keep = weights > LEAST_SHARE * typical
    return places[keep], weights[keep]


def _debiased(problem: NormalEquations, guess: Guess, places: Tensor, weights: Tensor) -> Guess:
    spectrum = activation_spectrum(problem.geometry, places, weights)[None, None]
    power = weights.square().sum()[None]
    found = fit_kernels(problem, guess.kernel, spectrum, power, LAST_KERNEL_STEPS)
    return replace(guess, kernel=unit_norm(found))
