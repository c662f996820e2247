import csv

import numpy as np
import pytest

from qpi_kernel.maps import MapError
from qpi_kernel.qspace import draw_kernels, fit_band, measure_dispersion
from qpi_kernel.qspace.bands import FREE_MEV_NM2
from tests.library.qspace.conftest import born

BIAS = np.linspace(-20.0, 100.0, 7)
RING = 2 * np.sqrt(0.4 * (BIAS + 65.0) / FREE_MEV_NM2)


@pytest.fixture
def stack(kernel_of):
    """Kernels of a surface state like that of Ag(111)."""
    phases = np.linspace(0, 2, BIAS.size)
    waves = [born(q, phase) for q, phase in zip(RING, phases, strict=True)]
    return kernel_of(*waves, half=25, step=0.4, bias_mV=BIAS)


@pytest.mark.parametrize("angle", [None, 0.0, 60.0])
def test_the_band_of_known_kernels_is_found(stack, angle):
    found = measure_dispersion(stack, angle_deg=angle, q_range=(1.0, 4.0))
    q_pixel = 2 * np.pi / 20.4
    np.testing.assert_allclose(
        found.q_per_nm, RING, atol=(0.01 if angle is None else 0.12) * q_pixel
    )
    assert np.isnan(found.error_per_nm).all()
    fit = fit_band(found)
    assert fit.values["mass_me"] == pytest.approx(0.4, rel=0.003 if angle is None else 0.03)
    assert fit.values["E0_meV"] == pytest.approx(-65.0, abs=0.5 if angle is None else 4.0)


def test_errors_grow_with_the_spread(stack):
    small, large = (
        measure_dispersion(stack, stack.copy(data=np.full_like(stack.values, size)), seed=1)
        for size in (0.01, 0.04)
    )
    assert np.all(small.error_per_nm > 0)
    assert np.median(large.error_per_nm / small.error_per_nm) > 1.5
    np.testing.assert_array_equal(small.q_per_nm, large.q_per_nm)


def test_errors_are_those_of_kernels_disturbed_by_their_own_kind(stack):
    spread = stack.copy(data=np.full_like(stack.values, 0.05))
    pulls = []
    for number, disturbed in enumerate(draw_kernels(stack, spread, 6, seed=9)):
        found = measure_dispersion(disturbed, spread, q_range=(1.0, 4.0), seed=number)
        pulls.append((found.q_per_nm - RING) / found.error_per_nm)
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.5


def test_draws_have_the_spread_of_each_pixel_and_repeat_with_their_seed(stack):
    spread = stack.copy(data=np.linspace(0.01, 0.1, stack.size).reshape(stack.shape).astype("f4"))
    draws = np.stack([each.values for each in draw_kernels(stack, spread, 200, seed=3)])
    ratio = (draws - stack.values).std(axis=0) / spread.values
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)
    again = next(draw_kernels(stack, spread, 1, seed=3))
    np.testing.assert_array_equal(again.values, draws[0])
    with pytest.raises(MapError, match="points along"):
        next(draw_kernels(stack, spread.isel(x=slice(1, None)), 1))


def test_no_ring_is_no_number(kernel_of):
    flat = kernel_of(lambda x, y: 0 * x, lambda x, y: 0 * x)
    found = measure_dispersion(flat, flat)
    assert np.isnan(found.q_per_nm).all()
    assert np.isnan(found.error_per_nm).all()


def test_a_range_beyond_the_pixels_is_refused(stack):
    with pytest.raises(MapError, match=r"100 to 200 1/nm is empty; .* from 0 to 7\.85"):
        measure_dispersion(stack, q_range=(100.0, 200.0))


def test_a_dispersion_is_written_as_csv(stack, tmp_path):
    found = measure_dispersion(stack)
    found.save(tmp_path / "dispersion.csv")
    with (tmp_path / "dispersion.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["bias_mV"]) for row in rows] == pytest.approx(list(BIAS))
    np.testing.assert_allclose([float(row["q_per_nm"]) for row in rows], found.q_per_nm, rtol=1e-8)
    assert {row["error_per_nm"] for row in rows} == {"nan"}
