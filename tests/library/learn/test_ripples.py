import numpy as np
import pytest
import torch

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.learn.ripples import multiple_scattering, single_scattering, together

SHAPE = (96, 80)


def born(ripples):
    height, width = ripples.clean.shape[-2:]
    geometry = Geometry(height, width, ripples.kernels.shape[-1])
    spectrum = activation_spectrum(geometry, ripples.places, ripples.weights)
    return convolve(geometry, spectrum, ripples.kernels)


def misfit(ripples):
    sums = born(ripples)
    away = ripples.clean - sums
    return (away.square().sum((-2, -1)) / sums.square().sum((-2, -1))).sqrt()


def test_single_scattering_is_a_sum_of_kernels(bank):
    ripples = single_scattering(bank, np.random.default_rng(1), 4, SHAPE, (3.0, 12.0))
    torch.testing.assert_close(ripples.clean, born(ripples))
    assert bool((ripples.variance > 0).all())


def test_waves_between_many_scatterers_leave_the_sum_of_kernels():
    dense = multiple_scattering(np.random.default_rng(2), 8, SHAPE, 256, (12.0, 20.0))
    assert bool((dense.weights.ne(0).sum(1) > 20).all())
    # Between a few per cent for weak scatterers and as much as the map itself for resonant ones.
    assert 0.05 < float(misfit(dense).median()) < 2


def test_a_sparse_map_is_nearly_a_sum_of_kernels():
    sparse = multiple_scattering(np.random.default_rng(3), 8, SHAPE, 256, (0.5, 0.6))
    dense = multiple_scattering(np.random.default_rng(3), 8, SHAPE, 256, (19.0, 20.0))
    assert float(misfit(sparse).median()) < 0.6 * float(misfit(dense).median())


def test_two_batches_become_one(bank):
    first = single_scattering(bank, np.random.default_rng(4), 2, SHAPE, (3.0, 12.0))
    second = multiple_scattering(np.random.default_rng(4), 2, SHAPE, 128, (20.0, 21.0))
    both = together(first, second)
    assert both.clean.shape == (4, *SHAPE)
    assert both.weights.shape == both.places.shape[:2]
    torch.testing.assert_close(both.clean[:2], first.clean)
    torch.testing.assert_close(both.weights[2:].sum(1), second.weights.sum(1))
    assert float(both.weights[:2, first.weights.shape[1] :].abs().sum()) == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_variance_is_that_of_the_ripples_between_the_cores(bank, seed):
    ripples = single_scattering(bank, np.random.default_rng(seed), 6, SHAPE, (6.0, 12.0))
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in SHAPE), indexing="ij")
    ratios = []
    for index in range(6):
        real = ripples.weights[index] != 0
        place = ripples.places[index][real]
        away = torch.hypot(rows[..., None] - place[:, 0], columns[..., None] - place[:, 1])
        between = ripples.clean[index][(away > 3).all(-1)]
        ratios.append(float(between.var() / ripples.variance[index]))
    assert 0.5 < np.median(ratios) < 2
