"""Prior and data combined: one regularised linear problem, its solution and its error bars.

    a = argmin |P(Y - M a)|^2 / sigma^2 + (a - a0)^T T^-1 (a - a0)

With T = R R^T and a = a0 + R u the problem is (1 + R^T M^T P M R / sigma^2) u = rhs, well
conditioned where the data are silent, and conjugate gradients need few steps. Drawing the right
hand side with noise gives samples of the posterior, hence the spread, and the scales of T and sigma
that explain the data best (expectation maximisation).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.prior import Prior, PriorShape
from qpi_kernel.progress import Progress, Steps, scaled

# A dozen arrays of this many pixels live at once: some 150 MB with eight posterior draws.
CHUNK_PIXELS = 2**19
# The white noise may count for at most this much more than its size.
MOST_SWELLING = 5.0


def in_chunks(
    problem: NormalEquations, work: Callable[[slice], Steps[tuple[Tensor, ...]]]
) -> Steps[tuple[Tensor, ...]]:
    """Do some biases of a long stack at a time, so that memory stays bounded.

    Parameters
    ----------
    work : callable (slice) -> Steps of tuple of Tensor
        Handles these biases; the first dimension of each result is the bias.
    """
    biases = len(problem.field)
    rows, columns = problem.geometry.canvas
    step = max(1, CHUNK_PIXELS // (rows * columns))
    parts = []
    for start in range(0, biases, step):
        chunk = slice(start, min(start + step, biases))
        parts.append((yield from scaled(work(chunk), start / biases, chunk.stop / biases)))
    return tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True))


def solve(
    problem: NormalEquations, prior: Prior, noise: Tensor, *, steps: int = 60, rtol: float = 3e-4
) -> Steps[Tensor]:
    """Return the posterior mean kernel, shape (bias, species, K, K)."""
    rhs = _data_term(problem, prior, noise, problem.field)
    whitened = yield from _conjugate_gradients(problem, prior, noise, rhs, steps, rtol)
    return prior.mean + prior.root(whitened)


def sample(
    problem: NormalEquations,
    prior: Prior,
    noise: Tensor,
    count: int,
    generator: torch.Generator,
    *,
    steps: int = 40,
    rtol: float = 1e-2,
) -> Steps[tuple[Tensor, Tensor]]:
    """Draw kernels from the posterior.

    Returns
    -------
    kernels : Tensor, shape (count, bias, species, K, K)
    whitened : Tensor, shape (count, bias, species, K, K)
        Their u, whose mean square says whether the prior's error bars fit (1 if they do).
    """
    biases, height, width = problem.field.shape
    device = problem.field.device
    pixel_noise = torch.randn(count, biases, height, width, generator=generator).to(device)
    prior_noise = torch.randn(count, *prior.mean.shape, generator=generator).to(device)
    field = problem.field + noise[:, None, None] * pixel_noise
    rhs = _data_term(problem, prior, noise, field) + prior_noise
    whitened = yield from _conjugate_gradients(problem, prior, noise, rhs, steps, rtol)
    return prior.mean + prior.root(whitened), whitened


def rescale(
    problem: NormalEquations,
    shape: PriorShape,
    noise: Tensor,
    generator: torch.Generator,
    *,
    given: bool,
    rounds: int = 2,
) -> Steps[tuple[PriorShape, Tensor]]:
    """Fit the size of the prior error and the noise to the data (expectation maximisation).

    A kernel unlike anything the prior knows widens the prior where it is wrong, so that the data
    win; structure that no kernel explains raises the noise, so that the error bars stay honest.

    Parameters
    ----------
    given : bool
        Whether the scatterers were given. Then what the map has beside the prior is the kernel's
        or no wave at all: the prior may be more wrong at some |q| than at others, and noise that is
        not white counts for more. Scatterers that were found may stand at wrong places, and what
        those make of the map looks like a kernel that no prior knows.
    rounds : int
        Each with one draw, whose thousands of modes tell the sizes to some percent.
    """
    pixels = problem.mask.sum()
    swollen = torch.ones_like(noise)
    for number in range(rounds):
        prior = shape.on_window(problem.geometry.window, 1.0)
        draws = sample(problem, prior, noise * swollen, 1, generator, steps=20)
        kernels, whitened = yield from scaled(draws, number / rounds, (number + 1) / rounds)
        shape = shape.widened(shape.misfit_of(whitened, by_q=given).clamp(0.3, 10.0))
        rest = problem.project(problem.field - problem.forward(kernels))
        noise = (rest.square().sum((-2, -1)).mean(0) / pixels).sqrt().clamp(min=1e-20)
        if given:
            swollen = swelling(problem, kernels[0])
    return shape, noise


def swelling(problem: NormalEquations, kernel: Tensor) -> Tensor:
    """Return by how much the noise counts for more because it is not white, (bias,), >= 1.

    The posterior takes the residual for white noise. Where it is stronger at the wave vectors of
    the signal than on average (missed scatterers, multiple scattering, ripples from beyond the
    window), the data say less about the kernel than white noise of that size would let them.
    """
    waves = problem.project(problem.forward(kernel))
    rest = problem.project(problem.field) - waves
    signal, power = (torch.fft.rfft2(field).abs().square() for field in (waves, rest))
    inside = (power * signal).sum((-2, -1)) / signal.sum((-2, -1)).clamp(min=1e-30)
    ratio: Tensor = inside / power.mean((-2, -1)).clamp(min=1e-30)
    return ratio.clamp(1.0, MOST_SWELLING**2).sqrt()


def _data_term(problem: NormalEquations, prior: Prior, noise: Tensor, field: Tensor) -> Tensor:
    rest = problem.project(field - problem.forward(prior.mean))
    return prior.root_transposed(problem.back(rest)) / noise[:, None, None, None] ** 2


def _conjugate_gradients(
    problem: NormalEquations, prior: Prior, noise: Tensor, rhs: Tensor, steps: int, rtol: float
) -> Steps[Tensor]:
    precision = 1 / noise[:, None, None, None] ** 2

    def apply(u: Tensor) -> Tensor:
        seen = problem.project(problem.forward(prior.root(u)))
        return u + prior.root_transposed(problem.back(seen)) * precision

    return (yield from conjugate_gradients(apply, rhs, steps, rtol))


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor], rhs: Tensor, steps: int, rtol: float
) -> Steps[Tensor]:
    """Solve apply(u) = rhs for symmetric positive systems, one for each of the leading dimensions.

    Parameters
    ----------
    apply : callable
        The operator, from (..., n, K, K) to the same shape.
    rhs : Tensor, shape (..., n, K, K)
    steps : int
        At most so many.
    rtol : float
        Stop where every residual has fallen to this share of its `rhs`.
    """
    kernel = (-3, -2, -1)
    u = torch.zeros_like(rhs)
    rest, direction = rhs.clone(), rhs.clone()
    power = rest.square().sum(kernel, keepdim=True)
    goal = power * rtol**2
    for step in range(steps):
        yield Progress(step / steps, "solving for the kernel")
        if bool((power <= goal).all()):
            break
        applied = apply(direction)
        curvature = (direction * applied).sum(kernel, keepdim=True)
        length = power / curvature.clamp(min=1e-30)
        u = u + length * direction
        rest = rest - length * applied
        fresh = rest.square().sum(kernel, keepdim=True)
        direction = rest + fresh / power.clamp(min=1e-30) * direction
        power = fresh
    return u
