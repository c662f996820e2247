import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_kernel import make_map, resample
from qpi_kernel.maps import pixel_nm
from tests.library.preprocess.conftest import map_of


@pytest.mark.parametrize("angle_deg", [0, 30, 90])
@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.7])
def test_resample_passes_long_waves_and_stops_short_ones(angle_deg, ratio):
    pitch, new = 0.1, 0.1 * ratio
    nyquist = np.pi / new
    y, x = np.meshgrid(np.arange(160) * pitch, np.arange(200) * pitch, indexing="ij")
    along = x * np.cos(np.deg2rad(angle_deg)) + y * np.sin(np.deg2rad(angle_deg))

    def resampled(wavenumber, phase):
        result = resample(map_of(np.cos(wavenumber * along + phase), pitch), new)
        gx, gy = np.meshgrid(result["x"], result["y"] - 3)
        position = gx * np.cos(np.deg2rad(angle_deg)) + gy * np.sin(np.deg2rad(angle_deg))
        inner = (slice(8, -8), slice(8, -8))
        return result.values[0][inner], np.cos(wavenumber * position + phase)[inner]

    for phase in (0, 1):
        # The axis across a slanted wave sees a smaller wavenumber: the longer component decides.
        projection = max(abs(np.cos(np.deg2rad(angle_deg))), abs(np.sin(np.deg2rad(angle_deg))))
        stopped, _ = resampled(1.01 * nyquist / projection, phase)
        assert np.abs(stopped).max() < 0.01
        for share in (0.1, 0.5):
            passed, expected = resampled(share * nyquist, phase)
            np.testing.assert_allclose(passed, expected, atol=0.01)


def test_resample_to_a_finer_grid_interpolates():
    y, x = np.meshgrid(np.arange(60) * 0.1, np.arange(80) * 0.1, indexing="ij")
    result = resample(map_of(np.cos(7 * x + 9 * y)), 0.037)
    gx, gy = np.meshgrid(result["x"], result["y"] - 3)
    inner = (slice(25, -25), slice(25, -25))
    expected = np.cos(7 * gx + 9 * gy)[inner]
    np.testing.assert_allclose(result.values[0][inner], expected, atol=0.01)


def test_resample_to_the_same_pitch_changes_nothing(noise):
    didv = map_of(noise)
    result = resample(didv, 0.1)
    np.testing.assert_allclose(result, didv, atol=1e-6)
    np.testing.assert_allclose(result["y"], didv["y"])


def test_resample_makes_square_pixels_on_the_same_frame():
    y_nm, x_nm = np.arange(20) * 0.3, np.arange(50) * 0.1
    didv = make_map(np.ones((20, 50)), bias_mV=[0], y_nm=y_nm, x_nm=x_nm)
    result = resample(didv, 0.2)
    assert pixel_nm(result) == pytest.approx((0.2, 0.2))
    assert result.shape == (1, 30, 25)
    # The frame of 6 nm by 5 nm begins half a pixel before the first centre.
    assert (float(result["y"][0]), float(result["x"][0])) == pytest.approx((-0.05, 0.05))
    np.testing.assert_allclose(result, 1)


@given(ratio=st.floats(0.3, 6), value=st.floats(-100, 100), missing=st.integers(0, 30))
def test_resample_keeps_constants_around_missing_points(ratio, value, missing):
    values = np.full((40, 60), value)
    values[5 : 5 + missing, 10:20] = np.nan
    result = resample(map_of(values), 0.1 * ratio)
    known = result.values[np.isfinite(result.values)]
    np.testing.assert_allclose(known, np.float32(value), rtol=1e-5, atol=1e-5)
    assert missing == 0 or np.isnan(result.values).any() or ratio > 0.9 * missing
