"""What the map shows around a scatterer, and how sure that makes it."""

import numpy as np
import pytest
import torch

from qpi_kernel import ExtractSettings, Scatterers, extract_kernel
from qpi_kernel.extract.grids import make_grids, noise_level
from qpi_kernel.extract.surroundings import look_around, with_confidence


@pytest.fixture(scope="module")
def problem(scene):
    grid, _ = make_grids(scene.didv, 10.0, torch.device("cpu"))
    return grid.problem(scene.scatterers, 1), noise_level(grid.field, grid.mask)


def true_kernel(scene, problem):
    half, middle = problem.geometry.window // 2, scene.kernel.sizes["x"] // 2
    window = slice(middle - half, middle + half + 1)
    return torch.as_tensor(scene.kernel.values[:, None, window, window].copy())


def test_a_kernel_that_explains_all_leaves_noise_around_each_scatterer(scene, problem):
    problem, noise = problem
    found = look_around(problem, true_kernel(scene, problem), noise)
    assert found.left.shape == (len(scene.scatterers), found.kernels.shape[-1])
    # The window leaves ripples from further away in the map.
    assert np.median(found.left[found.seen].std(axis=1)) < 2
    assert np.median(np.abs(found.kernels)) > 2
    assert 0 < found.seen.sum() < len(scene.scatterers)


def test_the_slopes_are_what_a_shift_changes(scene, problem):
    problem, noise = problem
    kernel = true_kernel(scene, problem)
    shifted = torch.roll(kernel, (0, 1), (-2, -1))
    found = look_around(problem, kernel, noise)
    after = look_around(problem, shifted, noise)
    change = (found.kernels - after.kernels)[0]
    along_x = found.slopes[0, 1]
    assert change @ along_x / np.linalg.norm(change) / np.linalg.norm(along_x) > 0.7
    assert abs(found.slopes[0, 0] @ along_x) < 0.1 * along_x @ along_x


def test_true_scatterers_are_surer_than_false_ones(scene):
    points = scene.scatterers
    true = points.select(np.all((points.xy_nm > 1.5) & (points.xy_nm < 30.5), axis=1))
    rng = np.random.default_rng(4)
    wrong = rng.uniform(2, 30, (200, 2))
    distance = np.linalg.norm(wrong[:, None] - points.xy_nm, axis=-1).min(axis=1)
    wrong = wrong[distance > 2.5][:3]
    told = Scatterers(np.vstack([true.xy_nm, wrong]))
    settings = ExtractSettings(method="wiener", window_nm=10.0)
    confidence = extract_kernel(scene.didv, told, settings, device="cpu").scatterers.confidence
    assert np.all((confidence >= 0) & (confidence <= 1))
    assert np.median(confidence[: len(true)]) > 0.9
    assert confidence[len(true) :].max() < confidence[: len(true)].min()


def test_a_scatterer_out_of_sight_keeps_its_confidence(scene, problem):
    problem, noise = problem
    points = Scatterers(scene.scatterers.xy_nm, confidence=np.full(len(scene.scatterers), 0.123))
    found = with_confidence(points, problem, true_kernel(scene, problem), noise)
    outside = np.any((points.xy_nm < -2) | (points.xy_nm > 34), axis=1)
    assert outside.any()
    assert np.all(found.confidence[outside] == 0.123)
    inside = np.all((points.xy_nm > 2) & (points.xy_nm < 30), axis=1)
    assert np.all(found.confidence[inside] > 0.9)
    np.testing.assert_array_equal(found.xy_nm, points.xy_nm)
