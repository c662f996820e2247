from dataclasses import replace

import numpy as np
import pytest
import torch

from qpi_kernel.convolution import Geometry, convolve
from qpi_kernel.extract.normal_equations import normal_equations
from qpi_kernel.extract.sparse_coding import (
    Guess,
    fit_kernels,
    misfit,
    objective,
    residual,
    response,
    solve_activations,
    solve_kernels,
    unit_norm,
)

WINDOW, SIZE = 15, 48
PENALTY = torch.tensor([3.0])


@pytest.fixture(scope="module")
def kernel():
    axis = torch.arange(WINDOW) - WINDOW // 2
    r = torch.hypot(axis[:, None].float(), axis[None, :].float())
    return unit_norm((torch.cos(1.2 * r) * torch.exp(-r / 3))[None, None])


@pytest.fixture(scope="module")
def activation():
    geometry = Geometry(SIZE, SIZE, WINDOW)
    rng = np.random.default_rng(2)
    activation = torch.zeros(1, *geometry.canvas)
    for row, column in rng.integers(0, SIZE, (12, 2)):
        activation[0, row, column] = 20.0
    activation[0, -1, 10] = 20.0  # beyond the edge of the map
    return activation


@pytest.fixture(scope="module")
def problem(kernel, activation):
    geometry = Geometry(SIZE, SIZE, WINDOW)
    clean = convolve(geometry, torch.fft.rfft2(activation)[:, None], kernel)[0]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros(0, 2)
    mask = torch.ones(SIZE, SIZE)
    problem = normal_equations(
        clean + noise, mask, WINDOW, nothing, nothing[:, 0], 1, torch.zeros(1, 0)
    )
    return replace(problem, field=problem.project(problem.field))


def blank(kernel, activation):
    return Guess(kernel, torch.zeros_like(activation))


def test_more_steps_lower_the_objective(problem, kernel, activation):
    guess = blank(kernel, activation)
    values = [float(objective(problem, guess, PENALTY)[0])]
    for steps in (3, 10, 40):
        found = solve_activations(problem, guess, PENALTY, steps)
        values.append(float(objective(problem, Guess(kernel, found), PENALTY)[0]))
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.6 * values[0]


def test_the_solution_is_optimal(problem, kernel, activation):
    found = solve_activations(problem, blank(kernel, activation), PENALTY, 600)
    rest = residual(problem, Guess(kernel, found))
    slope = response(problem.geometry, kernel, rest)[0]
    # At a minimum the matched filter of the rest is lambda where x > 0, and no more elsewhere.
    active = found[0] > 0.1
    torch.testing.assert_close(
        slope[active], torch.full_like(slope[active], 3.0), atol=0.05, rtol=0
    )
    assert slope.max() < 3.05
    assert bool((found >= 0).all())


def test_activations_stand_where_the_scatterers_are(problem, kernel, activation):
    found = solve_activations(problem, blank(kernel, activation), PENALTY, 200)
    true = activation[0] > 0
    assert bool((found[0][true] > 5).all())
    assert found[0][~true].sum() < 0.1 * found.sum()


def test_kernels_follow_from_the_activations(problem, kernel, activation):
    spectrum = torch.fft.rfft2(activation)[:, None]
    power = activation.square().sum((-2, -1))
    start = torch.zeros_like(kernel)
    found = fit_kernels(problem, start, spectrum, power, 40)
    assert float((unit_norm(found) * kernel).sum()) > 0.95
    guess = solve_kernels(problem, kernel, 0.5 * activation)
    # The kernel keeps norm 1, the activations take up the factor.
    assert float(guess.kernel.square().sum()) == pytest.approx(1, abs=1e-4)
    assert float(guess.activation.max()) == pytest.approx(20, rel=0.05)


def test_a_start_without_activations_keeps_its_kernel(problem, kernel, activation):
    guess = solve_kernels(problem, kernel, torch.zeros_like(activation))
    torch.testing.assert_close(guess.kernel, kernel)
    assert float(guess.activation.abs().max()) == 0


def test_the_truth_leaves_noise(problem, kernel, activation):
    assert float(misfit(problem, Guess(kernel, activation))[0]) == pytest.approx(1, abs=0.05)
    assert float(misfit(problem, blank(kernel, activation))[0]) > 1.2
