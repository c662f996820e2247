import numpy as np
import pytest

from qpi_kernel.maps import MapError
from qpi_kernel.qspace import radial_profile, ray_profile, ring_radius, track_peaks
from qpi_kernel.qspace.sampling import sample, spline_coefficients, spline_sums
from tests.library.qspace.conftest import born

Q_PIXEL = 2 * np.pi / (65 * 0.25)


@pytest.mark.parametrize("phase", np.arange(8) * np.pi / 4)
def test_the_maximum_of_both_transforms_is_the_wave_number_whatever_the_phase(kernel_of, phase):
    kernel = kernel_of(born(2.6, phase))
    assert abs(ring_radius(kernel)[0] - 2.6) < 0.03 * Q_PIXEL
    for angle in (0.0, 30.0, 45.0, 250.0):
        along = track_peaks(ray_profile(kernel, angle), (1.5, 4.0))[0]
        assert abs(along - 2.6) < 0.06 * Q_PIXEL


def test_rays_see_the_axes_of_an_elliptic_band(kernel_of):
    kernel = kernel_of(born(2.4, 0.3, ellipse=1.5))
    for angle in (0, 30, 45, 60, 90, 180):
        turn = np.deg2rad(angle)
        wanted = 1 / np.hypot(np.cos(turn) / 2.4, np.sin(turn) / 3.6)
        along = track_peaks(ray_profile(kernel, angle), (1.5, 4.5))[0]
        assert along == pytest.approx(wanted, abs=0.06 * Q_PIXEL)


def test_a_ray_through_a_ring_is_alike_in_all_directions_and_its_width_is_a_mean(kernel_of):
    kernel = kernel_of(born(2.6))
    q = np.linspace(1.5, 4.0, 40)
    single = [ray_profile(kernel, angle, q_per_nm=q).values for angle in (0, 20)]
    np.testing.assert_allclose(single[0], single[1], atol=0.06 * single[0].max())
    wide = ray_profile(kernel, 10.0, width_deg=2.0, q_per_nm=q)
    rays = [ray_profile(kernel, angle, q_per_nm=q).values for angle in (9, 10, 11)]
    np.testing.assert_allclose(wide.values, np.mean(rays, axis=0), rtol=1e-9)
    assert wide.attrs["width_deg"] == 2.0
    assert wide.attrs["units"] == "nS nm^2"


def test_the_transforms_are_linear_in_the_kernel(kernel_of):
    kernel = kernel_of(born(2.6))
    tenfold = kernel.copy(data=10 * kernel.values)
    for profile in (radial_profile, lambda k: ray_profile(k, 15.0)):
        np.testing.assert_allclose(profile(tenfold).values, 10 * profile(kernel).values, rtol=1e-4)


def test_sums_along_lines_are_those_of_the_samples(kernel_of):
    rng = np.random.default_rng(0)
    field = kernel_of(lambda x, y: rng.normal(size=x.shape), lambda x, y: x * y, half=6)
    y, x = rng.uniform(-2.5, 2.5, (2, 7, 30))
    sums = (spline_sums(field, y, x) @ spline_coefficients(field.values)).T
    wanted = np.nansum(sample(field, y, x), axis=-1)
    np.testing.assert_allclose(sums, wanted, atol=1e-6 * np.abs(wanted).max())
    assert not np.isfinite(sample(field, y, x)).all()


def test_a_ray_without_a_direction_is_refused(kernel_of):
    with pytest.raises(MapError, match="a ray has a direction"):
        ray_profile(kernel_of(born(2.6)), float("nan"))
    with pytest.raises(MapError, match="0 to 180 degrees"):
        ray_profile(kernel_of(born(2.6)), 0.0, width_deg=-1.0)
