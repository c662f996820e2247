import numpy as np
import pytest
import torch

from qpi_kernel.errors import QpiError
from qpi_kernel.extract import find
from qpi_kernel.extract.find import find_scatterers, iter_find
from qpi_kernel.extract.grids import make_grids
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.learn.model import load_model
from qpi_kernel.maps import crop
from qpi_kernel.progress import Progress, drain
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.simulate import simulate_map


@pytest.fixture(scope="module")
def sample():
    return simulate_map(
        "cu111", bias_mV=[0.0], size_nm=24.0, pixels=144, scatterers=14, snr=10.0, seed=5
    )


def distances(found, true):
    """Return how far from each true scatterer in view the nearest found one is [nm]."""
    inside = np.all((true.xy_nm > 0) & (true.xy_nm < 24.0), axis=1)
    apart = true.xy_nm[inside][:, None] - found.xy_nm[None]
    return np.linalg.norm(apart, axis=-1).min(1)


def test_scatterers_are_found_to_a_pixel(sample):
    found = find_scatterers(sample.didv)
    away = distances(found, sample.scatterers)
    assert np.mean(away < 0.35) >= 0.9
    # More may stand around the map and be seen by their ripples.
    inside = np.all((found.xy_nm > 0) & (found.xy_nm < 24.0), axis=1)
    assert inside.sum() <= 1.2 * len(away)
    assert np.all((found.confidence > 0) & (found.confidence <= 1))


def test_sign_unit_and_offset_of_the_map_do_not_matter(sample):
    found = find_scatterers(sample.didv)
    other = sample.didv.copy(data=(5 - 1e3 * sample.didv.values).astype(np.float32))
    upside_down = find_scatterers(other)
    near = distances(upside_down, Scatterers(found.xy_nm))
    assert np.mean(near < 0.2) > 0.8


def test_positions_are_those_of_the_frame(sample):
    whole = find_scatterers(sample.didv)
    part = find_scatterers(
        crop(sample.didv, (4.0, 4.0, 24.0, 24.0)), ExtractSettings(window_nm=12.0)
    )
    deep = np.all(whole.xy_nm > 7.0, axis=1)
    apart = np.linalg.norm(whole.xy_nm[deep][:, None] - part.xy_nm[None], axis=-1).min(1)
    assert np.mean(apart < 0.2) > 0.8


def test_scatterers_around_a_region_of_fine_pixels_are_found_too():
    whole = simulate_map(
        "ag111", bias_mV=[5.0], size_nm=40.0, pixels=256, scatterers=14, snr=10.0, seed=4
    )
    found = find_scatterers(crop(whole.didv, (5.0, 5.0, 35.0, 35.0))).xy_nm
    true = whole.scatterers.xy_nm
    apart = np.linalg.norm(true[:, None] - found[None], axis=-1).min(1)
    inside = np.all((true > 5.0) & (true < 35.0), axis=1)
    assert np.all(apart[inside] < 0.3)
    # Their ripples reach into the region, and would be taken for those of others.
    assert np.sum(apart[~inside] < 0.8) >= 4


def test_what_was_not_measured_holds_no_scatterers(sample):
    values = sample.didv.values.copy()
    values[:, 100:] = np.nan
    y = sample.didv["y"].values
    found = find_scatterers(sample.didv.copy(data=values))
    assert np.all(found.xy_nm[:, 1] < y[100])


def opinions(monkeypatch, marks, others):
    """Let the network mark some scatterers, and deconvolution find others (or raise)."""

    def answer(points):
        yield Progress(0.0, "looking")
        if isinstance(points, Exception):
            raise points
        return points

    monkeypatch.setattr(find, "iter_marks", lambda grid, model: answer(marks))
    monkeypatch.setattr(find, "iter_sbd", lambda grid, degree, generator: answer(others))


def found_in(didv):
    settings = ExtractSettings(window_nm=10.0)
    _, grid = make_grids(didv, 10.0, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    strong = torch.arange(len(grid.field))
    return drain(iter_find(grid, strong, settings, load_model(), generator)).scatterers


def within(points):
    return Scatterers(points.xy_nm[np.all((points.xy_nm > 0.5) & (points.xy_nm < 31.5), axis=1)])


@pytest.fixture(scope="module")
def true(scene):
    return within(scene.scatterers)


def beside(points):
    return Scatterers(points.xy_nm + np.array([1.3, 0.8]))


def away(found, true):
    """Return how far from each true scatterer the nearest found one is [nm]."""
    return np.linalg.norm(true.xy_nm[:, None] - found.xy_nm[None], axis=-1).min(1)


def test_good_marks_are_not_doubted(scene, true, monkeypatch):
    opinions(monkeypatch, true, AssertionError("nobody had to be asked"))
    assert np.median(away(found_in(scene.didv), true)) < 0.2


@pytest.mark.parametrize("wrong", ["all beside", "on lobes"])
def test_marks_beside_their_scatterers_are_put_right(scene, true, wrong, monkeypatch):
    apart = np.array([0.8, 0.3])
    lobes = Scatterers(np.concatenate([true.xy_nm - apart, true.xy_nm + apart]))
    opinions(monkeypatch, beside(true) if wrong == "all beside" else lobes, QpiError("nothing"))
    found = found_in(scene.didv)
    assert np.median(away(found, true)) < 0.2
    assert np.median(away(true, within(found))) < 0.2


@pytest.mark.parametrize("wrong", ["too few", "at random"])
def test_wrong_marks_are_doubted_and_replaced(scene, true, wrong, monkeypatch):
    random = Scatterers(np.random.default_rng(0).uniform(1, 31, (14, 2)))
    opinions(monkeypatch, beside(true.select([0, 1])) if wrong == "too few" else random, true)
    assert np.median(away(found_in(scene.didv), true)) < 0.2


def test_pieces_of_the_pattern_are_left_out(scene, true, monkeypatch):
    angles = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    ring = 3.0 * np.stack([np.cos(angles), np.sin(angles)], -1)
    pieces = (true.xy_nm[:, None] + ring).reshape(-1, 2)
    many = within(Scatterers(np.concatenate([true.xy_nm, pieces])))
    opinions(monkeypatch, many, QpiError("nothing"))
    found = found_in(scene.didv)
    assert np.median(away(found, true)) < 0.2
    assert len(within(found)) < 1.5 * len(true)


@pytest.mark.parametrize("second", ["none", "worse", "far too many"])
def test_the_second_opinion_has_to_explain_more_of_the_map(scene, true, second, monkeypatch):
    rng = np.random.default_rng(0)
    others = {
        "none": QpiError("nothing found"),
        "worse": Scatterers(np.array([[3.0, 29.0]])),
        "far too many": Scatterers(rng.uniform(0, 32, (700, 2))),
    }[second]
    opinions(monkeypatch, beside(true.select([0, 1])), QpiError("nothing found"))
    first = found_in(scene.didv)
    opinions(monkeypatch, beside(true.select([0, 1])), others)
    np.testing.assert_array_equal(found_in(scene.didv).xy_nm, first.xy_nm)


def test_held_scatterers_are_not_doubted(scene, true, monkeypatch):
    marks = beside(true)
    opinions(monkeypatch, marks, AssertionError("nobody had to be asked"))
    settings = ExtractSettings(window_nm=10.0, refine=False)
    _, grid = make_grids(scene.didv, 10.0, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    state = drain(iter_find(grid, torch.arange(1), settings, load_model(), generator))
    np.testing.assert_allclose(state.scatterers.xy_nm, marks.xy_nm, atol=1e-4)
