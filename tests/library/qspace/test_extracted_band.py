"""From a map of many scatterers to a mass: the band of a surface state comes out true."""

import numpy as np
import pytest

from qpi_kernel.extract import ExtractSettings, extract_kernel
from qpi_kernel.qspace import fit_band, measure_dispersion
from qpi_kernel.simulate import simulate_map

TRUTH = {"mass_me": 0.40, "E0_meV": -65.0}


@pytest.fixture(scope="module")
def fits():
    """Fit the surface state of Ag(111) to the extracted kernels of two maps."""
    found = []
    for seed in (1, 2):
        simulated = simulate_map(
            "ag111",
            bias_mV=np.linspace(-20.0, 100.0, 9),
            size_nm=50.0,
            pixels=128,
            scatterers=15,
            snr=10.0,
            seed=seed,
        )
        settings = ExtractSettings(window_nm=20.0)
        result = extract_kernel(simulated.didv, simulated.scatterers, settings, device="cpu")
        known = measure_dispersion(result.kernel, result.spread, q_range=(1.0, 4.0))
        np.testing.assert_allclose(known.q_per_nm, simulated.ring_q, atol=0.04)
        found.append(fit_band(known))
    return found


def test_mass_and_band_edge_are_true(fits):
    mass, edge = (np.mean([fit.values[name] for fit in fits]) for name in TRUTH)
    assert mass == pytest.approx(0.40, rel=0.02)
    assert edge == pytest.approx(-65.0, abs=3.0)


def test_their_errors_are_neither_too_small_nor_too_large(fits):
    pulls = [[(fit.values[n] - true) / fit.errors[n] for n, true in TRUTH.items()] for fit in fits]
    assert 0.2 < np.sqrt(np.mean(np.square(pulls))) < 3.0
    assert all(fit.chi2 / fit.degrees_of_freedom < 3.0 for fit in fits)
