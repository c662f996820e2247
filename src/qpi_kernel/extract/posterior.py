"""Prior and data combined: one regularised linear problem, its solution and its error bars.

    a = argmin |P(Y - M a)|^2 / sigma^2 + (a - a0)^T T^-1 (a - a0)

With a = a0 + T v and H = M^T P M / sigma^2 the problem is (1 + H T) v = M^T P (Y - M a0) / sigma^2,
well conditioned where the data are silent, and conjugate gradients need few steps. A draw from the
prior in the place of a0 and noise on Y give a draw from the posterior, hence the spread, and the
scales of T and sigma that explain the data best (expectation maximisation).
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
    _, change = yield from _corrected(problem, prior, noise, problem.field, prior.mean, steps, rtol)
    return prior.mean + change


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
        R^-1 (a - a0), whose mean square says whether the prior's error bars fit (1 if so).
    """
    biases, height, width = problem.field.shape
    device = problem.field.device
    pixel_noise = torch.randn(count, biases, height, width, generator=generator).to(device)
    whitened = torch.randn(count, *prior.mean.shape, generator=generator).to(device)
    field = problem.field + noise[:, None, None] * pixel_noise
    start = prior.mean + prior.root(whitened)
    asked, change = yield from _corrected(problem, prior, noise, field, start, steps, rtol)
    return start + change, whitened + prior.root_transposed(asked)


def rescale(
    problem: NormalEquations,
    shape: PriorShape,
    noise: Tensor,
    generator: torch.Generator,
    *,
    given: bool,
    passes: int,
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
    passes : int
        Each with one draw, whose thousands of modes tell the sizes to some percent.
    """
    pixels = problem.mask.sum()
    swollen = torch.ones_like(noise)
    for number in range(passes):
        prior = shape.on_window(problem.geometry.window, 1.0)
        draws = sample(problem, prior, noise * swollen, 1, generator, steps=20)
        kernels, whitened = yield from scaled(draws, number / passes, (number + 1) / passes)
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


def _corrected(
    problem: NormalEquations,
    prior: Prior,
    noise: Tensor,
    field: Tensor,
    start: Tensor,
    steps: int,
    rtol: float,
) -> Steps[tuple[Tensor, Tensor]]:
    """Return v and T v, by which a start must change where the field says so."""
    precision = 1 / noise[:, None, None, None] ** 2
    rhs = problem.back(problem.project(field - problem.forward(start))) * precision

    def solved(rhs: Tensor, part: slice) -> Steps[tuple[Tensor, Tensor]]:
        certain = precision[part]

        def normal(kernel: Tensor) -> Tensor:
            return problem.back(problem.project(problem.forward(kernel))) * certain

        own = prior.only(part)
        return (yield from conjugate_gradients(normal, own.covariance, rhs, steps, rtol))

    if rhs.device.type != "cpu":
        return (yield from solved(rhs, slice(None)))
    # One at a time, arrays stay in the cache of the processor, which halves the time.
    systems, answers = rhs.reshape(-1, 1, *rhs.shape[-3:]), []
    for number, wanted in enumerate(systems):
        bias, done = number % len(noise), number / len(systems)
        solving = solved(wanted, slice(bias, bias + 1))
        answers.append((yield from scaled(solving, done, done + 1 / len(systems))))
    asked, change = (torch.stack(each).reshape(rhs.shape) for each in zip(*answers, strict=True))
    return asked, change


def conjugate_gradients(
    normal: Callable[[Tensor], Tensor],
    covariance: Callable[[Tensor], Tensor],
    rhs: Tensor,
    steps: int,
    rtol: float,
) -> Steps[tuple[Tensor, Tensor]]:
    """Solve (1 + H T) v = rhs, one system for each of the leading dimensions; return v and T v.

    Parameters
    ----------
    normal, covariance : callable
        H and T, symmetric and positive, from (..., n, K, K) to the same shape; each is applied once
        per step.
    rhs : Tensor, shape (..., n, K, K)
    steps : int
        At most so many.
    rtol : float
        Stop where every residual has fallen to this share of its `rhs`, in the norm of T.
    """
    kernel = (-3, -2, -1)
    v, change = torch.zeros_like(rhs), torch.zeros_like(rhs)
    rest, felt = rhs, covariance(rhs)
    direction, along = rest, felt
    power = (rest * felt).sum(kernel, keepdim=True)
    goal = power * rtol**2
    for step in range(steps):
        yield Progress(step / steps, "solving for the kernel")
        if bool((power <= goal).all()):
            break
        applied = direction + normal(along)
        length = power / (along * applied).sum(kernel, keepdim=True).clamp(min=1e-30)
        v, change = v + length * direction, change + length * along
        rest = rest - length * applied
        felt = covariance(rest)
        fresh = (rest * felt).sum(kernel, keepdim=True)
        turn = fresh / power.clamp(min=1e-30)
        direction, along = rest + turn * direction, felt + turn * along
        power = fresh
    return v, change
