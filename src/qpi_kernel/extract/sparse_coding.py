"""Sparse coding of a map: activations for given kernels, kernels for given activations.

    1/2 |P(y - a * x)|^2 + lambda sum x + 1/2 |a / rho|^2,    x >= 0

Many guesses at once, each with kernels a of norm 1 (one for each component of the map) and one
activation map x on the open canvas of `convolution`; the field y is that of a problem without
scatterers, projected and in units of its noise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from qpi_kernel.convolution import Geometry, canvas_spectrum, convolve, correlate, kernel_spectrum
from qpi_kernel.extract.grids import MODEL_WINDOW
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.posterior import conjugate_gradients
from qpi_kernel.learn.statistics import radial_weight
from qpi_kernel.progress import drain

# Steps towards the kernels for activations that will change again.
KERNEL_STEPS = 4


@dataclass(frozen=True)
class Guess:
    """Kernels (start, component, K, K) of norm 1 and activations (start, *canvas)."""

    kernel: Tensor
    activation: Tensor

    def only(self, chosen: Tensor) -> "Guess":
        """Return some of the guesses, by index."""
        return Guess(self.kernel[chosen], self.activation[chosen])


def unit_norm(kernel: Tensor) -> Tensor:
    """Return kernels of norm 1 over all components together."""
    return kernel / kernel.square().sum((-3, -2, -1), keepdim=True).sqrt().clamp(min=1e-20)


def response(geometry: Geometry, kernel: Tensor, field: Tensor) -> Tensor:
    """Return the matched filter of each kernel on the canvas, (start, *canvas)."""
    hits = (kernel_spectrum(geometry, kernel).conj() * canvas_spectrum(geometry, field)).sum(-3)
    response: Tensor = torch.fft.irfft2(hits, s=geometry.canvas)
    return response


def residual(problem: NormalEquations, guess: Guess) -> Tensor:
    """Return what the guesses leave unexplained, (start, component, height, width)."""
    spectrum = torch.fft.rfft2(guess.activation)[:, None]
    waves = convolve(problem.geometry, spectrum, guess.kernel)
    return problem.field - problem.project(waves)


def objective(problem: NormalEquations, guess: Guess, penalty: Tensor) -> Tensor:
    """Return 1/2 |P(y - a * x)|^2 + lambda sum x of each guess."""
    unexplained = residual(problem, guess).square().sum((-3, -2, -1)) / 2
    return unexplained + penalty * guess.activation.sum((-2, -1))


def misfit(problem: NormalEquations, guess: Guess) -> Tensor:
    """Return the residual over the noise, at least 1, of each start."""
    pixels = problem.mask.sum() * len(problem.field)
    power = residual(problem, guess).square().sum((-3, -2, -1)) / pixels
    return power.sqrt().clamp(min=1.0)


def solve_activations(
    problem: NormalEquations, guess: Guess, penalty: Tensor, steps: int
) -> Tensor:
    """Return better activations for the kernels, by FISTA that starts anew where it overshoots."""
    geometry = problem.geometry
    transfer = kernel_spectrum(geometry, guess.kernel)
    largest = transfer.abs().square().sum(1).amax((-2, -1))[:, None, None]
    threshold = penalty[:, None, None] / largest
    here = ahead = guess.activation
    momentum = torch.ones_like(largest)
    for _ in range(steps):
        rest = residual(problem, Guess(guess.kernel, ahead))
        hits = (transfer.conj() * canvas_spectrum(geometry, rest)).sum(1)
        gradient = torch.fft.irfft2(hits, s=geometry.canvas)
        after = (ahead + gradient / largest - threshold).clamp(min=0)
        step = after - here
        overshot = ((ahead - after) * step).sum((-2, -1), keepdim=True) > 0
        momentum = torch.where(overshot, torch.ones_like(momentum), momentum)
        faster = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        ahead = after + (momentum - 1) / faster * step
        here, momentum = after, faster
    return here


def solve_kernels(problem: NormalEquations, kernel: Tensor, activation: Tensor) -> Guess:
    """Return the kernels for given activations; activations take up the norm."""
    spectrum = torch.fft.rfft2(activation)[:, None]
    power = activation.square().sum((-2, -1))
    found = fit_kernels(problem, kernel, spectrum, power, KERNEL_STEPS)
    size = found.square().sum((-3, -2, -1)).sqrt()
    # A start whose activations are all zero yet keeps its kernel for a smaller lambda.
    alive = (power > 0) & (size > 0)
    kernel = torch.where(alive[:, None, None, None], unit_norm(found), kernel)
    return Guess(kernel, activation * torch.where(alive, size, 1.0)[:, None, None])


def fit_kernels(
    problem: NormalEquations, kernel: Tensor, spectrum: Tensor, power: Tensor, steps: int
) -> Tensor:
    """Improve kernels for activations of given spectrum and sum of squares, by a few steps.

    The variance rho^2 falls with distance as ripples do, and has the size at which the kernel
    explains the map.
    """
    geometry = problem.geometry
    weight = radial_weight(geometry.window, MODEL_WINDOW / geometry.window, kernel.device)
    energy = problem.field.square().sum((-2, -1)) / weight.pow(-2).sum()
    variance = (energy / power[:, None].clamp(min=1e-6))[..., None, None] / weight.square()

    def normal(kernel: Tensor) -> Tensor:
        seen = problem.project(convolve(geometry, spectrum, kernel))
        return correlate(geometry, spectrum, seen)

    def covariance(kernel: Tensor) -> Tensor:
        return variance * kernel

    rest = problem.field - convolve(geometry, spectrum, kernel)
    rhs = correlate(geometry, spectrum, problem.project(rest)) - kernel / variance
    _, change = drain(conjugate_gradients(normal, covariance, rhs, steps, 1e-4))
    return kernel + change
