import contextlib

import numpy as np
import pytest

from qpi_kernel import (
    LocateSettings,
    QpiError,
    Scatterers,
    locate_scatterers,
    make_map,
    read_file,
    select_didv,
    simulate_map,
)
from qpi_kernel.locate import iter_locate, ripple_wavelength_nm, suggest_window_nm
from qpi_kernel.settings import from_dict

# Material, bias [mV] and field [nm] of maps with 128 pixels along each side.
SCENES = [
    ("ag111", 0.0, 32.0),
    ("cu111", 0.0, 20.0),
    ("au111", 0.0, 20.0),
    ("square", -250.0, 16.0),
]


def scattered(count, size_nm, apart_nm, seed):
    """Draw positions no closer than `apart_nm`, all well inside the map."""
    rng = np.random.default_rng(seed)
    places = np.empty((0, 2))
    while len(places) < count:
        place = rng.uniform(0.04 * size_nm, 0.96 * size_nm, 2)
        if np.all(np.linalg.norm(places - place, axis=1) > apart_nm):
            places = np.vstack([places, place])
    weight = np.clip(1 + 0.15 * rng.normal(size=count), 0.4, None)
    return Scatterers(places, weight)


def hits(found, truth, pixel_nm):
    """Return which found and which true scatterers have a partner, and the errors [px]."""
    distance = np.linalg.norm(found.xy_nm[:, None] - truth.xy_nm[None], axis=-1)
    tolerance = max(2 * pixel_nm, 0.3)
    right, met = distance.min(axis=1) < tolerance, distance.min(axis=0) < tolerance
    return right, met, distance.min(axis=0)[met] / pixel_nm


def noise_map(seed, offset=0.0):
    axis = 0.25 * np.arange(128)
    values = offset + np.random.default_rng(seed).normal(size=(128, 128))
    return make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)


@pytest.mark.parametrize(("material", "bias_mV", "size_nm"), SCENES)
@pytest.mark.parametrize(("apart", "least_recall"), [(0.12, 0.9), (0.03, 0.7)])
def test_simulated_scatterers_are_found(material, bias_mV, size_nm, apart, least_recall):
    right, met, errors = [], [], []
    for seed in range(3):
        truth = scattered(15, size_nm, apart * size_nm, seed)
        scene = simulate_map(
            material, bias_mV=[bias_mV], size_nm=size_nm, pixels=128, scatterers=truth, snr=5.0,
            seed=seed,
        )  # fmt: skip
        found = locate_scatterers(scene.didv)
        for pooled, one in zip(
            (right, met, errors), hits(found, truth, size_nm / 128), strict=True
        ):
            pooled.extend(one)
        assert np.all((found.confidence >= 0) & (found.confidence <= 1))
        assert np.all(np.diff(found.confidence) <= 0), "the surest first"
    assert np.mean(right) >= 0.9
    assert np.mean(met) >= least_recall
    assert np.sqrt(np.mean(np.square(errors))) < 1.0


@pytest.mark.parametrize(("factor", "offset"), [(100.0, 7.0), (-1.0, 0.0)])
def test_scale_offset_and_contrast_do_not_matter(factor, offset):
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=12, snr=5.0, seed=0
    )
    plain = locate_scatterers(scene.didv)
    changed = locate_scatterers(scene.didv.copy(data=factor * scene.didv.values + offset))
    assert len(plain) == len(changed)
    np.testing.assert_allclose(changed.xy_nm, plain.xy_nm, atol=0.01)


def test_positions_are_in_the_coordinates_of_the_map():
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=12, snr=5.0, seed=0
    )
    moved = scene.didv.assign_coords(x=scene.didv["x"] + 500.0, y=scene.didv["y"] - 40.0)
    np.testing.assert_allclose(
        locate_scatterers(moved).xy_nm,
        locate_scatterers(scene.didv).xy_nm + np.array([500.0, -40.0]),
        atol=1e-6,
    )


def test_a_slope_does_not_matter():
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=12, snr=5.0, seed=0
    )
    slope = np.linspace(0, 60, 128, dtype=np.float32)
    tilted = locate_scatterers(scene.didv.copy(data=scene.didv.values + slope))
    plain = locate_scatterers(scene.didv)
    distance = np.linalg.norm(tilted.xy_nm[:, None] - plain.xy_nm[None], axis=-1)
    assert np.mean(distance.min(axis=0) < 0.25) > 0.8


