from pathlib import Path

import numpy as np
import pytest

from qpi_kernel import (
    Companions,
    PrepareSettings,
    PreprocessError,
    QpiError,
    Scatterers,
    average_traces,
    despike,
    displacement_field,
    find_bragg_peaks,
    level,
    level_rows,
    make_map,
    mask_clusters,
    mask_cores,
    mask_scatterers,
    normalise,
    prepare,
    remove_hum,
    remove_streaks,
    resample,
)
from qpi_kernel.preprocess.settings import DistortionSettings
from qpi_kernel.qspace import ring_radius
from qpi_kernel.settings import from_dict, load, save, to_dict
from qpi_kernel.simulate import simulate_kernel
from tests.library.preprocess.conftest import LENGTH, frame, lattice_of, map_of, smooth_field

ROOT = Path(__file__).parents[3]
STEPS = {
    "level": level,
    "level_rows": level_rows,
    "despike": despike,
    "remove_streaks": remove_streaks,
    "remove_hum": lambda didv: remove_hum(didv, 3.3),
    "resample": lambda didv: resample(didv, 0.25),
    "mask_cores": mask_cores,
    "mask_clusters": lambda didv: mask_clusters(didv, 1.0),
    "mask_scatterers": lambda didv: mask_scatterers(didv, Scatterers([[4.0, 5.0]]), 0.3),
    "average_traces": lambda didv: average_traces(didv, didv),
    "normalise": lambda didv: normalise(didv, didv + 20, "g/I").assign_attrs(units="nS"),
    "prepare": prepare,
}


@pytest.mark.parametrize("step", STEPS)
def test_steps_keep_units_and_missing_points_and_the_input(step, noise):
    noise[:, 10:20, 5:15] = np.nan
    noise[1] = np.nan
    didv = map_of(noise, setpoint_bias_mV=50.0)
    before = didv.copy(deep=True)
    result = STEPS[step](didv)
    assert didv.identical(before)
    assert (result.attrs["units"], result.attrs["setpoint_bias_mV"]) == ("nS", 50)
    assert result.name == "LIX"
    assert result.dtype == np.float32
    centre = result.sel(y=3 + 1.45, x=0.95, method="nearest")
    assert np.isnan(centre).all()
    assert np.isnan(result[1]).all()
    assert np.isfinite(result[0]).mean() > 0.9


def test_prepare_does_what_the_settings_say(noise):
    didv = map_of(noise + 50)
    assert prepare(didv).attrs["prepared"] == ["surface of degree 1 subtracted"]
    nothing = prepare(didv, PrepareSettings(level_degree=None))
    assert nothing.attrs["prepared"] == []
    np.testing.assert_array_equal(nothing, didv)
    everything = PrepareSettings(despike=True, level_degree=2, level_rows=True)
    result = prepare(didv, everything)
    np.testing.assert_array_equal(result, level_rows(level(despike(didv), 2)))
    assert len(result.attrs["prepared"]) == 3


def test_every_setting_is_a_recorded_step_and_off_unless_asked_for():
    x, y = frame()
    distorted = np.stack([lattice_of("square", *(np.array([x, y]) + smooth_field()))] * 2)
    didv = map_of(distorted, channel="LIX")
    beside = Companions(backward=didv, current=map_of(0 * distorted + 5), topography=didv[:1])
    settings = PrepareSettings(
        average_traces=True,
        normalise="g/I",
        despike=True,
        remove_streaks=True,
        hum_px=7.0,
        mask_cores=True,
        level_degree=1,
        level_rows=True,
        distortion=DistortionSettings(
            drift_x_nm=0.1, lattice="square", lattice_constant_nm=0.4, lawler_fujita=True
        ),
        clusters_nm=3.0,
        pixel_nm=0.08,
    )
    assert from_dict(PrepareSettings, to_dict(settings)) == settings
    words = prepare(didv, settings, beside).attrs["prepared"]
    expected = "averaged normalised outlier streaks hum surface median drift displacement set what"
    assert [step.split()[0] for step in words] == [*expected.split(), "resampled"]
    assert len(prepare(didv, None, beside).attrs["prepared"]) == 1


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_settings_survive_a_file(suffix, tmp_path):
    for settings in (
        PrepareSettings(level_degree=None, hum_px=2.6),
        PrepareSettings(level_degree=0, distortion=DistortionSettings(lattice="square")),
    ):
        save(settings, tmp_path / f"settings{suffix}")
        assert load(PrepareSettings, tmp_path / f"settings{suffix}") == settings


def test_every_setting_is_explained_and_off():
    page = (ROOT / "docs" / "preprocessing.md").read_text(encoding="utf-8")
    plain = to_dict(PrepareSettings())
    names = [*plain, *plain["distortion"]]
    assert [name for name in names if f"`{name}`" not in page and f".{name}`" not in page] == [
        "distortion"
    ]
    plain.pop("distortion")
    assert {name for name, value in plain.items() if value not in (False, None, "none")} == {
        "level_degree"
    }


