import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_kernel.errors import QpiError
from qpi_kernel.qspace import Dispersion, fit_band
from qpi_kernel.qspace.bands import FREE_MEV_NM2

BIAS = np.linspace(-20.0, 100.0, 9)


def parabola(mass, edge, bias=BIAS):
    return 2 * np.sqrt(mass * (bias - edge) / FREE_MEV_NM2)


@settings(max_examples=25, deadline=None)
@given(mass=st.floats(0.02, 3.0), edge=st.floats(-500.0, -30.0))
def test_an_exact_parabola_is_found_again(mass, edge):
    fit = fit_band(Dispersion(BIAS, parabola(mass, edge), np.full(BIAS.size, 0.01)))
    assert fit.values["mass_me"] == pytest.approx(mass, rel=1e-6)
    assert fit.values["E0_meV"] == pytest.approx(edge, rel=1e-6)
    assert fit.chi2 < 1e-6
    np.testing.assert_allclose(fit.q_per_nm(BIAS), parabola(mass, edge), rtol=1e-6)


def test_a_hole_band_has_a_negative_mass_and_a_top():
    fit = fit_band(Dispersion(BIAS, parabola(-0.35, 150.0), np.full(BIAS.size, 0.01)))
    assert fit.values["mass_me"] == pytest.approx(-0.35, rel=1e-6)
    assert fit.values["E0_meV"] == pytest.approx(150.0, rel=1e-6)
    assert np.isnan(fit.q_per_nm(200.0))


@pytest.mark.parametrize(("velocity", "q_over_k"), [(0.33, 2.0), (-0.25, 2.0), (0.255, 3**0.5)])
def test_an_exact_dirac_cone_is_found_again(velocity, q_over_k):
    edge = -150.0 if velocity > 0 else 180.0
    q = q_over_k * 1e-3 * (BIAS - edge) / velocity
    fit = fit_band(Dispersion(BIAS, q, np.full(BIAS.size, 0.01)), "linear", q_over_k=q_over_k)
    assert fit.values["velocity_eV_nm"] == pytest.approx(velocity, rel=1e-6)
    assert fit.values["E0_meV"] == pytest.approx(edge, rel=1e-6)
    np.testing.assert_allclose(fit.q_per_nm(BIAS), q, rtol=1e-6)


@pytest.mark.parametrize("band", ["parabola", "linear"])
def test_the_errors_of_a_fit_are_those_of_its_scatter(band):
    rng = np.random.default_rng(4)
    exact = parabola(0.4, -65.0) if band == "parabola" else 1e-3 * 2 * (BIAS + 65.0) / 0.1
    truth = {"mass_me": 0.4, "velocity_eV_nm": 0.1, "E0_meV": -65.0}
    error = rng.uniform(0.005, 0.02, BIAS.size)
    pulls = []
    for _ in range(300):
        noisy = Dispersion(BIAS, exact + error * rng.normal(size=BIAS.size), error)
        fit = fit_band(noisy, band)
        # Without the factor for points that scatter more than they say.
        excess = max(1.0, np.sqrt(fit.chi2 / fit.degrees_of_freedom))
        pulls.append([excess * (v - truth[n]) / fit.errors[n] for n, v in fit.values.items()])
    np.testing.assert_allclose(np.std(pulls, axis=0), 1.0, atol=0.12)
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.2)


def test_points_that_scatter_more_than_they_say_widen_the_errors():
    rng = np.random.default_rng(1)
    q = parabola(0.4, -65.0) + 0.03 * rng.normal(size=BIAS.size)
    believed = fit_band(Dispersion(BIAS, q, np.full(BIAS.size, 0.001)))
    known = fit_band(Dispersion(BIAS, q, np.full(BIAS.size, 0.03)))
    assert believed.chi2 / believed.degrees_of_freedom > 100
    assert believed.errors["mass_me"] > 0.5 * known.errors["mass_me"]


def test_without_errors_the_scatter_counts_and_missing_points_do_not():
    rng = np.random.default_rng(2)
    q = parabola(0.4, -65.0) + 0.01 * rng.normal(size=BIAS.size)
    q[2] = np.nan
    fit = fit_band(Dispersion(BIAS, q, np.full(BIAS.size, np.nan)))
    assert np.isnan(fit.chi2)
    assert fit.degrees_of_freedom == BIAS.size - 3
    assert abs(fit.values["mass_me"] - 0.4) < 4 * fit.errors["mass_me"] < 0.1


def test_a_fit_says_itself_in_one_line():
    q = parabola(0.4, -65.0) + 0.01 * np.cos(np.arange(BIAS.size))
    line = str(fit_band(Dispersion(BIAS, q, np.full(BIAS.size, 0.01))))
    number = r"-?\d+\.\d+ ± \d+\.\d+"
    assert re.fullmatch(f"m\\* = {number} m_e, E0 = {number} meV, χ²/dof = [\\d.]+/7", line)


def test_what_cannot_be_fitted_is_said():
    few = Dispersion(BIAS, np.where(BIAS < 0, 1.0, np.nan), np.full(BIAS.size, 0.01))
    with pytest.raises(QpiError, match="at least three energies"):
        fit_band(few)
    still = Dispersion(BIAS, np.full(BIAS.size, 2.0), np.full(BIAS.size, 0.01))
    with pytest.raises(QpiError, match="does not move with energy"):
        fit_band(still)
    with pytest.raises(QpiError, match="choose one of parabola, linear"):
        fit_band(still, "quartic")
