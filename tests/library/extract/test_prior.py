from dataclasses import replace

import numpy as np
import pytest
import torch

from qpi_kernel.extract.grids import make_grids, noise_level
from qpi_kernel.extract.prior import PriorShape, flat_prior, learned_prior
from qpi_kernel.learn.model import load_model


def smooth_shape():
    axis = torch.arange(64) - 32
    r = torch.sqrt(axis[:, None] ** 2.0 + axis[None, :] ** 2.0)
    weighted = (torch.cos(0.5 * r) * torch.exp(-((r / 14) ** 2)))[None, None]
    spectrum = torch.linspace(1.0, 0.2, 25).expand(1, 1, 2, -1)
    return PriorShape(weighted, torch.ones(1, 1), spectrum)


def test_the_prior_is_the_same_function_on_a_finer_grid():
    shape = smooth_shape()
    coarse, fine = shape.on_window(63, 1.0), shape.on_window(125, 0.5)
    np.testing.assert_allclose(fine.weight[::2, ::2], coarse.weight, rtol=1e-5)
    ripples = np.s_[4:-4, 4:-4]
    np.testing.assert_allclose(
        fine.mean[0, 0, ::2, ::2][ripples],
        coarse.mean[0, 0][ripples],
        atol=0.01 * coarse.mean.max(),
    )


def test_prior_draws_have_the_same_power_on_either_grid():
    shape = smooth_shape()
    draw = torch.Generator().manual_seed(1)
    power = []
    for window, pixel in ((63, 1.0), (125, 0.5)):
        prior = shape.on_window(window, pixel)
        draws = prior.root(torch.randn(20, 1, 1, window, window, generator=draw))
        # Only what the coarse grid resolves.
        spectrum = torch.fft.fft2(draws * prior.weight).abs() ** 2 / window**4
        q = torch.fft.fftfreq(window) / pixel
        near = torch.sqrt(q[:, None] ** 2 + q[None, :] ** 2) < 0.4
        power.append(float(spectrum[..., near].sum(-1).mean()))
    assert power[1] == pytest.approx(power[0], rel=0.1)


def test_the_flat_prior_is_as_large_as_the_data(scene):
    grid, _ = make_grids(scene.didv, 10.0, torch.device("cpu"))
    problem = grid.problem(scene.scatterers, 2)
    prior = flat_prior(problem).on_window(grid.window, 1.0)
    assert float(prior.mean.abs().max()) == 0
    draw = torch.Generator().manual_seed(2)
    draws = prior.root(torch.randn(20, 1, 1, grid.window, grid.window, generator=draw))
    maps = problem.project(problem.forward(draws))
    ratio = maps.square().mean() / problem.project(problem.field).square().mean()
    assert 0.3 < float(ratio) < 3


def test_the_learned_prior_resembles_the_kernel_and_knows_its_scale(scene, truth_like):
    grid, _ = make_grids(scene.didv, 10.0, torch.device("cpu"))
    noise = noise_level(grid.field, grid.mask)
    priors = []
    for factor in (1.0, 1e-3):
        louder = make_grids(
            scene.didv.copy(data=factor * scene.didv.values), 10.0, torch.device("cpu")
        )[0]
        shape = learned_prior(load_model(), louder.problem(scene.scatterers, 2), factor * noise)
        priors.append(shape.on_window(grid.window, 1.0))
    truth = truth_like(scene, grid.kernel_map(priors[0].mean[:, 0], "prior"))
    weight = priors[0].weight.numpy()
    first, second = (weight * priors[0].mean[0, 0].numpy()).ravel(), (weight * truth[0]).ravel()
    assert first @ second / np.linalg.norm(first) / np.linalg.norm(second) > 0.7
    scale = float(priors[0].mean.abs().max())
    np.testing.assert_allclose(1e3 * priors[1].mean, priors[0].mean, atol=0.02 * scale)


def test_the_prior_weighs_parities_about_the_scatterer():
    flat = PriorShape(torch.zeros(1, 1, 64, 64), torch.ones(1, 1), torch.ones(1, 1, 2, 25))
    only_even = replace(flat, spectrum=torch.tensor([1.0, 0.0])[:, None].expand(1, 1, 2, 25))
    draw = torch.randn(4, 1, 1, 63, 63, generator=torch.Generator().manual_seed(3))
    plain, even = (shape.on_window(63, 1.0).root(draw) for shape in (flat, only_even))
    torch.testing.assert_close(even, (plain + plain.flip(-1, -2)) / 2, rtol=0, atol=1e-4)


@pytest.mark.parametrize("by_q", [False, True])
def test_the_misfit_of_draws_is_the_factor_that_made_them(by_q):
    shape = smooth_shape()
    assert shape.widened(torch.tensor([2.0])).wider_than(shape) == pytest.approx(2.0)
    draws = torch.randn(30, 1, 1, 63, 63, generator=torch.Generator().manual_seed(4))
    even, odd = ((draws + sign * draws.flip(-1, -2)) / 2 for sign in (1, -1))
    found = shape.misfit_of(3 * even + 0.5 * odd, by_q)
    assert found.shape == (1, 1, 2, 25 if by_q else 1)
    np.testing.assert_allclose(found[0, 0, 0], 3, rtol=0.1)
    np.testing.assert_allclose(found[0, 0, 1], 0.5, rtol=0.1)
