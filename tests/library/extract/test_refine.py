import numpy as np
import pytest
import torch

from qpi_kernel import Scatterers, make_map
from qpi_kernel.extract.grids import make_grids
from qpi_kernel.extract.refine import WEIGHT_SPREAD, add_and_drop, matched_filter, refine

NOISE = torch.tensor([0.1])
PITCH = 0.25


def kernel_image(window):
    axis = torch.arange(window) - window // 2
    r = torch.sqrt(axis[:, None] ** 2.0 + axis[None, :] ** 2.0 + 1)
    return (3 * torch.cos(0.7 * r + 0.5) / r)[None, None]


def scene(count=12, seed=1, size=(80, 90)):
    """Return grid, true kernel and true scatterers of a map with white noise."""
    rng = np.random.default_rng(seed)
    points = Scatterers(
        rng.uniform([1, 1], [size[1] * PITCH - 1, size[0] * PITCH - 1], (count, 2)),
        weight=rng.uniform(0.7, 1.3, count),
    )
    noise = float(NOISE) * rng.normal(size=size)
    axes = {"y_nm": PITCH * np.arange(size[0]), "x_nm": PITCH * np.arange(size[1])}
    didv = make_map(noise, bias_mV=[0.0], **axes)
    empty, _ = make_grids(didv, 8.0, torch.device("cpu"))
    kernel = kernel_image(empty.window)
    waves = empty.problem(points, 1).forward(kernel)[0].numpy()
    grid, _ = make_grids(make_map(noise + waves, bias_mV=[0.0], **axes), 8.0, torch.device("cpu"))
    return grid, kernel, points


def objective(problem, kernel, places, weights, given, error_px):
    model = problem.with_scatterers(places, weights).forward(kernel)
    misfit = (problem.project(problem.field - model) / NOISE[:, None, None]).square().sum()
    drift = ((places - given) / error_px).square().sum()
    return float(misfit + drift + ((weights.abs() - 1) / WEIGHT_SPREAD).square().sum())


@pytest.mark.parametrize("jitter_px", [0.3, 1.0])
def test_jittered_positions_come_closer_to_the_truth(jitter_px):
    grid, kernel, points = scene()
    true_places, true_weights = grid.to_pixels(points)
    draw = torch.Generator().manual_seed(2)
    start = true_places + jitter_px * torch.randn(true_places.shape, generator=draw)
    problem = grid.problem(points, 1).with_scatterers(start, torch.ones(len(points)))
    places, weights = refine(
        problem, kernel, NOISE, start, problem.weights, position_error_px=jitter_px, steps=30
    )
    before, after = (start - true_places).norm(dim=-1), (places - true_places).norm(dim=-1)
    assert float(after.square().mean().sqrt()) < 0.1
    assert float(after.max()) < float(before.max())
    torch.testing.assert_close(weights, true_weights, rtol=0, atol=0.15)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("jitter_px", [0.1, 5.0])
def test_the_objective_never_grows(seed, jitter_px):
    grid, kernel, points = scene(seed=seed)
    draw = torch.Generator().manual_seed(seed)
    places, _ = grid.to_pixels(points)
    start = places + jitter_px * torch.randn(places.shape, generator=draw)
    weights = torch.randn(len(points), generator=draw)
    problem = grid.problem(points, 1)
    found = refine(problem, kernel, NOISE, start, weights, position_error_px=0.5, steps=4)
    before = objective(problem, kernel, start, weights, start, 0.5)
    assert objective(problem, kernel, *found, start, 0.5) <= before * (1 + 1e-6)


def test_exact_positions_stay():
    grid, kernel, points = scene()
    problem = grid.problem(points, 1)
    places, _ = refine(
        problem, kernel, NOISE, problem.rows_columns, problem.weights, position_error_px=0.3
    )
    assert float((places - problem.rows_columns).norm(dim=-1).max()) < 0.1


def test_the_matched_filter_has_variance_one_on_noise():
    grid, kernel, points = scene()
    problem = grid.problem(points, 0)
    rest = float(NOISE) * torch.randn(
        problem.field.shape, generator=torch.Generator().manual_seed(3)
    )
    response, _ = matched_filter(problem, rest, kernel, NOISE)
    assert float(response.std()) == pytest.approx(1.0, rel=0.1)


def test_a_missing_scatterer_is_added_where_it_stands():
    grid, kernel, points = scene()
    missing = points.xy_nm[4]
    known = points.select(np.arange(len(points)) != 4)
    found = add_and_drop(grid, grid.problem(known, 1), kernel, NOISE, known)
    assert len(found) == len(points)
    np.testing.assert_allclose(found.xy_nm[-1], missing, atol=PITCH)
    assert found.weight[-1] == pytest.approx(points.weight[4], abs=0.3)
    np.testing.assert_array_equal(found.xy_nm[:-1], known.xy_nm)


def test_nothing_is_added_to_a_complete_set():
    grid, kernel, points = scene()
    found = add_and_drop(grid, grid.problem(points, 1), kernel, NOISE, points)
    np.testing.assert_array_equal(found.xy_nm, points.xy_nm)


def test_a_scatterer_that_explains_nothing_is_dropped():
    grid, kernel, points = scene()
    weight = points.weight.copy()
    weight[5] = 0.05
    less = Scatterers(points.xy_nm, weight)
    found = add_and_drop(grid, grid.problem(less, 1), kernel, NOISE, less)
    # It was real, so it is found again in the residual, with its own weight.
    assert len(found) == len(points)
    assert found.weight.min() > 0.5
    assert found.weight[-1] == pytest.approx(points.weight[5], abs=0.1)


def test_a_wrong_kernel_cannot_paper_the_map():
    grid, kernel, points = scene(count=20)
    few = points.select(np.arange(5))
    found = add_and_drop(grid, grid.problem(few, 1), 0.5 * kernel, NOISE, few)
    assert len(few) <= len(found) <= len(few) + max(1, len(few) // 5)
