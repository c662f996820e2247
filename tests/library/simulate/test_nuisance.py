import numpy as np
import pytest

from qpi_kernel import QpiError, Scatterers, simulate_map
from qpi_kernel.simulate.nuisance import REALISM, Nuisance, second_tip, spoiled

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
     {"bragg": 0.5, "lattice_nm": 0.9}, {"cdw": 0.5}, {"moire": 0.5}, {"herringbone": 0.5}],
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
    "amounts", [{"drift_x": 0.04}, {"drift_y": -0.03}, {"shear_deg": 3.0}, {"creep_x": 0.04,
    "creep_y": 0.04}, {"drift_x": -0.02, "drift_y": 0.03, "shear_deg": -2.0, "creep_y": -0.02}]
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


def test_drift_works_with_multiple_scattering():
    points = Scatterers([[7.0, 6.0], [22.0, 9.0]])
    scene = simulated(scatterers=points, nuisance="hard", multiple_scattering=True)
    assert np.isfinite(scene.clean.values).all()
    assert np.isnan(scene.didv.values).any()


def test_a_second_tip_shows_the_map_again_beside_itself():
    scan = Nuisance(double_tip=0.5, double_tip_nm=2.0)
    scene = simulated(snr=np.inf, nuisance=scan)
    row, column = second_tip(scan, PIXEL_NM, 4)
    assert np.hypot(row, column) * PIXEL_NM == pytest.approx(2.0)
    ghost = (scene.didv - scene.clean).values[0].astype(float)
    step = np.exp(
        2j * np.pi * (np.fft.fftfreq(PIXELS)[:, None] * row + np.fft.fftfreq(PIXELS) * column)
    )
    moved = np.fft.ifft2(np.fft.fft2(scene.clean.values[0]) * step).real
    inner = (slice(16, -16), slice(16, -16))
    np.testing.assert_allclose(ghost[inner], 0.5 * moved[inner], atol=0.2)
    assert np.corrcoef(ghost[inner].ravel(), moved[inner].ravel())[0, 1] > 0.999
    # The kernel is what one tip would see.
    alone = simulated(snr=np.inf).kernel.values
    np.testing.assert_allclose(scene.kernel.values, alone, atol=1e-5)


def test_the_lock_in_smears_along_the_row_only():
    point = np.zeros((1, 32, 32))
    point[0, 10, 12] = 1.0
    values = spoiled(Nuisance(lockin_s=0.02, pixel_s=0.01), point, PIXEL_NM, 0)[0]
    stays = np.exp(-0.5)
    expected = np.where(np.arange(32) >= 12, (1 - stays) * stays ** (np.arange(32.0) - 12), 0)
    np.testing.assert_allclose(values[10], expected, atol=1e-12)
    assert np.abs(np.delete(values, 10, axis=0)).max() == 0
    level = spoiled(Nuisance(lockin_s=0.02), np.full((1, 16, 16), 3.0), PIXEL_NM, 0)
    np.testing.assert_allclose(level, 3.0)


def test_the_feedback_rings_behind_each_scatterer():
    flat, places = np.zeros((1, 64, 64)), np.array([[30.0, 20.0]])
    values = spoiled(Nuisance(ringing=0.8, ringing_nm=2.0), flat, PIXEL_NM, 0, places=places)[0]
    assert np.abs(values[:, :21]).max() == 0
    assert np.abs(values[36:]).max() < 0.01
    row = values[30, 20:]
    # Its first maximum is a quarter of a period behind, its first minimum three quarters.
    assert row[:8].argmax() == pytest.approx(2, abs=1)
    assert row.argmin() == pytest.approx(6, abs=1)
    assert row.max() == pytest.approx(0.8 * np.exp(-0.25 / 1.5), rel=0.1)
    without = spoiled(Nuisance(ringing=0.8), flat, PIXEL_NM, 0)
    assert np.abs(without).max() == 0


def test_a_step_has_a_terrace_and_standing_waves_of_the_ring():
    flat, q = np.zeros((2, 128, 128)), np.array([2.0, 4.0])
    terrace = spoiled(Nuisance(terrace=3.0), flat, PIXEL_NM, 1)
    assert set(np.unique(terrace)) == {0.0, 3.0}
    assert 0.1 < (terrace == 3.0).mean() < 0.9
    waves = spoiled(Nuisance(step_edge=1.0), flat, PIXEL_NM, 1, ring_q=q)
    edge = np.abs(np.diff(terrace[0], axis=1)).sum(axis=1) > 0
    assert waves[:, edge].min(axis=(1, 2)) == pytest.approx([-1.0, -1.0], abs=0.1)
    for plane, wanted in zip(waves, q, strict=True):
        assert brightest(plane) == pytest.approx(wanted, abs=1.5 * 2 * np.pi / SIZE_NM)
    assert np.abs(spoiled(Nuisance(step_edge=1.0), flat, PIXEL_NM, 1)).max() == 0


def test_a_simulated_map_has_the_step_waves_of_its_band():
    scene = simulated(bias_mV=[-20.0, 50.0], snr=np.inf, nuisance=Nuisance(step_edge=2.0))
    waves = (scene.didv - scene.clean).values
    found = [brightest(plane) for plane in waves]
    np.testing.assert_allclose(found, scene.ring_q, atol=1.5 * 2 * np.pi / SIZE_NM)


def test_what_is_no_nuisance_is_refused():
    with pytest.raises(QpiError, match="known: clean, lab, hard"):
        simulated(nuisance="awful")
    with pytest.raises(ValueError, match="flicker"):
        Nuisance(flicker=-1.0)
