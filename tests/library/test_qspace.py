import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import j0

from qpi_kernel import qspace
from qpi_kernel.maps import MapError, make_map
from qpi_kernel.read import read_file, select_didv


def kernel_of(function, *, half=32, step=0.25, shift=(0.0, 0.0), bias_mV=(0.0,)):
    """Sample function(x, y) on a window of 2 * half + 1 pixels about the scatterer."""
    axis = step * np.arange(-half, half + 1)
    y, x = np.meshgrid(axis - shift[0], axis - shift[1], indexing="ij")
    values = np.stack([function(x, y)] * len(bias_mV))
    return make_map(values, bias_mV=bias_mV, y_nm=axis, x_nm=axis, units="nS")


def ring(q0, phase=0.0, power=0.5):
    return lambda x, y: (
        np.cos(q0 * np.hypot(x, y) + phase) / np.maximum(np.hypot(x, y), 0.1) ** power
    )


@pytest.mark.parametrize("pad", [1, 2, 3])
@pytest.mark.parametrize("window", ["none", "hann", "blackman", "kaiser"])
def test_the_transform_of_a_centrosymmetric_kernel_is_real(window, pad):
    fft = qspace.kernel_fft(
        kernel_of(lambda x, y: j0(2.0 * np.hypot(x, y))), window=window, pad=pad
    )
    assert fft.dtype == np.complex64
    assert fft.attrs["window"] == window
    on_ring = np.abs(fft.values) > 0.1 * np.abs(fft.values).max()
    assert np.all(np.abs(fft.values.imag[on_ring] / fft.values.real[on_ring]) < 1e-3)


def test_an_even_grid_beside_the_scatterer_keeps_the_phase_about_the_scatterer():
    axis_y, axis_x = 0.25 * np.arange(-20, 44), 0.25 * np.arange(-40, 30)
    y, x = np.meshgrid(axis_y, axis_x, indexing="ij")
    gaussian = make_map(np.exp(-(x**2 + y**2)), bias_mV=[0], y_nm=axis_y, x_nm=axis_x)
    fft = qspace.kernel_fft(gaussian)
    q2 = fft["qy"].values[:, None] ** 2 + fft["qx"].values[None, :] ** 2
    # F of exp(-r^2) is pi exp(-q^2 / 4): value, unit and sign in one line.
    np.testing.assert_allclose(fft.values[0], np.pi * np.exp(-q2 / 4), atol=2e-5)


def test_a_shifted_kernel_gives_the_phase_ramp():
    def spot(x, y):
        return np.exp(-(x**2 + y**2) / 2)

    centred = qspace.kernel_fft(kernel_of(spot))
    shifted = qspace.kernel_fft(kernel_of(spot, shift=(0.3, -0.7)))
    ramp = np.exp(-1j * (centred["qy"].values[:, None] * 0.3 - centred["qx"].values[None, :] * 0.7))
    np.testing.assert_allclose(shifted.values[0], centred.values[0] * ramp, atol=1e-4)


def test_parseval():
    rng = np.random.default_rng(1)
    kernel = kernel_of(lambda x, y: rng.normal(size=x.shape), half=10)
    fft = qspace.kernel_fft(kernel)
    dq2 = float(np.diff(fft["qy"].values[:2])[0] * np.diff(fft["qx"].values[:2])[0])
    assert np.sum(np.abs(fft.values) ** 2) * dq2 / (2 * np.pi) ** 2 == pytest.approx(
        float(np.sum(kernel.values.astype(float) ** 2)) * 0.25**2, rel=1e-5
    )


def test_axes_are_in_inverse_nm_and_units_follow_the_map():
    fft = qspace.kernel_fft(kernel_of(lambda x, y: np.cos(2 * np.pi * x)))
    peak = np.unravel_index(np.argmax(np.abs(fft.values[0])), fft.shape[1:])
    assert abs(fft["qy"].values[peak[0]]) < 1e-9
    assert abs(fft["qx"].values[peak[1]]) == pytest.approx(2 * np.pi, abs=2 * np.pi / 16)
    assert fft.attrs["units"] == "nS nm^2"
    assert fft["qx"].attrs["units"] == "1/nm"


