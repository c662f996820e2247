import numpy as np
import pytest

from qpi_kernel.simulate.families import FAMILIES, HELD_OUT, TRAINED, draw_kernel


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_are_finite_of_norm_one_and_their_seed_is_enough(family):
    for seed in range(6):
        kernel = draw_kernel(family, np.random.default_rng(seed), 64)
        assert kernel.shape == (64, 64)
        assert kernel.dtype == np.float32
        assert np.all(np.isfinite(kernel))
        assert np.linalg.norm(kernel) == pytest.approx(1.0, rel=1e-5)
        again = draw_kernel(family, np.random.default_rng(seed), 64)
        np.testing.assert_array_equal(kernel, again)


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_differ_between_seeds(family):
    first, second = (
        draw_kernel(family, np.random.default_rng(seed), 64).ravel() for seed in (1, 2)
    )
    assert abs(float(first @ second)) < 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_the_scatterer_sits_at_the_middle_pixel(family):
    # The mean over kernels of random sign and orientation stands out at the scatterer.
    power = sum(draw_kernel(family, np.random.default_rng(seed), 64) ** 2 for seed in range(12))
    rows, columns = np.mgrid[:64, :64]
    centre = np.array([(power * rows).sum(), (power * columns).sum()]) / power.sum()
    assert np.abs(centre - 32).max() < 2.5


def test_held_out_families_are_never_trained_on():
    assert set(HELD_OUT) & set(TRAINED) == set()
    assert set(HELD_OUT) | set(TRAINED) == set(FAMILIES)
