"""Positions and weights of the scatterers, refined with the current kernel.

    min over r_j, w_j of |P(Y - sum_j w_j A(r - r_j))|^2 / sigma^2 + |r - r_given|^2 / d^2
                         + |w - 1|^2 / v^2

The spectrum of the activation map is smooth in r_j and w_j, so the gradient is exact and sub-pixel.
"""

import numpy as np
import torch
from skimage.feature import peak_local_max
from torch import Tensor

from qpi_kernel.convolution import canvas_spectrum, from_canvas, kernel_spectrum
from qpi_kernel.extract.grids import Grid
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.scatterers import Scatterers

WEIGHT_SPREAD = 0.7
# A new scatterer must explain this many standard deviations, and be this much of a typical one.
ADD_SIGMA, ADD_WEIGHT = 7.0, 0.5
DROP_WEIGHT = 0.15
# At most so many more per call.
ADD_SHARE = 0.2


def refine(
    problem: NormalEquations,
    kernel: Tensor,
    noise: Tensor,
    rows_columns: Tensor,
    weights: Tensor,
    *,
    position_error_px: float,
    steps: int = 6,
) -> tuple[Tensor, Tensor]:
    """Return refined positions (n, 2) [px] and weights (n,); the objective never grows.

    Parameters
    ----------
    problem : NormalEquations
        The maps of one or several biases.
    kernel : Tensor, shape (bias, species, K, K)
    noise : Tensor, shape (bias,)
    rows_columns, weights : Tensor
        Where to start.
    position_error_px : float
        d: how far the given positions may be off [px].
    """
    precision = 1 / noise[:, None, None] ** 2
    # Steps are taken in units of each unknown's own error, which makes the problem round.
    strength = _information(kernel, noise) @ problem.members
    slope = torch.stack(
        [_information(torch.diff(kernel, dim=axis), noise) for axis in (-2, -1)]
    ).sum(0)
    weight_unit = (strength + 1 / WEIGHT_SPREAD**2) ** -0.5
    place_unit = (slope @ problem.members / 2 + 1 / position_error_px**2)[:, None] ** -0.5
    geometry, transfer = problem.geometry, kernel_spectrum(problem.geometry, kernel)
    start_places, start_weights = rows_columns.clone(), weights.clone()
    places = torch.zeros_like(rows_columns, requires_grad=True)
    changes = torch.zeros_like(weights, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [places, changes], max_iter=steps, history_size=8, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        at, strong = start_places + place_unit * places, start_weights + weight_unit * changes
        spectrum = (problem.with_scatterers(at, strong).spectrum * transfer).sum(-3)
        waves = from_canvas(geometry, spectrum, geometry.height, geometry.width)
        rest = problem.project(problem.field - waves)
        misfit = (rest.square() * precision).sum()
        drift = ((place_unit * places) / position_error_px).square().sum()
        return misfit + drift + ((strong.abs() - 1) / WEIGHT_SPREAD).square().sum()

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = objective()
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships no type for it
        return loss

    with torch.no_grad():
        before = float(objective())
    optimiser.step(closure)  # type: ignore[no-untyped-call]  # torch ships no type for it
    with torch.no_grad():
        if not float(objective()) <= before:
            return start_places, start_weights
        at = start_places + place_unit * places
        return at.detach(), (start_weights + weight_unit * changes).detach()


def _information(kernel: Tensor, noise: Tensor) -> Tensor:
    """Return |a_s|^2 / sigma^2 over all biases, one per species."""
    return (kernel.square().sum((-2, -1)) / noise[:, None] ** 2).sum(0)


def matched_filter(
    problem: NormalEquations, rest: Tensor, kernel: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Ask at each pixel, and around the map, for one more scatterer of each species.

    Returns
    -------
    response : Tensor, shape (species, height + 2 margin, width + 2 margin)
        What it would explain of the residual `rest`, in standard deviations (normal, variance 1,
        for a residual of pure noise).
    weight : Tensor, shape (species, height + 2 margin, width + 2 margin)
        The weight it would have.

    The margin is a quarter of the kernel window: who stands farther off shows too little of itself.
    """
    geometry, margin = problem.geometry, margin_px(problem)
    transfer = kernel_spectrum(geometry, kernel).conj()
    power = kernel_spectrum(geometry, kernel.square()).conj()
    precision = 1 / noise[:, None, None, None] ** 2
    near = (..., slice(geometry.height + 2 * margin), slice(geometry.width + 2 * margin))
    hits = torch.fft.irfft2(transfer * canvas_spectrum(geometry, rest[:, None]), s=geometry.canvas)
    seen = torch.fft.irfft2(power * canvas_spectrum(geometry, problem.mask), s=geometry.canvas)
    numerator, denominator = (
        torch.roll((image * precision).sum(0), (margin, margin), (-2, -1))[near]
        for image in (hits, seen)
    )
    denominator = denominator.clamp(min=1e-12)
    return numerator / denominator.sqrt(), numerator / denominator


def margin_px(problem: NormalEquations) -> int:
    """Return how far outside the map scatterers are looked for [px]."""
    return problem.geometry.window // 4


def add_and_drop(
    grid: Grid,
    problem: NormalEquations,
    kernel: Tensor,
    noise: Tensor,
    scatterers: Scatterers,
    share: float = ADD_SHARE,
) -> Scatterers:
    """Add the scatterers that the residual asks for; drop those that explain nothing.

    At most a `share` more per call, so that a wrong kernel cannot paper the map with scatterers; a
    species never loses its last one.
    """
    places, weights = grid.to_pixels(scatterers)
    labels, strength = scatterers.labels, np.abs(scatterers.weight)
    last = [np.argmax(np.where(scatterers.species == label, strength, -1)) for label in labels]
    keep = strength > DROP_WEIGHT
    keep[last] = True
    # One of weight 0 adds nothing.
    current = problem.with_scatterers(places, weights * torch.as_tensor(keep).to(weights))
    rest = current.project(current.field - current.forward(kernel))
    responses, weights_there = matched_filter(current, rest, kernel, noise)
    wanted = torch.where(weights_there > ADD_WEIGHT, responses, torch.zeros_like(responses))
    best, kind = (values.cpu().numpy() for values in wanted.max(0))
    scatterers = scatterers.select(keep)
    places, _ = grid.to_pixels(scatterers)
    peaks = peak_local_max(
        best, min_distance=3, threshold_abs=ADD_SIGMA, exclude_border=False,
        num_peaks=max(1, int(share * len(scatterers))),
    )  # fmt: skip
    old = places.cpu().numpy() + margin_px(problem)
    fresh = [p for p in peaks if np.min(np.linalg.norm(old - p, axis=1)) > 3]
    if not fresh:
        return scatterers
    at = torch.as_tensor(np.array(fresh) - margin_px(problem), dtype=places.dtype)
    rows, columns = np.array(fresh).T
    kinds = kind[rows, columns]
    found = weights_there.cpu().numpy()[kinds, rows, columns]
    new = grid.from_pixels(at, torch.as_tensor(found), Scatterers(np.zeros((len(fresh), 2))))
    return Scatterers(
        np.concatenate([scatterers.xy_nm, new.xy_nm]),
        np.concatenate([scatterers.weight, new.weight]),
        np.concatenate([scatterers.species, labels[kinds]]),
        np.concatenate([scatterers.confidence, np.full(len(fresh), 0.5)]),
    )