def test_windows_trade_the_width_of_a_line_for_its_tails():
    axis = 0.25 * np.arange(64)
    wave = np.cos(2 * np.pi * 8.5 / 16 * axis)[None, :] * np.ones((64, 1))
    didv = make_map(wave, bias_mV=[0], y_nm=axis, x_nm=axis)
    tails = {}
    for window in ("none", "hann", "kaiser", "blackman"):
        line = np.abs(qspace.map_fft(didv, window=window).values[0, 32])
        far = np.abs(np.arange(64) - 32) > 13
        tails[window] = line[far].max() / line.max()
    assert tails["hann"] < 0.05 * tails["none"]
    assert tails["kaiser"] < 0.05 * tails["none"]
    assert tails["blackman"] < 0.5 * tails["hann"]
    with pytest.raises(MapError, match="unknown window"):
        qspace.map_fft(didv, window="hamming")


def test_map_fft_removes_the_mean_of_the_measured_points():
    axis = np.arange(20.0)
    values = np.full((20, 20), 7.0)
    values[15:] = np.nan
    fft = qspace.map_fft(make_map(values, bias_mV=[0], y_nm=axis, x_nm=axis))
    assert np.abs(fft.values).max() < 1e-4


def test_the_ring_of_a_bessel_kernel_lies_within_one_bin():
    kernel = kernel_of(lambda x, y: j0(3.0 * np.hypot(x, y)))
    average = qspace.radial_average(qspace.kernel_fft(kernel, window="hann"))
    q = average["q"].values
    assert abs(q[int(np.argmax(average.values[0]))] - 3.0) <= q[1] - q[0]


def test_ring_radius_looks_where_it_is_told_and_admits_an_empty_range():
    def two_rings(x, y):
        return ring(1.7)(x, y) + 2 * ring(4.5)(x, y)

    kernel = kernel_of(two_rings, bias_mV=(-5.0, 5.0))
    np.testing.assert_allclose(qspace.ring_radius(kernel), 4.5, atol=0.05)
    np.testing.assert_allclose(qspace.ring_radius(kernel, (1.2, 2.5)), 1.7, atol=0.05)
    assert np.isnan(qspace.ring_radius(kernel_of(lambda x, y: 0 * x))).all()


def test_the_interesting_q_hold_the_ring_at_every_energy():
    two = kernel_of(ring(2.0), bias_mV=(0.0, 1.0))
    two.values[1] = kernel_of(ring(4.0)).values[0]
    assert qspace.interesting_q(two) == pytest.approx(2.2 * 4.0, rel=0.15)
    flat = kernel_of(lambda x, y: 0 * x)
    assert qspace.interesting_q(flat) == pytest.approx(np.pi / 0.25)


def test_the_radial_transform_needs_the_scatterer_inside():
    axis = np.arange(10.0)
    beside = make_map(np.zeros((10, 10)), bias_mV=[0], y_nm=axis, x_nm=axis)
    with pytest.raises(MapError, match="does not hold the scatterer"):
        qspace.radial_profile(beside)


def test_half_rim_finds_the_edge_of_a_disc():
    axis = 0.2 * np.arange(-60, 61)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    r = np.hypot(x, y) + 1e-9
    # A band filled from 3 to 5 1/nm, the brighter the nearer to its edge.
    disc = sum(q**2 * j0(q * r) for q in np.linspace(3.0, 5.0, 60))
    kernel = make_map(disc, bias_mV=[0], y_nm=axis, x_nm=axis)
    assert qspace.half_rim_q(kernel)[0] == pytest.approx(5.0, abs=0.15)
    assert qspace.half_rim_q(qspace.kernel_fft(kernel, pad=2))[0] == pytest.approx(5.0, abs=0.15)


