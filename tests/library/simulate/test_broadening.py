import numpy as np
import pytest

from qpi_kernel import QpiError, make_map, simulate_kernel
from qpi_kernel.simulate import broadening

STEP_mV = 0.02


def stack(values, bias_mV):
    values = np.asarray(values, float)
    planes = np.broadcast_to(values.reshape(-1, 1, 1), (values.size, 2, 2))
    return make_map(planes, bias_mV=bias_mV, y_nm=[0.0, 1.0], x_nm=[0.0, 1.0], units="nS")


def line(reach_mV=20.0):
    bias = np.arange(-round(reach_mV / STEP_mV), round(reach_mV / STEP_mV) + 1) * STEP_mV
    return stack(bias == 0, bias)


def full_width(spectrum):
    bias, values = spectrum["bias"].values, spectrum.values[:, 0, 0].astype(float)
    half, top = values.max() / 2, int(values.argmax())
    right = np.interp(-half, -values[top:], bias[top:])
    left = np.interp(half, values[: top + 1], bias[: top + 1])
    return right - left


@pytest.mark.parametrize("temperature_K", [1.0, 4.2, 10.0])
def test_the_temperature_widens_a_level_by_3_53_kT(temperature_K):
    broad = broadening.thermal_broadening(line(), temperature_K)
    kT = broadening.BOLTZMANN_meV_K * temperature_K
    assert full_width(broad) == pytest.approx(3.525 * kT, rel=0.01)
    assert broad.values[:, 0, 0].sum() == pytest.approx(1, rel=1e-3)
    assert broad.attrs["units"] == "nS"


@pytest.mark.parametrize("modulation_mV", [0.5, 2.0, 5.0])
def test_the_lock_in_widens_a_level_by_2_45_of_its_modulation(modulation_mV):
    broad = broadening.lockin_broadening(line(), modulation_mV)
    assert full_width(broad) == pytest.approx(np.sqrt(6) * modulation_mV, rel=0.01)
    assert broad.values[:, 0, 0].sum() == pytest.approx(1, rel=1e-3)
    reached = np.abs(broad["bias"].values[broad.values[:, 0, 0] > 0]).max()
    assert reached == pytest.approx(np.sqrt(2) * modulation_mV, abs=1.5 * STEP_mV)


def test_both_widths_add_in_squares():
    # Variances of a convolution add exactly: (pi kT)^2 / 3 and (V_m / 2)^2.
    broad = broadening.lockin_broadening(broadening.thermal_broadening(line(40.0), 4.2), 3.0)
    bias, weight = broad["bias"].values, broad.values[:, 0, 0].astype(float)
    variance = np.sum(weight * bias**2) / np.sum(weight)
    kT = broadening.BOLTZMANN_meV_K * 4.2
    assert variance == pytest.approx((np.pi * kT) ** 2 / 3 + 3.0**2 / 2, rel=0.01)


def test_constants_and_slopes_inside_stay():
    bias = np.linspace(-40, 40, 81)
    for blur in (broadening.thermal_broadening, broadening.lockin_broadening):
        broad = blur(stack(3 + 0.1 * bias, bias), 4.0)
        np.testing.assert_allclose(broad.values[20:-20, 0, 0], 3 + 0.1 * bias[20:-20], rtol=1e-3)
        np.testing.assert_allclose(blur(stack(0 * bias + 2, bias), 4.0).values, 2, rtol=1e-6)
        np.testing.assert_array_equal(blur(line(), 0.0).values, line().values)


def test_the_temperature_shortens_the_ripples_of_a_dispersing_band():
    # exp(-dq r dE) : what a temperature does to a stack falls off with distance, unlike one gain.
    x = np.linspace(0.5, 30, 400)
    biases = np.linspace(-15, 15, 31)
    kernel = simulate_kernel("ag111", bias_mV=biases, y_nm=[0.0, 0.1], x_nm=x)
    broad = broadening.thermal_broadening(kernel, 20.0)
    kept = [
        broad.values[15, 0, part].std() / kernel.values[15, 0, part].std()
        for part in (slice(0, 60), slice(300, 400))
    ]
    assert kept[1] < 0.9 * kept[0]


def test_the_set_point_divides_by_the_integral():
    bias = np.linspace(-50, 100, 31)
    rho = stack(1 + 0.01 * bias, bias)
    divided = broadening.setpoint_map(rho, 97.0)
    np.testing.assert_allclose(
        divided.values[:, 0, 0], (1 + 0.01 * bias) / (1 + 0.01 * 97.0 / 2), rtol=1e-5
    )
    louder = broadening.setpoint_map(rho.copy(data=7 * rho.values), 97.0)
    np.testing.assert_allclose(louder.values, divided.values, rtol=1e-5)
    negative = broadening.setpoint_map(rho, -40.0)
    np.testing.assert_allclose(negative.values, rho.values / 0.8, rtol=1e-5)


def test_an_adjustable_set_point():
    bias = np.linspace(-50, 50, 11)
    rho = stack(1 + 0.01 * bias, bias)
    np.testing.assert_allclose(
        broadening.setpoint_damping(rho, 0.5).values, rho.values / 1.5, rtol=1e-6
    )
    np.testing.assert_allclose(broadening.setpoint_damping(rho, 0).values, rho.values, rtol=1e-6)


@pytest.mark.parametrize("sigma_nm", [0.05, 0.2, 0.5])
def test_a_tip_multiplies_the_transform_by_a_gaussian(sigma_nm):
    axis = 0.25 * (np.arange(64) + 0.5)
    for q in np.pi * np.array([4, 12, 40]) / 16.0:
        wave = np.cos(q * axis)[None, None, :] * np.ones((1, 64, 1))
        didv = make_map(wave, bias_mV=[0], y_nm=axis, x_nm=axis)
        expected = np.exp(-(q**2) * sigma_nm**2 / 2) * wave
        np.testing.assert_allclose(broadening.tip_blur(didv, sigma_nm).values, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("blur", "says"),
    [
        (lambda m: broadening.thermal_broadening(m, -1.0), "at least 0 K"),
        (lambda m: broadening.lockin_broadening(m, np.nan), "at least 0 mV"),
        (lambda m: broadening.thermal_broadening(m.isel(bias=[0]), 4.0), "only one"),
        (lambda m: broadening.thermal_broadening(m.isel(bias=[0, 1, 5]), 4.0), "evenly spaced"),
        (lambda m: broadening.setpoint_map(m, 500.0), "0 to the set point 500 mV"),
        (lambda m: broadening.setpoint_map(m, 0.0), "needs biases"),
        (lambda m: broadening.setpoint_map(m.copy(data=-m.values), 10.0), "not positive"),
        (lambda m: broadening.setpoint_damping(m, -0.1), "at least 0"),
        (lambda m: broadening.tip_blur(m, -0.1), "at least 0 nm"),
        (lambda m: broadening.tip_blur(m.where(m["x"] > 0), 0.1), "crop it first"),
    ],
)
def test_what_cannot_be_is_refused(blur, says):
    with pytest.raises(QpiError, match=says):
        blur(stack(np.ones(41), np.linspace(-20, 20, 41)))
