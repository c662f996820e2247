import numpy as np
import pytest

from qpi_kernel import QpiError, Scatterers, simulate_map
from qpi_kernel.simulate.nuisance import REALISM, Nuisance, as_scanned, distorted, margin_px

SIZE_NM, PIXELS = 32.0, 128
PIXEL_NM = SIZE_NM / PIXELS


def simulated(**changes):
    wanted = {"bias_mV": [0.0], "size_nm": SIZE_NM, "pixels": PIXELS, "scatterers": 8, "seed": 4}
    return simulate_map("ag111", **(wanted | changes))


def added(biases=1, **amounts):
    """What nuisances add to a clean map without noise, (bias, y, x)."""
    bias_mV = np.arange(biases, dtype=float)
    scene = simulated(bias_mV=bias_mV, snr=np.inf, nuisance=Nuisance(**amounts))
    return (scene.didv - scene.clean).values.astype(float)


def test_clean_is_clean():
    plain, clean, empty = simulated(), simulated(nuisance="clean"), simulated(nuisance=Nuisance())
    np.testing.assert_array_equal(plain.didv.values, clean.didv.values)
    np.testing.assert_array_equal(plain.didv.values, empty.didv.values)
    assert np.abs(added()).max() == 0


@pytest.mark.parametrize("realism", REALISM)
def test_a_seed_is_a_scene_with_every_preset(realism):
    first, again, other = (simulated(nuisance=realism, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.didv.values, again.didv.values)
    np.testing.assert_array_equal(first.scatterers.xy_nm, again.scatterers.xy_nm)
    assert np.nanmax(np.abs(first.didv.values - other.didv.values)) > 0.1


def test_presets_spoil_more_and_more_and_leave_the_white_noise():
    plain = simulated()
    white = plain.didv.values - plain.clean.values
    spoils = []
    for realism in ("clean", "lab", "hard"):
        scene = simulated(nuisance=realism)
        np.testing.assert_array_equal(scene.noise, plain.noise)
        spoils.append(np.nanstd(scene.didv.values - scene.clean.values - white))
    assert spoils[0] < 1e-6 < 0.3 < spoils[1] < spoils[2]


@pytest.mark.parametrize(
    "amounts",
    [{"flicker": 0.5}, {"line": 0.5}, {"row_offsets": 0.5}, {"background": 0.5},
     {"bragg": 0.5, "lattice_nm": 0.9}, {"cdw": 0.5}],
    ids=lambda amounts: next(iter(amounts)),
)  # fmt: skip
def test_amplitudes_are_in_units_of_the_ripples(amounts):
    values = added(**amounts)
    assert np.sqrt(np.mean(values**2)) == pytest.approx(0.5, rel=0.15)
    quiet = added(**{name: 0.0 if name != "lattice_nm" else 0.9 for name in amounts})
    assert np.abs(quiet).max() == 0


def test_flicker_falls_as_one_over_f_in_raster_time():
    power = np.abs(np.fft.rfft(added(flicker=1.0).ravel())) ** 2
    octaves = [power[2**n : 2 ** (n + 1)].mean() for n in range(4, 13)]
    slope = np.polyfit(np.arange(len(octaves)), np.log2(octaves), 1)[0]
    assert slope == pytest.approx(-1, abs=0.15)


def test_all_biases_of_a_pixel_are_measured_before_the_next_pixel():
    series = np.moveaxis(added(biases=4, flicker=1.0), 0, -1).ravel()
    power = np.abs(np.fft.rfft(series)) ** 2
    octaves = [power[2**n : 2 ** (n + 1)].mean() for n in range(4, 15)]
    assert np.polyfit(np.arange(len(octaves)), np.log2(octaves), 1)[0] == pytest.approx(-1, abs=0.1)


def test_the_mains_hum_at_their_frequency():
    pixel_s = 0.004
    power = np.abs(np.fft.rfft(added(line=1.0, line_Hz=50.0, pixel_s=pixel_s).ravel()))
    frequency = np.fft.rfftfreq(PIXELS**2, pixel_s)
    assert frequency[power.argmax()] == pytest.approx(50.0, abs=0.02)


def test_row_offsets_are_one_number_a_row():
    values = added(row_offsets=1.0)[0]
    assert np.ptp(values, axis=1).max() < 1e-5
    assert values[:, 0].std() == pytest.approx(1, abs=0.25)


def test_spikes_are_few_and_high():
    values = added(spikes=0.01, spike_height=7.0)[0]
    hit = np.abs(values) > 1
    assert hit.mean() == pytest.approx(0.01, rel=0.3)
    np.testing.assert_allclose(np.abs(values[hit]), 7.0, atol=1e-4)
    assert np.abs(values[~hit]).max() < 1e-5


def brightest(values):
    power = np.abs(np.fft.fft2(values - values.mean()))
    q = 2 * np.pi * np.fft.fftfreq(PIXELS, PIXEL_NM)
    row, column = np.unravel_index(power.argmax(), power.shape)
    return np.hypot(q[row], q[column])


def test_patterns_have_their_period():
    step = 2 * np.pi / SIZE_NM
    bragg = added(bragg=1.0, lattice_nm=0.9)[0]
    assert brightest(bragg) == pytest.approx(4 * np.pi / np.sqrt(3) / 0.9, abs=step)
    assert brightest(added(cdw=1.0, cdw_nm=2.2)[0]) == pytest.approx(2 * np.pi / 2.2, abs=step)
    # Pixels of 0.25 nm do not resolve a lattice of 0.29 nm: nothing appears at a false period.
    assert np.abs(added(bragg=1.0, lattice_nm=0.29)).max() == 0


def test_the_background_is_as_smooth_as_its_correlation_length():
    rough, smooth = (added(background=1.0, background_nm=length)[0] for length in (1.0, 6.0))
    slopes = [np.std(np.diff(values, axis=1)) / np.std(values) for values in (rough, smooth)]
    assert slopes[0] > 4 * slopes[1]
    # Gaussian correlation exp(-d^2 / 2 L^2) has slopes of standard deviation 1 / L.
    assert slopes[0] / PIXEL_NM == pytest.approx(1.0, rel=0.15)


def test_a_tip_change_scales_and_shifts_all_later_rows():
    clean = simulated(snr=np.inf).clean.values[0]
    values = simulated(snr=np.inf, nuisance=Nuisance(tip_change=0.4)).didv.values[0]
    changed = np.any(np.abs(values - clean) > 1e-3, axis=1)
    start = int(np.flatnonzero(changed)[0])
    assert 0.25 * PIXELS < start < 0.75 * PIXELS
    assert changed[start:].all()
    gain, offset = np.polyfit(clean[start:].ravel(), values[start:].ravel(), 1)
    assert abs(gain - 1) == pytest.approx(0.4, rel=1e-3)
    assert abs(offset) == pytest.approx(0.4, rel=1e-3)


def test_unfinished_rows_are_not_measured():
    values = simulated(nuisance=Nuisance(unfinished=0.25)).didv.values[0]
    assert np.isnan(values[96:]).all()
    assert np.isfinite(values[:96]).all()


@pytest.mark.parametrize(
    "amounts", [{"drift_x": 0.04}, {"drift_y": -0.03}, {"shear_deg": 3.0}, {"drift_x": -0.02,
    "drift_y": 0.03, "shear_deg": -2.0}]
)  # fmt: skip
def test_scatterers_are_returned_where_drift_shows_them(amounts):
    points = Scatterers([[7.0, 6.0], [22.0, 9.0], [12.0, 26.0]])
    straight = simulated(scatterers=points, snr=np.inf)
    scene = simulated(scatterers=points, snr=np.inf, nuisance=Nuisance(**amounts))
    moved = np.abs(scene.scatterers.xy_nm - points.xy_nm).max()
    assert 0.2 < moved < 2.0
    axis = scene.didv["x"].values
    for x, y in scene.scatterers.xy_nm:
        near = np.hypot(axis[None, :] - x, axis[:, None] - y) < 1.0
        core = np.where(near, scene.didv.values[0], -np.inf)
        row, column = np.unravel_index(core.argmax(), core.shape)
        assert np.hypot(axis[column] - x, axis[row] - y) < 1.5 * PIXEL_NM
    np.testing.assert_allclose(straight.scatterers.xy_nm, points.xy_nm)


def test_distortion_shows_the_truth_at_the_places_it_says():
    scan = Nuisance(drift_x=0.03, drift_y=0.05, shear_deg=2.0)
    margin = margin_px(scan, PIXELS)
    rows, columns = np.indices((PIXELS + 2 * margin,) * 2) - margin
    shown = distorted(scan, np.stack([rows, columns]).astype(float), PIXELS)
    places = np.array([[30.0, 40.0], [100.0, 10.0]])
    true = shown[:, places[:, 0].astype(int), places[:, 1].astype(int)].T
    np.testing.assert_allclose(as_scanned(scan, true, PIXELS), places, atol=1e-6)


def test_drift_works_with_multiple_scattering():
    points = Scatterers([[7.0, 6.0], [22.0, 9.0]])
    scene = simulated(scatterers=points, nuisance="hard", multiple_scattering=True)
    assert np.isfinite(scene.clean.values).all()
    assert np.isnan(scene.didv.values).any()


def test_what_is_no_nuisance_is_refused():
    with pytest.raises(QpiError, match="known: clean, lab, hard"):
        simulated(nuisance="awful")
    with pytest.raises(ValueError, match="flicker"):
        Nuisance(flicker=-1.0)