def test_half_rim_sees_the_disc_of_a_copper_surface_beside_its_background(data_dir):
    topography = select_didv(read_file(data_dir / "cu111" / "A200621.160730.dat"))
    # The edge lies at 2k = 5.1 1/nm with the calibration of the file.
    assert qspace.half_rim_q(qspace.map_fft(topography))[0] == pytest.approx(5.1, abs=0.1)


def test_half_rim_of_a_featureless_kernel_is_not_a_number():
    assert np.isnan(qspace.half_rim_q(kernel_of(lambda x, y: np.exp(-8 * (x**2 + y**2))))[0])


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    ("fold", "tolerance"), [(1, 1e-6), (2, 1e-6), (4, 1e-6), (3, 1e-2), (6, 1e-2)]
)
def test_symmetrise_is_idempotent(fold, tolerance, mirror):
    kernel = kernel_of(lambda x, y: np.exp(-((x - 1) ** 2 + (y - 2) ** 2) / 3) * np.cos(x), half=24)
    once = qspace.symmetrise(kernel, fold, mirror=mirror)
    twice = qspace.symmetrise(once, fold, mirror=mirror)
    # In the corners not every image is known.
    known = np.isfinite(once.values)
    assert known.mean() > 0.75
    np.testing.assert_array_equal(np.isfinite(twice.values), known)
    difference = np.linalg.norm((twice.values - once.values)[known])
    assert difference < tolerance * np.linalg.norm(once.values[known])
    assert once.attrs["symmetrised"] == f"C{fold}{'v' if mirror else ''}"
    assert "symmetrised" not in kernel.attrs


def test_symmetrise_makes_the_group():
    kernel = kernel_of(lambda x, y: x + 3 * y + x * y**2, half=8)
    four = qspace.symmetrise(kernel, 4, mirror=True).values[0]
    np.testing.assert_allclose(np.rot90(four), four, atol=1e-5)
    np.testing.assert_allclose(np.flipud(four), four, atol=1e-5)
    with pytest.raises(MapError, match="fold"):
        qspace.symmetrise(kernel, 5)


def orbit_members(values, axis):
    """The part of a square field that every rotation by 90 degrees about 0 maps onto itself."""
    zero = int(np.argmin(np.abs(axis)))
    reach = min(zero, axis.size - 1 - zero)
    inside = slice(zero - reach, zero + reach + 1)
    return values[inside, inside]


