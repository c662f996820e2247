import numpy as np
import pytest

from qpi_kernel import qspace
from qpi_kernel.errors import QpiError
from qpi_kernel.maps import make_map
from qpi_kernel.simulate import continuum, find_material, simulate_kernel
from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2

# Ring radii [1/nm] worked out by hand from the dispersions, not by this library.
RINGS = [
    ("ag111", 0.0, 1.652),
    ("ag111", 100.0, 2.632),
    ("cu111", -200.0, 3.188),
    ("cu111", 0.0, 4.338),
    ("cu111", 100.0, 4.811),
    ("au111", -200.0, 2.781),
    ("au111", 0.0, 3.618),
    ("au111", 200.0, 4.294),
    ("biag2", -200.0, 1.541),
    ("biag2", -250.0, 2.052),
    ("biag2", -400.0, 3.118),
    ("biag2", -500.0, 3.660),
    ("biag2", -600.0, 4.132),
    ("si111-ag", 100.0, 2.024),
]
PIXELS = np.arange(-40.0, 41.0)


def axis_nm(reach, step):
    return step * np.arange(-int(reach / step), int(reach / step) + 1)


@pytest.mark.parametrize(("name", "bias_mV", "ring_q"), RINGS)
def test_the_ring_lies_where_the_dispersion_says(name, bias_mV, ring_q):
    assert find_material(name).ring_q(bias_mV / 1e3) == pytest.approx(ring_q, rel=5e-4)
    axis = axis_nm(30.0, 0.2)
    kernel = simulate_kernel(name, bias_mV=[bias_mV], y_nm=axis, x_nm=axis)
    measured = qspace.ring_radius(kernel, (0.5 * ring_q, 1.6 * ring_q))[0]
    assert measured == pytest.approx(ring_q, rel=3.5e-3)


def test_the_ring_close_to_the_band_edge():
    # 15 meV above the edge the preset's lifetime already moves the ring by half a percent.
    axis = axis_nm(60.0, 0.5)
    values = continuum.parabolic_kernel(
        axis[:, None], axis[None, :], -0.050, mass=0.40, edge_eV=-0.065, broadening_eV=3e-4
    )
    kernel = make_map(values, bias_mV=[-50.0], y_nm=axis, x_nm=axis)
    assert qspace.ring_radius(kernel, (0.4, 1.3))[0] == pytest.approx(0.794, rel=3.5e-3)


@pytest.mark.parametrize("phase_shift", [0.4, np.pi / 2, 2.5])
def test_the_scattering_phase_does_not_move_the_ring(phase_shift):
    axis = axis_nm(30.0, 0.25)
    values = continuum.parabolic_kernel(
        axis[:, None], axis[None, :], 0.0, mass=0.40, edge_eV=-0.065, broadening_eV=0.002,
        phase_shift=phase_shift,
    )  # fmt: skip
    kernel = make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    assert qspace.ring_radius(kernel)[0] == pytest.approx(1.652, rel=3.5e-3)


def test_rashba_splitting_shows_one_ring():
    # kR = 1.401, kb = 2.066 at -0.6 eV: the contours are 0.665 and 3.467, the ring their sum.
    axis = axis_nm(30.0, 0.2)
    kernel = simulate_kernel("biag2", bias_mV=[-600.0], y_nm=axis, x_nm=axis)
    at_inner, at_sum, at_outer = qspace.radial_profile(kernel, [1.330, 4.132, 6.934]).values[0]
    assert at_inner < 0.05 * at_sum
    assert at_outer < 0.05 * at_sum


