import numpy as np
import pytest

from qpi_kernel import PreprocessError, make_map, normalise

BIAS = np.array([-40.0, -20.0, 0.0, 20.0, 40.0])
AXIS = 0.1 * np.arange(24)


def spectra(setpoint=1.0):
    """Return g [nS] and I [pA] of a density of states 1 + V / 100 mV + a pattern, per set point."""
    pattern = 1 + 0.3 * np.cos(9 * AXIS[:, None] + 5 * AXIS[None, :])
    scale = setpoint * np.ones((24, 24))
    volts = BIAS[:, None, None]
    g = scale * (1 + volts / 100) * pattern
    current = scale * (volts + volts**2 / 200) * pattern
    return [
        make_map(values, bias_mV=BIAS, y_nm=AXIS, x_nm=AXIS, units=units)
        for values, units in ((g, "nS"), (current, "pA"))
    ]


@pytest.mark.parametrize("kind", ["gV/I", "g/I"])
def test_what_the_set_point_did_cancels(kind):
    uneven = 1 + np.add.outer(np.arange(24), np.arange(24)) / 10
    first, second = (normalise(*spectra(scale), kind) for scale in (1.0, uneven))
    np.testing.assert_allclose(first, second, rtol=1e-5)
    assert first.attrs["units"] == {"gV/I": "1", "g/I": "1/V"}[kind]


def test_the_differential_over_the_total_conductance():
    quotient = normalise(*spectra()).values
    expected = (1 + BIAS / 100) / (1 + BIAS / 200)
    np.testing.assert_allclose(quotient[:, 5, 7], expected, rtol=1e-5)
    g, current = spectra()
    np.testing.assert_allclose(
        normalise(g, current, "g/I")[3].values, 1e3 * g[3] / current[3], rtol=1e-5
    )


def test_one_bias_of_the_map_is_enough_if_the_current_has_more():
    g, current = spectra()
    zero = normalise(g[2:3], current)
    np.testing.assert_allclose(zero, 1.0, rtol=1e-5)
    with pytest.raises(PreprocessError, match="biases of both signs"):
        normalise(g[2:3], current[2:])
    with pytest.raises(PreprocessError, match="not recorded at 0 mV"):
        normalise(g[2:3], current[3:], "g/I")
    with pytest.raises(PreprocessError, match="nothing is left"):
        normalise(g[2:3], current, "g/I")


def test_a_current_of_nothing_is_no_number_and_units_that_are_unknown_stay_so():
    g, current = spectra()
    current = current.copy()
    current[4, 3, 3], current[4, 4, 4] = 0.0, np.nan
    result = normalise(g.assign_attrs(units="a.u."), current)
    assert result.attrs["units"] == "a.u."
    missing = np.isnan(result.values)
    assert missing.sum() == 2
    assert missing[4, 3, 3]
    assert normalise(g, current, "none").identical(g)
