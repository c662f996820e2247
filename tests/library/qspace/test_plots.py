import numpy as np
import pytest
from matplotlib.figure import Figure

from qpi_kernel.qspace import Dispersion, fit_band, radial_profile
from qpi_kernel.qspace.plots import draw_curve, draw_image
from tests.library.qspace.conftest import born


@pytest.fixture
def drawn(kernel_of):
    kernel = kernel_of(*(born(q) for q in (2.0, 2.5, 2.9)), bias_mV=[-20, 0, 20])
    profile = radial_profile(kernel)
    known = Dispersion(profile["bias"].values, np.array([2.0, 2.5, 2.9]), np.full(3, 0.02))
    return Figure().subplots(), profile, known


def test_a_curve_names_its_axes_energy_and_peak(drawn):
    axes, profile, known = drawn
    draw_curve(axes, profile, 3.0, known)
    assert axes.get_xlabel() == "q (1/nm)"
    assert axes.get_ylabel() == "nS nm²"
    assert axes.get_title() == "E = 0.0 mV"
    assert axes.get_legend().get_texts()[0].get_text() == "2.500 ± 0.020 1/nm"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), profile.values[1])


def test_an_image_shows_peaks_and_band_on_calibrated_axes(drawn):
    axes, profile, known = drawn
    fit = fit_band(known)
    draw_image(axes, profile, known, fit)
    assert axes.get_ylabel() == "E (mV)"
    assert axes.get_ylim() == (-30.0, 30.0)
    assert np.nanmax(axes.images[0].get_array()) == pytest.approx(1.0)
    band = axes.lines[-1]
    np.testing.assert_allclose(band.get_xdata(), fit.q_per_nm(band.get_ydata()))


def test_peaks_without_errors_and_energies_without_peaks_are_drawn_too(drawn):
    axes, profile, known = drawn
    lone = Dispersion(known.bias_mV, np.array([2.0, np.nan, 2.9]), np.full(3, np.nan))
    draw_curve(axes, profile, 0.0, lone)
    assert axes.get_legend() is None
    draw_curve(axes, profile, -20.0, lone)
    assert axes.get_legend().get_texts()[0].get_text() == "2.000 1/nm"
    draw_image(axes, profile, lone)
    assert axes.get_ylabel() == "E (mV)"