def test_the_lattice_of_the_topography_straightens_all_biases():
    x, y = frame()
    shift = smooth_field()
    bare = np.stack([np.cos(3 * (x + shift[0])), np.sin(2 * (y + shift[1]))])
    bare = map_of(bare + 0.05 * np.random.default_rng(0).normal(size=bare.shape))
    topography = map_of(lattice_of("square", x + shift[0], y + shift[1]))
    settings = PrepareSettings(
        level_degree=None,
        distortion=DistortionSettings(lawler_fujita=True, lattice_constant_nm=0.4),
    )
    result = prepare(bare, settings, Companions(topography=topography))
    inner, waves = (slice(15, -15), slice(15, -15)), (np.cos(3 * x), np.sin(2 * y))
    for plane, wave, before in zip(result.values, waves, bare.values, strict=True):
        # The mean shift remains.
        left = np.abs(np.corrcoef(plane[inner].ravel(), wave[inner].ravel())[0, 1])
        assert left > 0.99
        assert np.abs(plane - wave)[inner].std() < 0.3 * np.abs(before - wave)[inner].std()
    with pytest.raises(PreprocessError, match=r"no Bragg peaks of a lattice of 0\.4 nm stand out"):
        prepare(bare, settings)


def test_a_creeping_sheared_lattice_becomes_the_known_one():
    x, y = frame()
    shift = smooth_field() + np.array([0.03 * y + 0.02 * x, -0.05 * y])
    topography = map_of(lattice_of("hexagonal", x + shift[0], y + shift[1]))
    distortion = DistortionSettings(
        lawler_fujita=True, lattice="hexagonal", lattice_constant_nm=0.4
    )
    result = prepare(topography, PrepareSettings(distortion=distortion))
    peaks = find_bragg_peaks(result, "hexagonal")
    np.testing.assert_allclose(np.hypot(*peaks.T), LENGTH["hexagonal"], rtol=1e-3)
    left = displacement_field(result, peaks).values
    assert np.sqrt(np.mean(np.sum(left**2, axis=0))) < 0.01


def test_the_ring_of_a_kernel_survives_the_preparation():
    axis = 0.3 * np.arange(-40, 41)
    kernel = simulate_kernel("ag111", bias_mV=[50.0], y_nm=axis, x_nm=axis)
    prepared = prepare(kernel, PrepareSettings(level_degree=2, mask_cores=True, pixel_nm=0.4))
    assert ring_radius(prepared)[0] == pytest.approx(ring_radius(kernel)[0], rel=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PrepareSettings(average_traces=True), "no backward trace"),
        (PrepareSettings(normalise="gV/I"), "no current"),
    ],
)
def test_a_channel_that_is_not_there_is_said(settings, message, noise):
    with pytest.raises(PreprocessError, match=message):
        prepare(map_of(noise), settings)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda didv: level(didv, 4), "0 to 3"),
        (lambda didv: level_rows(didv, -1), "0 to 3"),
        (lambda didv: level(didv.where(didv.x + didv.y < 3.05), 3), "do not fix a polynomial"),
        (lambda didv: despike(didv, 0), "must be positive"),
        (lambda didv: remove_streaks(didv, threshold=-1), "must be positive"),
        (lambda didv: remove_streaks(didv, length=61), "3 to 60 px"),
        (lambda didv: remove_hum(didv, 2.0), "more than 2"),
        (lambda didv: remove_hum(didv, np.nan), "more than 2"),
        (lambda didv: mask_cores(didv, 0), "must be positive"),
        (lambda didv: mask_clusters(didv, -1), "must be positive"),
        (lambda didv: mask_scatterers(didv, Scatterers([[0, 3]]), 0), "must be positive"),
        (lambda didv: resample(didv, 0), "choose them between"),
        (lambda didv: resample(didv, -1), "choose them between"),
        (lambda didv: resample(didv, np.nan), "choose them between"),
        (lambda didv: resample(didv, 1e-9), "choose them between"),
        (lambda didv: resample(didv, 3), "choose them between"),
    ],
)
def test_steps_that_do_not_apply_say_so(step, message, noise):
    with pytest.raises(PreprocessError, match=message):
        step(map_of(noise))


def test_a_constant_map_is_refused_before_its_rounding_errors_look_like_a_pattern():
    axis = np.arange(32) * 0.1
    constant = make_map(np.full((32, 32), 3.0), bias_mV=[20.0], y_nm=axis, x_nm=axis)
    with pytest.raises(QpiError, match="constant at 20 mV"):
        prepare(constant)
