import numpy as np
import pytest
import torch

from qpi_kernel.extract.average import average
from qpi_kernel.extract.normal_equations import normal_equations


def problem_of(field, places, weights):
    return normal_equations(
        field, torch.ones(field.shape[1:]), 9, torch.tensor(places), torch.tensor(weights), 0
    )


def test_the_average_is_the_mean_of_the_surroundings():
    field = torch.randn(1, 40, 50, generator=torch.Generator().manual_seed(1))
    field = field - field.mean()
    places = [[10.0, 12.0], [20.0, 31.0], [30.0, 8.0]]
    mean, error = average(problem_of(field, places, [0.5, 2.0, 1.0]))
    patches = torch.stack(
        [field[0, int(r) - 4 : int(r) + 5, int(c) - 4 : int(c) + 5] for r, c in places]
    )
    torch.testing.assert_close(mean[0, 0], patches.mean(0), rtol=0, atol=1e-4)
    expected = patches.std(0, correction=0) / 3**0.5
    torch.testing.assert_close(error[0, 0], expected, rtol=0, atol=1e-3)


def test_a_scatterer_of_opposite_sign_counts_turned_round():
    field = torch.zeros(1, 40, 50)
    field[0, 10, 12], field[0, 30, 30] = 1.0, -1.0
    mean, _ = average(problem_of(field, [[10.0, 12.0], [30.0, 30.0]], [1.0, -1.0]))
    assert float(mean[0, 0, 4, 4]) == pytest.approx(1.0, abs=1e-4)


def test_what_lies_outside_the_map_does_not_count():
    field = torch.randn(1, 40, 50, generator=torch.Generator().manual_seed(2))
    field = field - field.mean()
    mean, _ = average(problem_of(field, [[1.0, 20.0], [20.0, 20.0]], [1.0, 1.0]))
    np.testing.assert_allclose(mean[0, 0, 0].numpy(), field[0, 16, 16:25].numpy(), atol=1e-4)
