import numpy as np
import pytest
import torch

from qpi_kernel.extract import posterior
from qpi_kernel.extract.normal_equations import background_terms, normal_equations
from qpi_kernel.extract.prior import Prior, flat_prior
from qpi_kernel.learn import radial
from qpi_kernel.progress import drain

WINDOW, NOISE = 9, torch.tensor([0.3, 0.5])


def make_problem(degree=1, seed=1, extra=None, size=(28, 31)):
    draw = torch.Generator().manual_seed(seed)
    places = torch.rand(10, 2, generator=draw) * torch.tensor(size)
    weights = 1 + 0.3 * torch.randn(10, generator=draw)
    axis = torch.arange(WINDOW) - WINDOW // 2
    r = torch.sqrt(axis[:, None] ** 2.0 + axis[None, :] ** 2.0 + 1)
    truth = torch.stack([torch.cos(r) / r, torch.sin(1.3 * r) / r])[:, None]
    mask = torch.ones(size)
    mask[20:, 10:15] = 0
    empty = normal_equations(torch.zeros(2, *size), mask, WINDOW, places, weights, degree)
    field = empty.forward(truth) + NOISE[:, None, None] * torch.randn(2, *size, generator=draw)
    if extra is not None:
        field = field + extra(mask)
    return normal_equations(field, mask, WINDOW, places, weights, degree)


