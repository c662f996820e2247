import csv
import json

import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.qspace import (
    CurveSettings,
    TransformSettings,
    analyse,
    asymmetry,
    kernel_fft,
    line_cut,
    map_fft,
    radial_average,
    radial_profile,
    ray_profile,
    symmetrise,
    transformed,
)
from qpi_kernel.qspace.report import write_analysis
from tests.library.qspace.conftest import born


@pytest.fixture
def stack(kernel_of):
    return kernel_of(*(born(q) for q in (2.2, 2.6, 3.0, 3.4)), bias_mV=[-20, -10, 0, 10])


def test_a_transform_is_the_one_that_the_settings_ask_for(kernel_of):
    kernel = kernel_of(lambda x, y: np.exp(-((x - 0.5) ** 2) - y**2))
    chosen = TransformSettings(window="hann", symmetry="C4v", pad=2)
    fft = transformed(kernel, chosen, centred=True)
    wanted = kernel_fft(symmetrise(kernel, 4, mirror=True), window="hann", pad=2)
    np.testing.assert_array_equal(fft.values, wanted.values)
    assert fft.attrs["symmetrised"] == "C4v"
    assert fft.attrs["window"] == "hann"
    raw = transformed(kernel, centred=False)
    np.testing.assert_array_equal(raw.values, map_fft(kernel, window="none").values)
    assert "symmetrised" not in raw.attrs


def test_a_map_is_symmetrised_in_modulus(kernel_of):
    didv = kernel_of(lambda x, y: np.exp(-(x**2) / 4 - y**2))
    fft = transformed(didv, TransformSettings(symmetry="C4"), centred=False)
    assert not np.iscomplexobj(fft.values)
    assert asymmetry(fft, 4)[0] < 1e-6
    mirrored = transformed(didv, TransformSettings(symmetry="mirror"), centred=False)
    assert mirrored.attrs["symmetrised"] == "C1v"


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (CurveSettings(), radial_profile),
        (
            CurveSettings(direction="ray", angle_deg=30.0, width_deg=2.0),
            lambda kernel: ray_profile(kernel, 30.0, width_deg=2.0),
        ),
        (
            CurveSettings(direction="line", width_per_nm=0.5),
            lambda kernel: line_cut(kernel_fft(kernel, pad=2), (0, 0), (5, 1), width=0.5),
        ),
    ],
)
def test_curves_are_those_that_the_settings_ask_for(stack, settings, wanted):
    found = analyse(
        stack, stack.copy(data=0.01 + 0 * stack.values), settings, line=((0, 0), (5, 1))
    )
    np.testing.assert_allclose(found.profile.values, wanted(stack).values)
    # A maximum of |F| lies where the phase of scattering puts it, and its error bar says so.
    worst = 0.3 if settings.direction == "line" else 0.05
    np.testing.assert_allclose(found.dispersion.q_per_nm, [2.2, 2.6, 3.0, 3.4], atol=worst)
    assert np.all(found.dispersion.error_per_nm < worst)
    assert found.fit is None
    assert found.problem == ""


def test_a_band_is_fitted_or_it_is_said_why_not(stack):
    chosen = CurveSettings(band="linear", lowest_per_nm=1.5, highest_per_nm=4.5)
    fit = analyse(stack, None, chosen).fit
    assert fit.values["velocity_eV_nm"] == pytest.approx(2e-3 * 10 / 0.4, rel=0.02)
    lone = analyse(stack.isel(bias=[0]), None, chosen)
    assert lone.fit is None
    assert "at least three energies" in lone.problem


def test_a_map_has_curves_of_its_modulus_without_errors(stack):
    found = analyse(stack, None, centred=False)
    np.testing.assert_array_equal(found.profile.values, radial_average(map_fft(stack)).values)
    assert np.isnan(found.dispersion.error_per_nm).all()
    ray = analyse(stack, None, CurveSettings(direction="ray", angle_deg=90.0), centred=False)
    assert ray.profile["qy"].values[-1] > 10
    assert abs(ray.profile["qx"].values[-1]) < 1e-9


def test_a_line_that_is_not_there_is_asked_for(stack):
    with pytest.raises(QpiError, match="draw one in the q viewer"):
        analyse(stack, None, CurveSettings(direction="line"))


def test_all_files_are_written_or_none(stack, tmp_path):
    found = analyse(stack, None, CurveSettings(band="parabola"))
    written = write_analysis(found, tmp_path / "new" / "folder", bias_mV=-10.0)
    names = ["curves.csv", "dispersion.csv", "fit.json", "qspace.png"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == names
    with written[0].open(encoding="utf-8") as file:
        assert next(csv.reader(file))[2] == "-10 mV [nS nm^2]"
    stored = json.loads(written[2].read_text(encoding="utf-8"))
    assert stored["values"] == dict(found.fit.values)
    (tmp_path / "file").write_text("")
    with pytest.raises(QpiError, match="choose a folder"):
        write_analysis(found, tmp_path / "file")
