import numpy as np
import pytest
from scipy.special import j1

from qpi_kernel import QpiError, simulate_kernel
from qpi_kernel.simulate.broadening import (
    lockin_broadening,
    setpoint_map,
    thermal_broadening,
    tip_blur,
)
from qpi_kernel.simulate.measurement import Measurement, measured_kernel

AXIS = 0.3 * np.arange(-20, 21)
BOLTZMANN = 8.617333e-2


def level(y_nm, x_nm, energy_eV):
    """A density that is a Lorentzian line of half width 0.05 meV at 3 meV, everywhere."""
    return np.full((y_nm.size, x_nm.size), 1 / (1 + ((1e3 * energy_eV - 3.0) / 0.05) ** 2))


def wave(time_per_meV):
    """A density that oscillates with energy."""
    return lambda y_nm, x_nm, energy_eV: np.full(
        (y_nm.size, x_nm.size), np.cos(time_per_meV * 1e3 * energy_eV)
    )


def at_origin(kernel, biases, **conditions):
    return measured_kernel(kernel, AXIS, AXIS, biases, Measurement(**conditions))[:, 20, 20]


def test_without_an_instrument_the_kernel_is_that_of_the_material():
    biases = [-13.0, 7.0]
    planes = measured_kernel(level, AXIS, AXIS, biases, Measurement())
    np.testing.assert_array_equal(planes, [level(AXIS, AXIS, bias / 1e3) for bias in biases])


@pytest.mark.parametrize("temperature_K", [1.0, 4.2, 30.0])
@pytest.mark.parametrize("phase", [0.5, 1.0, 2.0])
def test_the_temperature_damps_an_oscillation_as_the_formula_says(temperature_K, phase):
    # The transform of -df/dE is pi kT t / sinh(pi kT t).
    kT = BOLTZMANN * temperature_K
    biases = [0.0, 0.123, -5.7]
    seen = at_origin(wave(phase / kT), biases, temperature_K=temperature_K)
    damping = np.pi * phase / np.sinh(np.pi * phase)
    expected = damping * np.cos(phase / kT * np.array(biases))
    np.testing.assert_allclose(seen, expected, atol=0.012)


@pytest.mark.parametrize("phase", [0.5, 1.5, 3.0])
def test_the_lock_in_damps_an_oscillation_as_the_formula_says(phase):
    # The transform of the half circle is 2 J1(t V) / (t V).
    peak = np.sqrt(2) * 3.0
    seen = at_origin(wave(phase / peak), [0.0, 2.2], modulation_mV=3.0)
    expected = 2 * j1(phase) / phase * np.cos(phase / peak * np.array([0.0, 2.2]))
    np.testing.assert_allclose(seen, expected, atol=0.01)


@pytest.mark.parametrize(("temperature_K", "modulation_mV"), [(4.2, 0.05), (0.3, 2.0), (4.2, 0.7)])
def test_both_act_as_they_do_on_a_fine_stack(temperature_K, modulation_mV):
    conditions = {"temperature_K": temperature_K, "modulation_mV": modulation_mV}
    wanted, grid = [-4.03, 0.0, 5.11], np.arange(-700, 701) * 0.02
    fine = simulate_kernel("ag111", bias_mV=grid, y_nm=[0.0, 0.4], x_nm=[3.0, 9.0])
    smeared = lockin_broadening(thermal_broadening(fine, temperature_K), modulation_mV)
    expected = np.stack([smeared.values[np.argmin(np.abs(grid - bias))] for bias in wanted])
    seen = simulate_kernel(
        "ag111", bias_mV=wanted, y_nm=[0.0, 0.4], x_nm=[3.0, 9.0], **conditions
    ).values
    np.testing.assert_allclose(seen, expected, atol=2e-3 * np.abs(expected).max())


def test_the_set_point_is_that_of_the_division_for_a_weak_scatterer():
    grid = np.linspace(-20, 120, 701)
    stack = simulate_kernel("ag111", bias_mV=grid, y_nm=[0.0, 0.4], x_nm=[3.0, 9.0])
    first, second = (
        (setpoint_map(stack.copy(data=1 + part * stack.values), 100.0).values - 1) / part
        for part in (2e-2, -2e-2)
    )
    expected = (first + second)[250] / 2  # the second order drops out
    seen = simulate_kernel(
        "ag111", bias_mV=[30.0], y_nm=[0.0, 0.4], x_nm=[3.0, 9.0], setpoint_bias_mV=100.0
    ).values[0]
    np.testing.assert_allclose(seen, expected, atol=5e-3 * np.abs(expected).max())


def test_the_set_point_adds_the_ring_of_the_fermi_level():
    # The double circle of Ag(111): q = 2 k at the bias, and 2 k_F.
    x = np.linspace(4.0, 60.0, 600)
    edge, mass = -65.0, 0.40
    q_seen, q_fermi = (2 * np.sqrt(mass * (bias - edge) / 1e3 / 0.0381) for bias in (60.0, 0.0))

    def strength(q, **conditions):
        kernel = simulate_kernel("ag111", bias_mV=[60.0], y_nm=[0.0, 0.1], x_nm=x, **conditions)
        window = x * np.sin(np.pi * (x - x[0]) / (x[-1] - x[0])) ** 2
        return np.abs(np.exp(-1j * q * x) @ (kernel.values[0, 0] * window))

    with_setpoint = {"setpoint_bias_mV": 200.0}
    assert strength(q_fermi, **with_setpoint) > 5 * strength(q_fermi)
    assert strength(q_seen, **with_setpoint) == pytest.approx(strength(q_seen), rel=0.2)


@pytest.mark.parametrize("sigma_nm", [0.08, 0.5])
def test_the_tip_blurs_without_a_trace_of_the_border(sigma_nm):
    wide = 0.3 * np.arange(-40, 41)
    kernel = simulate_kernel("ag111", bias_mV=[50.0], y_nm=wide, x_nm=wide)
    expected = tip_blur(kernel, sigma_nm).values[:, 20:61, 20:61]
    seen = simulate_kernel("ag111", bias_mV=[50.0], y_nm=AXIS, x_nm=AXIS, tip_nm=sigma_nm)
    np.testing.assert_allclose(seen.values, expected, atol=1e-3 * np.abs(expected).max())


def test_what_no_instrument_has_is_refused():
    for conditions, match in (
        ({"temperature_K": -1.0}, "temperature_K is at least 0 K"),
        ({"modulation_mV": np.nan}, "modulation_mV is at least 0 mV"),
        ({"tip_nm": -0.1}, "tip_nm is at least 0 nm"),
        ({"setpoint_bias_mV": 0.0}, "other than 0 mV"),
    ):
        with pytest.raises(QpiError, match=match):
            simulate_kernel("ag111", bias_mV=[0.0], y_nm=AXIS, x_nm=AXIS, **conditions)