@pytest.mark.parametrize("mass_sign", [1, -1])
def test_the_rashba_kernel_follows_from_the_hamiltonian(mass_sign):
    # The same kernel from a 2 x 2 Hamiltonian on a mesh of wave vectors, with hbar^2 / 2m = 1.
    alpha, energy, broadening = 0.3, mass_sign * 0.09, 0.012
    size = 512
    k = 2 * np.pi * np.fft.fftfreq(size)
    kx, ky = k[None, :], k[:, None]
    k2 = kx**2 + ky**2
    soft = np.exp(-((k2 / 1.6**2) ** 4))
    diagonal = energy + 1j * broadening - mass_sign * k2
    # alpha (sigma_x ky - sigma_y kx) has the off-diagonal alpha (ky + i kx).
    determinant = diagonal**2 - alpha**2 * k2
    even = np.fft.ifft2(soft * diagonal / determinant)
    up = np.fft.ifft2(soft * alpha * (ky + 1j * kx) / determinant)
    down = np.fft.ifft2(soft * alpha * (ky - 1j * kx) / determinant)

    def mirrored(image):
        return np.roll(image[::-1, ::-1], (1, 1), (0, 1))

    scattering = continuum.t_matrix(HBAR2_2M_EV_NM2, 0.8)
    if mass_sign < 0:
        scattering = -scattering.conjugate()
    trace = 2 * even * mirrored(even) + up * mirrored(down) + down * mirrored(up)
    brute = np.fft.fftshift(-np.imag(scattering * trace) / np.pi)
    window = slice(size // 2 - 40, size // 2 + 41)
    exact = continuum.rashba_kernel(
        PIXELS[:, None], PIXELS[None, :], energy, mass=mass_sign * HBAR2_2M_EV_NM2,
        crossing_eV=0.0, rashba_eV_nm=alpha, broadening_eV=broadening, phase_shift=0.8,
        core_nm=0.01,
    )  # fmt: skip
    ripples = np.hypot(PIXELS[:, None], PIXELS[None, :]) > 6
    difference = brute[window, window][ripples] - exact[ripples]
    assert np.linalg.norm(difference) < 0.02 * np.linalg.norm(exact[ripples])


@pytest.mark.parametrize("phase_shift", [0.1, 0.7, np.pi / 2, 3.0])
@pytest.mark.parametrize("mass", [0.26, -0.5])
def test_the_t_matrix_obeys_the_optical_theorem(mass, phase_shift):
    scattering = continuum.t_matrix(mass, phase_shift)
    local_green = -abs(mass) / (4 * HBAR2_2M_EV_NM2)
    assert scattering.imag == pytest.approx(abs(scattering) ** 2 * local_green)


@pytest.mark.parametrize("mass", [0.4, -0.35])
def test_a_small_phase_shift_is_the_born_limit(mass):
    # T = -(4 hbar^2 / 2 m) delta, so that the kernel is odd and linear in the phase shift.
    band = {"mass": mass, "edge_eV": 0.0, "broadening_eV": 0.003}
    r = np.linspace(0.5, 12, 60)
    born = -4 * HBAR2_2M_EV_NM2 / abs(mass) * 1e-5
    assert continuum.t_matrix(mass, 1e-5) == pytest.approx(born, rel=2e-5)
    kernels = [
        continuum.parabolic_kernel(0 * r, r, np.copysign(0.1, mass), phase_shift=delta, **band)
        for delta in (1e-5, 2e-5, -1e-5)
    ]
    scale = np.abs(kernels[0]).max()
    np.testing.assert_allclose(kernels[1], 2 * kernels[0], atol=1e-4 * scale)
    np.testing.assert_allclose(kernels[2], -kernels[0], atol=1e-4 * scale)


def test_an_absorbing_scatterer_loses_waves():
    scattering = continuum.t_matrix(0.4, 0.7, absorption=0.5)
    assert scattering.imag < abs(scattering) ** 2 * -0.4 / (4 * HBAR2_2M_EV_NM2)


def test_a_hole_band_is_the_mirror_image_of_an_electron_band():
    y, x = PIXELS[:, None] / 4, PIXELS[None, :] / 4
    common = {"broadening_eV": 0.004, "phase_shift": 0.9}
    electron = continuum.parabolic_kernel(y, x, 0.05, mass=0.3, edge_eV=-0.1, **common)
    hole = continuum.parabolic_kernel(y, x, -0.05, mass=-0.3, edge_eV=0.1, **common)
    np.testing.assert_allclose(hole, electron, rtol=1e-12)
    electron = continuum.rashba_kernel(
        y, x, 0.05, mass=0.3, crossing_eV=-0.1, rashba_eV_nm=0.1, **common
    )
    hole = continuum.rashba_kernel(
        y, x, -0.05, mass=-0.3, crossing_eV=0.1, rashba_eV_nm=0.1, **common
    )
    np.testing.assert_allclose(hole, electron, rtol=1e-12)


def test_no_rashba_splitting_is_a_parabola():
    y, x = PIXELS[:, None] / 4, PIXELS[None, :] / 4
    plain = continuum.parabolic_kernel(y, x, 0.1, mass=0.3, edge_eV=-0.1, broadening_eV=0.004)
    rashba = continuum.rashba_kernel(
        y, x, 0.1, mass=0.3, crossing_eV=-0.1, rashba_eV_nm=0.0, broadening_eV=0.004
    )
    np.testing.assert_allclose(rashba, plain, rtol=1e-12)


def test_the_green_function_solves_the_wave_equation():
    r = np.linspace(0.5, 12.0, 4001)
    step = r[1] - r[0]
    green = continuum.parabolic_green(r, 0.05, 0.4, -0.1, 0.004, core_nm=0.1)
    first = np.gradient(green, step)
    laplace = np.gradient(first, step) + first / r
    rest = (0.15 + 0.004j) * green + HBAR2_2M_EV_NM2 / 0.4 * laplace
    assert np.max(np.abs(rest[5:-5])) < 1e-4 * np.max(np.abs(0.15 * green))


@pytest.mark.parametrize("mass", [0.4, -0.4])
def test_the_core_rounds_the_logarithm_alone(mass):
    # The spectral function -Im G(0) = m / 2 hbar^2 stays, and so does every wave outside.
    band = {"energy_eV": 0.0, "mass": mass, "edge_eV": -0.435 * np.sign(mass)}
    r = np.array([0.0, 1e-3, 0.5, 0.7, 5.0])
    point, core = (
        continuum.parabolic_green(r, **band, broadening_eV=1e-6, core_nm=c) for c in (1e-4, 0.2)
    )
    k = np.sqrt(0.4 * 0.435 / HBAR2_2M_EV_NM2)
    height = np.sign(mass) * 0.4 / (4 * HBAR2_2M_EV_NM2) * 2 / np.pi * (
        np.log(0.1 * k) + np.euler_gamma
    )  # fmt: skip
    np.testing.assert_allclose(core[:2].imag, -0.4 / (4 * HBAR2_2M_EV_NM2), rtol=1e-4)
    np.testing.assert_allclose(core[:2].real, height, rtol=1e-3)
    np.testing.assert_allclose(core[2], point[2], rtol=0.01)
    np.testing.assert_allclose(core[3:], point[3:], rtol=1e-4)


@pytest.mark.parametrize(("name", "window_nm"), [("ag111", 20.0), ("cu111", 10.0)])
def test_the_band_of_a_true_kernel_is_the_band_of_the_material(name, window_nm):
    material = find_material(name)
    axis = axis_nm(window_nm / 2, window_nm / 51)
    first = 1e3 * material.band.edge_eV + 50
    kernel = simulate_kernel(name, bias_mV=np.linspace(first, first + 400, 9), y_nm=axis, x_nm=axis)
    band = qspace.fit_band(qspace.measure_dispersion(kernel))
    assert band.values["mass_me"] == pytest.approx(material.band.mass, rel=4e-3)
    assert band.values["E0_meV"] == pytest.approx(1e3 * material.band.edge_eV, abs=2.0)


@pytest.mark.parametrize("depth_eV", [0.001, 0.05, 1.0])
def test_below_the_band_edge_the_kernel_is_finite_and_short(depth_eV):
    y, x = PIXELS[:, None] / 4, PIXELS[None, :] / 4
    kernels = [
        continuum.parabolic_kernel(
            y, x, -0.1 - depth_eV, mass=0.4, edge_eV=-0.1, broadening_eV=0.003
        ),
        continuum.parabolic_kernel(
            y, x, 0.1 + depth_eV, mass=-0.4, edge_eV=0.1, broadening_eV=0.003
        ),
        continuum.rashba_kernel(
            y, x, -0.4 - depth_eV, mass=0.4, crossing_eV=-0.1, rashba_eV_nm=0.1,
            broadening_eV=0.003,
        ),
    ]  # fmt: skip
    for kernel in kernels:
        assert np.all(np.isfinite(kernel))
        assert abs(kernel[0, 0]) < 0.05 * np.max(np.abs(kernel))


def test_an_elliptic_contour_has_its_own_ring_along_each_axis():
    reach = np.arange(1, 400) * 0.1
    mass_x, mass_y, energy = 0.6, 0.2, 0.15
    for mass, (y, x) in ((mass_x, (0 * reach, reach)), (mass_y, (reach, 0 * reach))):
        line = continuum.parabolic_kernel(
            y, x, energy, mass=(mass_x, mass_y), edge_eV=0.0, broadening_eV=0.002
        )
        expected = 2 * np.sqrt(mass * energy / HBAR2_2M_EV_NM2)
        q = np.linspace(0.5, 1.5, 401) * expected
        window = reach * np.sin(np.pi * reach / reach[-1]) ** 2
        profile = np.abs(np.exp(-1j * np.outer(q, reach)) @ (line * window))
        assert q[np.argmax(profile)] == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"mass": 0.0}, "not zero and of one sign"),
        ({"mass": (0.4, -0.4)}, "of one sign, got 0.4 and -0.4"),
        ({"broadening_eV": -0.003}, "broadening .* must be positive"),
        ({"core_nm": 0.0}, "core .* must be positive"),
    ],
)
def test_what_is_no_band_is_refused(changes, match):
    band = {"mass": 0.4, "edge_eV": -0.1, "broadening_eV": 0.003} | changes
    with pytest.raises(QpiError, match=match):
        continuum.parabolic_kernel(np.ones(2), np.ones(2), 0.0, **band)
    if np.ndim(band["mass"]) == 0:
        band["crossing_eV"] = band.pop("edge_eV")
        with pytest.raises(QpiError, match=match):
            continuum.rashba_kernel(np.ones(2), np.ones(2), 0.0, rashba_eV_nm=0.1, **band)
