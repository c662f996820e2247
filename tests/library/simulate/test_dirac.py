import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j0, jv

from qpi_kernel import QpiError, simulate_kernel
from qpi_kernel.simulate import MATERIALS, dirac

V = 0.3
CONE = {"velocity_eV_nm": V, "crossing_eV": 0.0, "broadening_eV": 1e-4}
BI2TE3 = {
    "velocity_eV_nm": 0.255,
    "warping_eV_nm3": 0.25,
    "crossing_eV": 0.0,
    "broadening_eV": 0.01,
}


def along_x(energy=0.3, start=20.0, stop=60.0, **changes):
    x = np.linspace(start, stop, 2000)
    return x, dirac.dirac_kernel(np.zeros_like(x), x, energy, **(CONE | changes))


@pytest.mark.parametrize("energy", [0.3, -0.3])
def test_a_scalar_scatterer_on_a_cone_falls_as_the_square(energy):
    x, rho = along_x(energy)
    inner, outer = (rho[(x > low) & (x < low + 12)] for low in (20, 47))
    ratio = np.ptp(inner) / np.ptp(outer)
    assert np.log(ratio) / np.log(47 / 20) == pytest.approx(2, abs=0.1)


def test_a_tip_with_spin_sees_a_magnetic_scatterer_fall_slower():
    x, rho = along_x(potential_eV_nm2=0.0, moment_eV_nm2=(0.0, 0.0, 1e-3), tip=(0.0, 0.0, 1.0))
    inner, outer = (rho[(x > low) & (x < low + 12)] for low in (20, 47))
    assert np.log(np.ptp(inner) / np.ptp(outer)) / np.log(47 / 20) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("moment", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_a_magnetic_scatterer_gives_no_charge_signal_to_first_order(moment):
    def charge(strength):
        spin = tuple(strength * part for part in moment)
        return along_x(start=1.0, potential_eV_nm2=0.0, moment_eV_nm2=spin)[1]

    weak, double = charge(1e-4), charge(2e-4)
    np.testing.assert_allclose(double, 4 * weak, atol=1e-3 * np.abs(weak).max())
    scalar = along_x(start=1.0, potential_eV_nm2=1e-4)[1]
    assert np.abs(weak).max() < 1e-3 * np.abs(scalar).max()


def test_the_cone_is_the_born_term_of_its_own_integral():
    # G = integral k dk / 2 pi [z J0 + i v k J1 sigma.t] / (z^2 - v^2 k^2), by quadrature.
    z, r = 0.3 + 0.1j, 2.0

    def integral(function):
        return quad(
            lambda k: function(k) * np.exp(-1e-4 * k**2), 0, 200, limit=2000, complex_func=True
        )[0]

    even = integral(lambda k: k / (2 * np.pi) * z * j0(k * r) / (z**2 - V**2 * k**2))
    odd = integral(lambda k: 1j * k / (2 * np.pi) * V * k * jv(1, k * r) / (z**2 - V**2 * k**2))
    born = -2 / np.pi * np.imag(1e-6 * (even**2 - odd**2))
    rho = dirac.dirac_kernel(
        np.array([0.0]), np.array([r]), 0.3, velocity_eV_nm=V, crossing_eV=0.0,
        broadening_eV=0.1, potential_eV_nm2=1e-6, core_nm=1e-3,
    )  # fmt: skip
    assert rho[0] == pytest.approx(born, rel=0.01)


def test_a_warped_cone_without_warping_is_a_cone():
    axis = 0.25 * np.arange(-40, 41)
    shared = {"velocity_eV_nm": V, "crossing_eV": -0.1, "broadening_eV": 0.02, "core_nm": 0.1}
    exact = dirac.dirac_kernel(axis[:, None], axis[None, :], 0.2, potential_eV_nm2=1e-4, **shared)
    mesh = dirac.warped_kernel(axis, axis, 0.2, warping_eV_nm3=0.0, potential_eV_nm2=1e-4, **shared)
    far = np.hypot(axis[:, None], axis[None, :]) > 2
    np.testing.assert_allclose(mesh[far], exact[far], atol=0.03 * np.abs(exact[far]).max())


def power_of(rho, axis):
    """|FFT| of a kernel and its axis [1/nm]; the core is left out."""
    distance = np.hypot(axis[:, None], axis[None, :])
    window = np.clip(1 - distance / axis.max(), 0, None) * (1 - np.exp(-((distance / 2) ** 2)))
    power = np.abs(np.fft.fftshift(np.fft.fft2(rho * window)))
    return power, 2 * np.pi * np.fft.fftshift(np.fft.fftfreq(axis.size, axis[1] - axis[0]))


def q_map(energy, half=100, step=0.5, **changes):
    axis = step * np.arange(-half, half)
    return power_of(dirac.warped_kernel(axis, axis, energy, **(BI2TE3 | changes)), axis)


@pytest.mark.parametrize("share", [0.85, 1.0, 1.15])
def test_the_brightest_spots_of_a_warped_cone_lie_along_gamma_k(share):
    energy = share * 0.255 * np.sqrt(0.255 / 0.25)
    power, q = q_map(energy)
    qx, qy = np.meshgrid(q, q)
    power[np.hypot(qx, qy) < 0.3 * energy / 0.255] = 0
    row, column = np.unravel_index(np.argmax(power), power.shape)
    angle = np.rad2deg(np.arctan2(q[row], q[column])) % 60
    pixel = q[1] - q[0]
    assert np.hypot(q[row], q[column]) == pytest.approx(
        np.sqrt(3) * energy / 0.255, abs=1.5 * pixel
    )
    assert min(angle, 60 - angle) < 6


@pytest.mark.parametrize(("share", "concave"), [(0.66, False), (0.72, True)])
def test_the_contour_turns_concave_above_0_690_of_the_warping_energy(share, concave):
    energy = share * 0.255 * np.sqrt(0.255 / 0.25)
    k = np.linspace(0, 3, 300_001)

    def radius(theta):
        field = dirac.warped_field(k * np.cos(theta), k * np.sin(theta), 0.255, 0.25)
        return np.interp(energy, np.linalg.norm(field, axis=0), k)

    # Gamma-K is the waist of the contour, where the curvature of 1/k(theta) changes sign.
    step = 0.02
    inverse = [1 / radius(theta) for theta in (-step, 0.0, step)]
    curvature = inverse[1] + (inverse[0] - 2 * inverse[1] + inverse[2]) / step**2
    assert (curvature < 0) == concave


@pytest.mark.parametrize("name", ["bi2te3", "bi2se3"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_topological_material_has_its_spots_where_it_says(name, share):
    low, high = MATERIALS[name].energies_eV
    bias_mV = 1e3 * (low + share * (high - low))
    axis = 0.5 * np.arange(-100, 101)
    kernel = simulate_kernel(name, bias_mV=[bias_mV], y_nm=axis, x_nm=axis).values[0]
    power, q = power_of(kernel, axis)
    middle = power[axis.size // 2]
    beyond = q > 0.7 * MATERIALS[name].ring_q(bias_mV / 1e3)
    spot = q[beyond][middle[beyond].argmax()]
    assert spot == pytest.approx(MATERIALS[name].ring_q(bias_mV / 1e3), abs=1.6 * (q[1] - q[0]))


def test_a_coarse_map_shows_the_same_kernel_as_a_fine_one():
    fine, coarse = 0.5 * np.arange(-20, 21), 2.0 * np.arange(-5, 6)
    kernels = [dirac.warped_kernel(axis, axis, 0.25, **BI2TE3) for axis in (fine, coarse)]
    expected = kernels[0][::4, ::4]
    np.testing.assert_allclose(kernels[1], expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("changes", [{"velocity_eV_nm": 0.0}, {"broadening_eV": -1.0}])
def test_what_is_no_cone_is_refused(changes):
    with pytest.raises(QpiError, match="must be positive"):
        along_x(**changes)
    with pytest.raises(QpiError, match="raise the broadening"):
        q_map(0.2, broadening_eV=1e-5)


def test_images_of_the_scatterer_are_far_enough_away():
    # The speed at the waist of the contour is more than twice that of the cone.
    kernels = []
    for paths in (5.0, 9.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dirac, "FREE_PATHS", paths)
            axis = 0.5 * np.arange(-12, 13)
            kernels.append(dirac.warped_kernel(axis, axis, 0.3, **BI2TE3))
    np.testing.assert_allclose(kernels[0], kernels[1], atol=2e-3 * np.abs(kernels[1]).max())