@pytest.mark.parametrize("rows", [60, 80, 110])
def test_unfinished_rows_hold_no_scatterers(rows):
    truth = scattered(12, 32.0, 3.0, 1)
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=truth, snr=5.0, seed=1
    )
    scene.didv.values[:, rows:] = np.nan
    found = locate_scatterers(scene.didv)
    measured = truth.select(truth.xy_nm[:, 1] < scene.didv["y"].values[rows - 3])
    right, _, _ = hits(found, truth, 0.25)
    assert np.all(right)
    _, met, _ = hits(found, measured, 0.25)
    assert np.mean(met) >= 0.8


def test_the_clearest_slice_of_several_decides():
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=12, snr=5.0, seed=0
    )
    noise = np.random.default_rng(1).normal(size=(128, 128))
    both = make_map(
        np.stack([noise, scene.didv.values[0]]),
        bias_mV=[-10.0, 0.0],
        y_nm=scene.didv["y"].values,
        x_nm=scene.didv["x"].values,
    )
    np.testing.assert_array_equal(
        locate_scatterers(both).xy_nm, locate_scatterers(scene.didv).xy_nm
    )


def test_settings_bound_what_is_found():
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=12, snr=5.0, seed=0
    )
    few = locate_scatterers(scene.didv, LocateSettings(most=4))
    everything = locate_scatterers(scene.didv)
    np.testing.assert_array_equal(few.xy_nm, everything.xy_nm[:4])
    strict = locate_scatterers(scene.didv, LocateSettings(similarity=0.6))
    assert np.all(strict.confidence >= 0.6)
    with pytest.raises(QpiError, match="no scatterers found"):
        locate_scatterers(scene.didv, LocateSettings(similarity=0.99))
    with pytest.raises(QpiError, match="threshold"):
        from_dict(LocateSettings, {"threshold": 1.0})


def test_pure_noise_holds_hardly_any_scatterer():
    found = []
    for seed in range(6):
        with contextlib.suppress(QpiError):
            found.append(len(locate_scatterers(noise_map(seed))))
    assert max(found, default=0) <= 3


@pytest.mark.parametrize("level", [0.0, 5.0, np.nan])
def test_a_map_without_anything_says_so(level):
    didv = noise_map(0)
    didv.values[:] = level
    with pytest.raises(QpiError, match="no scatterers found"):
        locate_scatterers(didv)


def test_progress_grows():
    steps = [step.fraction for step in iter_locate(noise_map(3))]
    assert steps == sorted(steps)


@pytest.mark.parametrize(("material", "bias_mV", "size_nm"), SCENES)
def test_the_suggested_window_holds_several_wavelengths(material, bias_mV, size_nm):
    scene = simulate_map(
        material, bias_mV=[bias_mV], size_nm=2 * size_nm, pixels=256, scatterers=30, snr=5.0, seed=0
    )
    window = suggest_window_nm(scene.didv)
    wavelengths = window * scene.ring_q[0] / (2 * np.pi)
    assert window <= size_nm
    assert 3 < wavelengths < 14


def test_the_suggested_window_fits_even_small_maps():
    axis = 0.25 * np.arange(20)
    small = make_map(
        np.random.default_rng(1).normal(size=(20, 20)), bias_mV=[0], y_nm=axis, x_nm=axis
    )
    assert 0 < suggest_window_nm(small) <= 2.5


def test_the_ripples_of_a_ring_have_its_wavelength_and_noise_has_none():
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=48.0, pixels=192, scatterers=12, snr=20.0, seed=1
    )
    expected = 2 * np.pi / scene.ring_q[0]
    assert ripple_wavelength_nm(scene.didv) == pytest.approx(expected, rel=0.25)
    assert ripple_wavelength_nm(noise_map(0)) is None


@pytest.mark.parametrize("name", ["A200621.160730.dat", "A200621.210648.dat"])
def test_the_scatterers_of_cu111_are_found(data_dir, name):
    didv = select_didv(read_file(data_dir / "cu111" / name))
    found = locate_scatterers(didv)
    assert 19 <= len(found) <= 26
    x, y = didv["x"].values, didv["y"].values
    assert np.all(
        (found.xy_nm > [x[0] - 0.1, y[0] - 0.1]) & (found.xy_nm < [x[-1] + 0.1, y[-1] + 0.1])
    )


def test_an_aborted_scan_of_cu111_shows_scatterers_where_it_measured(data_dir):
    didv = select_didv(read_file(data_dir / "cu111" / "A200621.212736.dat"))
    found = locate_scatterers(didv)
    rows = np.isfinite(didv.values[0]).any(axis=1)
    y = didv["y"].values[rows]
    assert 15 <= len(found) <= 60
    assert np.all((found.xy_nm[:, 1] > y[0] - 0.1) & (found.xy_nm[:, 1] < y[-1] + 0.1))