def make_prior(problem, seed=2):
    draw = torch.Generator().manual_seed(seed)
    flat = flat_prior(problem).on_window(WINDOW, 1.0)
    mean = 0.1 * torch.randn(2, 1, WINDOW, WINDOW, generator=draw)
    spectrum = 0.5 + torch.rand(2, 1, 2, WINDOW, WINDOW // 2 + 1, generator=draw)
    # Filters of real images are even along the columns of the half plane.
    spectrum[..., 1:, 0] = (spectrum[..., 1:, 0] + spectrum[..., 1:, 0].flip(-1)) / 2
    return Prior(mean, flat.scale, spectrum, flat.weight)


def solve(problem, prior=None, noise=NOISE):
    prior = prior or flat_prior(problem).on_window(WINDOW, 1.0)
    return drain(posterior.solve(problem, prior, noise, steps=300, rtol=1e-6))


def test_conjugate_gradients_find_the_dense_solution():
    problem = make_problem()
    prior = make_prior(problem)
    units = torch.eye(WINDOW**2).reshape(-1, 1, 1, WINDOW, WINDOW).expand(-1, 2, -1, -1, -1)
    root = prior.root(units)[:, :, 0].flatten(2).double()
    for bias in range(2):
        design = problem.project(problem.forward(units[:, bias])).flatten(1).T.double()
        rest = problem.project(problem.field[bias] - problem.forward(prior.mean[bias]))
        covariance = root[:, bias].T @ root[:, bias]
        normal = design.T @ design / NOISE[bias] ** 2 + torch.linalg.inv(covariance)
        step = torch.linalg.solve(normal, design.T @ rest.flatten().double() / NOISE[bias] ** 2)
        dense = prior.mean[bias].flatten() + step
        found = solve(problem, prior)[bias].flatten()
        assert float((found - dense).norm() / dense.norm()) < 1e-3


def test_two_species_are_solved_for_together():
    draw = torch.Generator().manual_seed(9)
    places = torch.rand(12, 2, generator=draw) * torch.tensor([28, 31])
    members = torch.zeros(2, 12)
    members[0, :7], members[1, 7:] = 1, 1
    field = torch.randn(1, 28, 31, generator=draw)
    problem = normal_equations(
        field, torch.ones(28, 31), WINDOW, places, torch.ones(12), 0, members
    )
    prior = flat_prior(problem).on_window(WINDOW, 1.0)
    units = torch.eye(2 * WINDOW**2).reshape(-1, 1, 2, WINDOW, WINDOW)
    design = problem.project(problem.forward(units)).flatten(1).T.double()
    root = prior.root(units).flatten(1).double()
    normal = design.T @ design / NOISE[0] ** 2 + torch.linalg.inv(root.T @ root)
    dense = torch.linalg.solve(normal, design.T @ field.flatten().double() / NOISE[0] ** 2)
    found = solve(problem, prior, NOISE[:1]).flatten()
    assert float((found - dense).norm() / dense.norm()) < 2e-3


def test_root_and_its_transpose_are_adjoint_and_make_the_covariance():
    prior = make_prior(make_problem())
    draw = torch.Generator().manual_seed(3)
    first, second = torch.randn(2, 5, 2, 1, WINDOW, WINDOW, generator=draw)
    seen = (prior.root(first) * second).sum((-2, -1))
    felt = (first * prior.root_transposed(second)).sum((-2, -1))
    torch.testing.assert_close(seen, felt, rtol=1e-4, atol=1e-4)
    both = prior.root(prior.root_transposed(first))
    torch.testing.assert_close(prior.covariance(first), both, rtol=1e-4, atol=1e-4)


def test_the_projector_projects():
    problem = make_problem(degree=2)
    field = torch.randn(2, 28, 31, generator=torch.Generator().manual_seed(4))
    once = problem.project(field)
    torch.testing.assert_close(problem.project(once), once, rtol=0, atol=1e-5)
    terms = background_terms(problem.geometry, 2, field)
    assert float(problem.project(terms).abs().max()) < 1e-5


def test_the_kernel_ignores_what_was_not_measured():
    plain = solve(make_problem())
    spoiled = solve(make_problem(extra=lambda mask: 1e3 * (1 - mask)))
    torch.testing.assert_close(spoiled, plain, rtol=0, atol=0)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_the_kernel_ignores_a_polynomial_background(degree):
    plain = make_problem(degree=degree)
    terms = background_terms(plain.geometry, degree, plain.field)
    waves = torch.einsum("t,tyx->yx", 3 - torch.arange(float(len(terms))), terms)
    tilted = make_problem(degree=degree, extra=lambda mask: waves)
    prior = flat_prior(plain).on_window(WINDOW, 1.0)
    torch.testing.assert_close(solve(tilted, prior), solve(plain, prior), rtol=0, atol=2e-3)
    background = tilted.background(tilted.field - plain.field, degree)
    torch.testing.assert_close(background[0], waves, rtol=0, atol=1e-3)


def test_less_noise_means_less_spread_and_a_better_kernel():
    problem = make_problem()
    prior = flat_prior(problem).on_window(WINDOW, 1.0)

    def spread(noise):
        draw = torch.Generator().manual_seed(5)
        kernels, whitened = drain(posterior.sample(problem, prior, noise, 32, draw))
        assert kernels.shape == whitened.shape == (32, 2, 1, WINDOW, WINDOW)
        return kernels.std(0).mean((-3, -2, -1))

    assert bool((spread(NOISE / 2) < 0.8 * spread(NOISE)).all())


def test_draws_scatter_about_the_mean_by_the_dense_covariance():
    problem = make_problem()
    prior = flat_prior(problem).on_window(WINDOW, 1.0)
    draw = torch.Generator().manual_seed(6)
    kernels, _ = drain(posterior.sample(problem, prior, NOISE, 100, draw, steps=60, rtol=1e-3))
    units = torch.eye(WINDOW**2).reshape(-1, 1, 1, WINDOW, WINDOW).expand(-1, 2, -1, -1, -1)
    root = prior.root(units)[:, :, 0].flatten(2).double()[:, 0]
    design = problem.project(problem.forward(units[:, 0])).flatten(1).T.double()
    precision = design.T @ design / NOISE[0] ** 2 + torch.linalg.inv(root.T @ root)
    expected = torch.linalg.inv(precision).diagonal().sqrt().float()
    ratio = kernels[:, 0].flatten(1).std(0) / expected
    assert float(ratio.median()) == pytest.approx(1.0, abs=0.07)


def test_rescaling_finds_the_noise():
    problem = make_problem(size=(60, 64))
    draw = torch.Generator().manual_seed(7)
    steps = posterior.rescale(problem, flat_prior(problem), 3 * NOISE, draw, given=False, passes=6)
    _, noise = drain(steps)
    np.testing.assert_allclose(noise.numpy(), NOISE.numpy(), rtol=0.1)


def test_prior_errors_too_small_or_too_large_end_at_the_same():
    problem = make_problem(size=(60, 64))
    prior = flat_prior(problem)

    def rescaled(factor):
        start = prior.widened(torch.full((2, 1, 2, 1), factor))
        draw = torch.Generator().manual_seed(8)
        fit = posterior.rescale(problem, start, NOISE, draw, given=False, passes=8)
        return drain(fit)[0].wider_than(prior)

    np.testing.assert_allclose(rescaled(0.2).numpy(), rescaled(3.0).numpy(), rtol=0.15)


def test_the_error_of_the_prior_is_found_where_it_is():
    problem = make_problem(size=(60, 64))
    draw = torch.Generator().manual_seed(8)
    # The true kernels are rings about their scatterers: even, and of one wavelength.
    fit = posterior.rescale(problem, flat_prior(problem), NOISE, draw, given=True, passes=6)
    even, odd = drain(fit)[0].spectrum[0, 0]
    ring = round(1 / (2 * np.pi) / radial.HIGHEST_Q * (radial.BINS - 1))
    assert float(even[ring]) > 2 * float(even[-8:-4].mean())
    assert float(even[ring]) > 2 * float(odd[ring])
