import numpy as np
import pytest
import torch

from qpi_kernel.extract.normal_equations import normal_equations
from qpi_kernel.extract.uncertainty import FOUND, origin_error_px, size_error, whole_spread


def problem_of(places, weights):
    ones = torch.ones(20, 24)
    return normal_equations(0 * ones[None], ones, 5, torch.tensor(places), torch.tensor(weights), 0)


def test_origin_and_size_err_as_means_over_the_scatterers_do():
    draw = np.random.default_rng(1)
    weights = draw.normal(1, 0.2, 400).astype(np.float32)
    places = draw.uniform(0, 19, (400, 2)).astype(np.float32)
    problem = problem_of(places, weights)
    assert float(origin_error_px(problem, 0.4)) == pytest.approx(0.4 / 20)
    medians = np.median(draw.normal(1, 0.2, (2000, 400)), axis=1)
    assert float(size_error(problem)) == pytest.approx(medians.std(), rel=0.1)


def test_scatterers_outside_of_the_map_do_not_tell_its_origin():
    problem = problem_of([[3.0, 4.0], [-2.0, 5.0], [8.0, 23.5]], [1.0, 1.0, 1.0])
    assert float(origin_error_px(problem, 0.3)) == pytest.approx(0.3)


def test_two_scatterers_say_nothing_of_their_scatter():
    assert float(size_error(problem_of([[3.0, 4.0], [9.0, 5.0]], [1.0, 0.5]))) == 0


def test_a_moved_and_rescaled_kernel_lies_in_the_band():
    axis = torch.arange(-15.0, 16.0)

    def waves(shift):
        r = torch.sqrt((axis[:, None] - shift) ** 2 + axis[None, :] ** 2 + 1)
        return (torch.cos(0.7 * r) / r.sqrt())[None, None]

    kernel, none = waves(0.0), torch.zeros(1)
    draws = 1e-6 * torch.ones_like(kernel)
    inner = (..., slice(2, -2), slice(2, -2))
    for other, origin, size in (
        (waves(0.2), torch.tensor([0.2]), none),
        (1.1 * kernel, none, torch.tensor([0.1])),
    ):
        spread = whole_spread(draws, kernel, origin, size, found=False)
        assert bool(((other - kernel).abs() <= 1.2 * spread + 0.03)[inner].all())
        assert float(spread.max()) < 0.3 * float(kernel.max())
    grown = whole_spread(draws, kernel, none, none, found=True)
    torch.testing.assert_close(grown, FOUND * draws)
