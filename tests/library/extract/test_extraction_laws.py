"""What an extraction with the shipped model must not depend on, and what it must keep."""

import numpy as np
import pytest

from qpi_kernel import ExtractSettings, extract_kernel
from qpi_kernel.evaluate import similarity
from tests.library.extract.mixtures import REACH, likeness, mixed, true_part, waves

ANGLE = np.arctan2(REACH[:, None], REACH[None, :])


def extract(didv, scatterers, **settings):
    return extract_kernel(
        didv, scatterers, ExtractSettings(window_nm=10.0, samples=4, **settings), device="cpu"
    )


def core_cut(kernel):
    """Return a kernel without its core, which outshines the ripples."""
    axis = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    return np.where(np.hypot(axis[:, None], axis[None, :]) > 3, kernel, 0).astype(float)


def asymmetry(kernel, image):
    """Return |K - K'| / |K| outside the core, K' the kernel under a symmetry operation."""
    kernel, image = core_cut(kernel), core_cut(image)
    return np.linalg.norm(kernel - image) / np.linalg.norm(kernel)


@pytest.fixture(scope="module")
def plain():
    return mixed(waves(0.9), seed=4)


@pytest.fixture(scope="module")
def found(plain):
    return extract(plain.didv, plain.scatterers)


def test_a_region_moved_by_five_pixels_has_the_same_kernel(plain):
    parts = [
        extract(plain.didv.isel(y=part, x=part), plain.scatterers)
        for part in (slice(0, 118), slice(5, 123))
    ]
    assert similarity(*(part.kernel.values[0] for part in parts)) > 0.95


def test_ten_times_the_map_with_an_offset_has_ten_times_the_kernel(plain, found):
    louder = extract(plain.didv.copy(data=10 * plain.didv.values + 300), plain.scatterers)
    scale = np.abs(found.kernel.values).max()
    np.testing.assert_allclose(louder.kernel.values / 10, found.kernel.values, atol=0.01 * scale)
    np.testing.assert_allclose(
        louder.background.values, 10 * found.background.values + 300, atol=0.5
    )


def test_a_map_turned_over_has_the_kernel_turned_over(plain, found):
    turned = extract(-plain.didv, plain.scatterers)
    assert similarity(turned.kernel.values[0], found.kernel.values[0]) < -0.95


def test_scatterers_between_the_pixels_have_the_kernel_of_those_on_pixels():
    true = waves(0.9)
    results = []
    for offset in (0.0, 0.5):
        mixture = mixed(true, seed=6, snr=100.0, offset_px=offset)
        results.append(extract(mixture.didv, mixture.scatterers, refine=False))
        assert likeness(results[-1], mixture)[0] > 0.95
    assert similarity(*(result.kernel.values[0] for result in results)) > 0.95


def test_a_contour_of_two_folds_at_an_angle_keeps_its_asymmetry():
    turn = np.deg2rad(25.0)
    y = REACH[:, None] * np.cos(turn) - REACH[None, :] * np.sin(turn)
    x = REACH[:, None] * np.sin(turn) + REACH[None, :] * np.cos(turn)
    mixture = mixed(waves(0.9, mass=(0.6, 0.25), y=y, x=x), seed=2)
    result = extract(mixture.didv, mixture.scatterers)
    kernel, true = result.kernel.values[0], true_part(result.kernel, mixture)
    for operation in (np.rot90, np.flipud, np.transpose):
        assert asymmetry(kernel, operation(kernel)) == pytest.approx(
            asymmetry(true, operation(true)), rel=0.1
        )


def test_a_kernel_without_a_centre_keeps_its_asymmetry():
    mixture = mixed(waves(0.9) * (1 + 0.6 * np.sin(ANGLE - 0.4)), seed=3)
    result = extract(mixture.didv, mixture.scatterers)
    kernel, true = result.kernel.values[0], true_part(result.kernel, mixture)
    found, truth = (asymmetry(each, each[::-1, ::-1]) for each in (kernel, true))
    assert found == pytest.approx(truth, rel=0.1)
    assert similarity(kernel - kernel[::-1, ::-1], true - true[::-1, ::-1]) > 0.9


def test_no_symmetry_is_put_in(found):
    kernel = found.kernel.values[0]
    assert asymmetry(kernel, kernel[::-1, ::-1]) > 0
    assert "symmetrised" not in found.kernel.attrs
