import numpy as np
import pytest

from qpi_kernel.maps import MapError, make_map
from qpi_kernel.qspace.similarity import core_free_similarity, log_power_correlation

STEP = 0.25


def ripples(shift_px=(0.0, 0.0), q=2.6, core=0.0, half=31):
    axis = STEP * np.arange(-half, half + 1)
    y, x = axis[:, None] - STEP * shift_px[0], axis[None, :] - STEP * shift_px[1]
    r = np.hypot(y, 1.2 * x)
    values = np.cos(q * r + 0.5) / np.sqrt(r**2 + 0.3) + core * np.exp(-((r / STEP) ** 2))
    return make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)


def test_a_small_shift_costs_nothing_and_a_larger_one_does():
    truth = ripples()
    assert core_free_similarity(truth, truth)[0] == pytest.approx(1)
    assert core_free_similarity(ripples((0.6, -1.1)), truth)[0] > 0.995
    assert core_free_similarity(ripples((4.0, 0.0)), truth)[0] < 0.9


def test_core_offset_and_size_do_not_count():
    other = 3 * ripples(core=50.0) + 7
    assert core_free_similarity(other, ripples())[0] > 0.99
    assert core_free_similarity(other, ripples(), core_px=-1)[0] < 0.9


def test_the_sign_counts_unless_it_is_free():
    truth = ripples()
    assert core_free_similarity(-truth, truth)[0] < 0.6
    assert core_free_similarity(-truth, truth, free_sign=True)[0] == pytest.approx(1)


def test_noise_and_constants_are_not_similar():
    truth = ripples()
    noise = truth.copy(data=np.random.default_rng(0).normal(size=truth.shape).astype(np.float32))
    assert core_free_similarity(noise, truth, free_sign=True)[0] < 0.2
    assert core_free_similarity(truth * 0, truth)[0] == 0
    assert abs(log_power_correlation(truth * 0, truth)[0]) < 1e-9
    assert log_power_correlation(noise, truth)[0] < 0.5


def test_log_power_knows_the_ring_but_neither_sign_nor_shift():
    truth = ripples()
    assert log_power_correlation(truth, truth)[0] == pytest.approx(1)
    assert log_power_correlation(-2 * truth, truth)[0] == pytest.approx(1, abs=1e-4)
    moved, other = (
        log_power_correlation(kernel, truth)[0] for kernel in (ripples((1.0, 0.5)), ripples(q=4.0))
    )
    assert moved > 0.95
    assert other < moved - 0.03


@pytest.mark.parametrize("compare", [core_free_similarity, log_power_correlation])
def test_kernels_on_different_grids_are_refused(compare):
    with pytest.raises(MapError, match="different grids"):
        compare(ripples(half=20), ripples())
    with pytest.raises(MapError, match="different grids"):
        compare(ripples().assign_coords(x=ripples()["x"] + STEP), ripples())
