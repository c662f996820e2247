import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_kernel import (
    PrepareSettings,
    PreprocessError,
    QpiError,
    despike,
    level,
    level_rows,
    make_map,
    prepare,
    resample,
)
from qpi_kernel.maps import pixel_nm


def as_map(values, pitch=0.1, **attrs):
    values = np.atleast_3d(np.asarray(values, dtype=np.float32).T).T
    return make_map(
        values,
        bias_mV=np.arange(len(values)) * 5.0,
        y_nm=3 + np.arange(values.shape[1]) * pitch,
        x_nm=np.arange(values.shape[2]) * pitch,
        units="nS",
        name="LIX",
        attrs=attrs,
    )


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(2, 40, 60))


@pytest.fixture
def surface():
    y, x = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 60), indexing="ij")
    return {0: 5 + 0 * x, 1: 20 * x - 7 * y, 2: x * y * 30 - 9 * x**2, 3: 40 * x**2 * y + y**3}


STEPS = [level, level_rows, despike, prepare, lambda didv: resample(didv, 0.25)]


@pytest.mark.parametrize("step", STEPS)
def test_steps_keep_units_and_missing_points_and_the_input(step, noise):
    noise[:, 10:20, 5:15] = np.nan
    noise[1] = np.nan
    didv = as_map(noise, setpoint_bias_mV=50.0)
    before = didv.copy(deep=True)
    result = step(didv)
    assert didv.identical(before)
    assert (result.attrs["units"], result.attrs["setpoint_bias_mV"]) == ("nS", 50)
    assert result.name == "LIX"
    assert result.dtype == np.float32
    centre = result.sel(y=3 + 1.45, x=0.95, method="nearest")
    assert np.isnan(centre).all()
    assert np.isnan(result[1]).all()
    assert np.isfinite(result[0]).mean() > 0.9


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_level_removes_surfaces_up_to_its_degree(noise, surface, degree):
    total = sum(surface[order] for order in range(degree + 1))
    noise[:, :3] = np.nan
    leveled = level(as_map(0.01 * noise + total), degree)
    assert float(np.abs(leveled).max()) < 0.06


def test_level_keeps_waves(noise, surface):
    y, x = np.meshgrid(np.arange(40), np.arange(60), indexing="ij")
    wave = np.cos(0.9 * x + 0.4 * y)
    leveled = level(as_map(wave + surface[1] + 5))
    np.testing.assert_allclose(leveled[0], wave, atol=0.03)


def test_level_is_not_tilted_by_scatterer_cores(noise, surface):
    values = 0.1 * noise[0] + surface[1]
    cores = values.copy()
    cores[5:9, 50:54] += 300
    difference = level(as_map(cores))[0] - level(as_map(values))[0]
    difference[5:9, 50:54] = 0
    assert float(np.abs(difference).max()) < 0.02


def test_level_rows_removes_jumps_between_lines(noise):
    jumps = np.random.default_rng(1).normal(size=(40, 1)) * 100
    leveled = level_rows(as_map(0.01 * noise + jumps))
    assert float(np.abs(leveled).max()) < 0.06
    tilted = jumps + jumps * np.linspace(-1, 1, 60)
    assert float(np.abs(level_rows(as_map(0.01 * noise + tilted), degree=1)).max()) < 0.06


def test_despike_replaces_outliers_only(noise):
    spiky = noise.copy()
    spiky[0, 7, 30], spiky[1, 0, 0] = 500, -500
    result = despike(as_map(spiky))
    assert abs(float(result[0, 7, 30])) < 4
    assert abs(float(result[1, 0, 0])) < 4
    changed = result.values != as_map(spiky).values
    assert changed.sum() == 2


def test_despike_of_a_flat_map(noise):
    values = np.zeros((20, 20))
    values[3, 4] = 1
    assert (despike(as_map(values)) == 0).all()
    assert (despike(as_map(np.ones((20, 20)))) == 1).all()


@pytest.mark.parametrize("angle_deg", [0, 30, 90])
@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.7])
def test_resample_passes_long_waves_and_stops_short_ones(angle_deg, ratio):
    pitch, new = 0.1, 0.1 * ratio
    nyquist = np.pi / new
    y, x = np.meshgrid(np.arange(160) * pitch, np.arange(200) * pitch, indexing="ij")
    along = x * np.cos(np.deg2rad(angle_deg)) + y * np.sin(np.deg2rad(angle_deg))

    def resampled(wavenumber, phase):
        result = resample(as_map(np.cos(wavenumber * along + phase), pitch), new)
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
    result = resample(as_map(np.cos(7 * x + 9 * y)), 0.037)
    gx, gy = np.meshgrid(result["x"], result["y"] - 3)
    inner = (slice(25, -25), slice(25, -25))
    expected = np.cos(7 * gx + 9 * gy)[inner]
    np.testing.assert_allclose(result.values[0][inner], expected, atol=0.01)


def test_resample_to_the_same_pitch_changes_nothing(noise):
    didv = as_map(noise)
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
    result = resample(as_map(values), 0.1 * ratio)
    known = result.values[np.isfinite(result.values)]
    np.testing.assert_allclose(known, np.float32(value), rtol=1e-5, atol=1e-5)
    assert missing == 0 or np.isnan(result.values).any() or ratio > 0.9 * missing


def test_prepare_does_what_the_settings_say(noise):
    didv = as_map(noise + 50)
    assert prepare(didv).attrs["prepared"] == ["surface of degree 1 subtracted"]
    nothing = prepare(didv, PrepareSettings(level_degree=None))
    assert nothing.attrs["prepared"] == []
    np.testing.assert_array_equal(nothing, didv)
    everything = PrepareSettings(despike=True, level_degree=2, level_rows=True)
    result = prepare(didv, everything)
    np.testing.assert_array_equal(result, level_rows(level(despike(didv), 2)))
    assert len(result.attrs["prepared"]) == 3


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda didv: level(didv, 4), "0 to 3"),
        (lambda didv: level_rows(didv, -1), "0 to 3"),
        (lambda didv: level(didv.where(didv.x + didv.y < 3.05), 3), "do not fix a polynomial"),
        (lambda didv: despike(didv, 0), "must be positive"),
        (lambda didv: resample(didv, 0), "choose them between"),
        (lambda didv: resample(didv, -1), "choose them between"),
        (lambda didv: resample(didv, np.nan), "choose them between"),
        (lambda didv: resample(didv, 1e-9), "choose them between"),
        (lambda didv: resample(didv, 3), "choose them between"),
    ],
)
def test_steps_that_do_not_apply_say_so(step, message, noise):
    with pytest.raises(PreprocessError, match=message):
        step(as_map(noise))


def test_a_constant_map_is_refused_before_its_rounding_errors_look_like_a_pattern():
    axis = np.arange(32) * 0.1
    constant = make_map(np.full((32, 32), 3.0), bias_mV=[20.0], y_nm=axis, x_nm=axis)
    with pytest.raises(QpiError, match="constant at 20 mV"):
        prepare(constant)