@given(
    st.integers(6, 21),
    st.sampled_from([(1, True), (2, False), (2, True), (4, False), (4, True)]),
    st.integers(0, 2**32 - 1),
)
def test_symmetrised_noise_has_the_symmetry_in_both_spaces(pixels, group, seed):
    """Even grids have an outer row and column without partner: they must not break it."""
    fold, mirror = group
    axis = 0.3 * (np.arange(pixels) - pixels // 2)
    values = np.random.default_rng(seed).normal(size=(1, pixels, pixels))
    noise = make_map(values, bias_mV=[0], y_nm=axis, x_nm=axis)
    once = qspace.symmetrise(noise, fold, mirror=mirror)
    known = np.isfinite(once.values)
    assert once.dtype == noise.dtype
    lost = 0 if pixels % 2 else 1
    assert known.sum() == (pixels - lost) * (pixels - (lost if fold > 1 else 0))
    assert once.values[known].mean() == pytest.approx(noise.values[known].mean(), abs=1e-6)
    np.testing.assert_allclose(
        qspace.symmetrise(once, fold, mirror=mirror).values, once.values, atol=1e-5
    )
    fft = qspace.kernel_fft(once)
    top = np.abs(fft.values).max()
    for field, unit in ((once.values[0], 1.0), (fft.values[0], top)):
        part = orbit_members(field, axis)
        images = [np.rot90(part, turn * 4 // fold) for turn in range(fold)]
        images += [np.flipud(image) for image in images if mirror]
        for image in images:
            np.testing.assert_allclose(image / unit, part / unit, atol=1e-5)


def test_a_mirror_may_lie_at_any_angle():
    kernel = kernel_of(lambda x, y: np.exp(-((x - 1) ** 2 + (y - 2) ** 2) / 3), half=24)
    diagonal = qspace.symmetrise(kernel, 1, mirror=True, mirror_deg=45.0)
    np.testing.assert_allclose(diagonal.values[0], diagonal.values[0].T, atol=1e-6)
    assert diagonal.attrs["symmetrised"] == "C1v (mirror at 45 deg)"
    # Six-fold mirrors repeat every 30 degrees.
    six, turned = (
        qspace.symmetrise(kernel, 6, mirror=True, mirror_deg=angle).values for angle in (10, 40)
    )
    inside = np.hypot(*np.meshgrid(kernel["y"], kernel["x"])) < 5
    np.testing.assert_allclose(six[0][inside], turned[0][inside], atol=2e-3)


def test_a_transform_is_symmetrised_in_modulus():
    kernel = kernel_of(lambda x, y: np.exp(-(x**2) - y**2 / 4) * np.cos(2 * x + y))
    fft = qspace.kernel_fft(kernel)
    four = qspace.symmetrise(fft, 4)
    assert four.attrs["symmetrised"] == "C4"
    np.testing.assert_allclose(np.rot90(four.values[0]), four.values[0], atol=1e-4)
    one = qspace.symmetrise(fft, 1)
    np.testing.assert_allclose(one.values, np.abs(fft.values), atol=1e-4)


def test_asymmetry_tells_how_far_a_kernel_is_from_a_group():
    even = kernel_of(lambda x, y: np.exp(-(x**2) - y**2 / 4))
    odd = even.copy(data=(even["x"].values[None, None, :] * even.values).astype("f4"))
    assert qspace.asymmetry(even, 2)[0] < 1e-6
    assert qspace.asymmetry(even, 2, mirror=True)[0] < 1e-6
    assert 0.2 < qspace.asymmetry(even, 4)[0] < 0.8
    assert qspace.asymmetry(odd, 2)[0] == pytest.approx(1.0, abs=1e-6)


def test_kernels_on_two_grids_and_a_pixel_apart_are_similar():
    a = kernel_of(ring(2.6, 0.4), half=32, step=0.25)
    b = kernel_of(ring(2.6, 0.4), half=50, step=0.16, shift=(0.2, -0.3))
    assert qspace.band_similarity(a, a)[0] == pytest.approx(1.0, abs=1e-6)
    assert qspace.band_similarity(a, b)[0] > 0.99
    assert qspace.band_similarity(b, a)[0] > 0.99
    assert qspace.band_similarity(a, -a.copy())[0] < 0.6


def test_similarity_ignores_what_lies_outside_the_band():
    a = kernel_of(ring(2.6))
    beyond = kernel_of(lambda x, y: 3 * np.cos(9.0 * x) * np.exp(-(x**2 + y**2) / 8))
    b = a.copy(data=a.values + 5 + beyond.values)
    assert qspace.band_similarity(a, b)[0] > 0.97
    assert abs(qspace.band_similarity(a, kernel_of(ring(4.4)))[0]) < 0.2


def test_similarity_refuses_what_cannot_be_compared():
    a = kernel_of(ring(2.6), half=8)
    with pytest.raises(MapError, match="1 and 2 biases"):
        qspace.band_similarity(a, kernel_of(ring(2.6), half=8, bias_mV=(0.0, 1.0)))
    with pytest.raises(MapError, match="no q of the kernel"):
        qspace.band_similarity(a, a, (100.0, 200.0))
    away = a.assign_coords(x=a["x"] + 50.0)
    with pytest.raises(MapError, match="do not overlap"):
        qspace.band_similarity(a, away)
