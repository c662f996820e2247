import numpy as np
import pytest

from qpi_kernel import ExtractSettings, Scatterers, make_map, simulate_map
from qpi_kernel.extract.validity import check_validity

ROWS = ["Pixel", "Window", "Ripples", "Scatterers", "Region"]


@pytest.fixture(scope="module")
def scene():
    """Ag(111) with ripples of 3.8 nm on pixels of 0.125 nm."""
    return simulate_map(
        "ag111", bias_mV=[0.0], size_nm=24.0, pixels=192, scatterers=12, snr=20.0, seed=1
    )


def readings(didv, scatterers=None, **settings):
    return {
        each.name: each for each in check_validity(didv, scatterers, ExtractSettings(**settings))
    }


def test_a_good_map_is_in_range_everywhere(scene):
    found = readings(scene.didv, scene.scatterers)
    assert list(found) == ROWS
    assert [each.problem for each in found.values()] == [""] * 5
    assert found["Pixel"].text.startswith("0.125")
    assert "(auto)" in found["Window"].text


def test_without_positions_nothing_is_said_of_them(scene):
    assert list(readings(scene.didv)) == [name for name in ROWS if name != "Scatterers"]


@pytest.mark.parametrize(
    ("window_nm", "row", "words"),
    [
        (0.5, "Window", "fewer than 8 pixels: choose 1 nm or more"),
        (60.0, "Window", "larger than the region: choose 24 nm or less"),
        (60.0, "Region", "the shorter side"),
    ],
)
def test_a_window_out_of_range_says_why_and_what_fits(scene, window_nm, row, words):
    assert words in readings(scene.didv, window_nm=window_nm)[row].problem


def test_the_window_that_a_reason_names_is_in_range():
    fine = simulate_map("ag111", bias_mV=[0.0], size_nm=12.0, pixels=192, snr=20.0, seed=1).didv
    problem = readings(fine, window_nm=1.0)["Ripples"].problem
    assert problem.endswith("or more")
    named = float(problem.split("window of ")[1].split(" nm")[0])
    assert readings(fine, window_nm=1.1 * named)["Ripples"].problem == ""


def test_coarse_pixels_are_told_apart_from_a_wrong_window(scene):
    found = readings(scene.didv.isel(y=slice(None, None, 8), x=slice(None, None, 8)))
    assert "measure with" in found["Pixel"].problem
    assert "no window helps" in found["Ripples"].problem


def test_noise_has_no_ripples():
    axis = 0.25 * np.arange(96)
    values = np.random.default_rng(0).normal(size=(96, 96))
    found = readings(make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis))
    assert found["Ripples"].text == "none seen"
    assert "noise" in found["Ripples"].problem


@pytest.mark.parametrize(("number", "words"), [(0, "none lies"), (2, "fewer than 4"), (9, "")])
def test_the_scatterers_in_the_region_count(scene, number, words):
    inside = np.random.default_rng(0).uniform(3, 20, (number, 2))
    found = readings(scene.didv, Scatterers(np.vstack([inside, [[900.0, 900.0]]])))["Scatterers"]
    assert found.text == f"{number} in the region"
    assert (words in found.problem) if words else found.problem == ""


def test_a_crowd_is_out_of_range(scene):
    crowd = Scatterers(np.random.default_rng(0).uniform(0, 23, (2000, 2)))
    assert "denser" in readings(scene.didv, crowd)["Scatterers"].problem
