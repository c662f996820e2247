"""The rounds of kernel and scatterers: what they leave over, and where they put the origin."""

import numpy as np
import pytest
import torch

from qpi_kernel import ExtractSettings, Scatterers, extract_kernel
from qpi_kernel.extract.grids import make_grids
from qpi_kernel.extract.rounds import BLIND_ROUNDS, iter_rounds
from qpi_kernel.learn.model import load_model
from qpi_kernel.locate import locate_scatterers
from qpi_kernel.progress import drain


def rounds(didv, scatterers, blind, **settings):
    _, grid = make_grids(didv, 10.0, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    settings = ExtractSettings(window_nm=10.0, **settings)
    return drain(iter_rounds(grid, scatterers, settings, load_model(), blind, generator))


@pytest.mark.parametrize("noise", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("threshold", [5.0, 12.0])
def test_no_blind_round_leaves_more_than_the_one_before(scene, noise, threshold):
    rng = np.random.default_rng(1)
    noisy = scene.didv.copy(
        data=(scene.didv.values + noise * rng.normal(size=scene.didv.shape)).astype(np.float32)
    )
    found = locate_scatterers(scene.didv)
    start = found.select(np.arange(len(found)) % 3 > 0) if threshold > 5 else found
    misfits = rounds(noisy, start, blind=True).misfits
    assert 1 <= len(misfits) <= BLIND_ROUNDS
    assert np.all(np.diff(misfits) < 0)


def test_the_state_is_that_of_its_last_misfit(scene):
    state = rounds(scene.didv, scene.scatterers, blind=False)
    assert len(state.misfits) == 2
    held = rounds(scene.didv, scene.scatterers, blind=False, refine=False)
    assert held.misfits[0] == pytest.approx(state.misfits[0])
    np.testing.assert_allclose(held.scatterers.xy_nm, scene.scatterers.xy_nm, atol=1e-5)


@pytest.fixture(scope="module")
def inside(scene):
    points = scene.scatterers
    return points.select(np.all((points.xy_nm > 0.5) & (points.xy_nm < 31.5), axis=1))


def moved(inside, offset_nm, jitter_nm=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return Scatterers(inside.xy_nm + offset_nm + jitter_nm * rng.normal(size=inside.xy_nm.shape))


@pytest.mark.parametrize("jitter_nm", [0.15, 0.3])
def test_the_error_of_the_origin_is_that_of_the_marks_over_the_root_of_their_number(
    scene, inside, jitter_nm
):
    settings = ExtractSettings(method="wiener", window_nm=10.0)
    result = extract_kernel(scene.didv, moved(inside, 0.0, jitter_nm), settings, device="cpu")
    (error,) = result.numbers["origin_error_nm"]
    assert error == pytest.approx(jitter_nm / np.sqrt(len(inside)), rel=0.5)
    # Numbers drawn for the marks of one map scatter about 0 by that error.
    off = (result.scatterers.xy_nm - inside.xy_nm).mean(axis=0)
    assert np.all(np.abs(off) < 3.5 * error)


def test_a_common_shift_of_all_marks_moves_the_origin_and_nothing_in_the_map_tells(scene, inside):
    settings = ExtractSettings(method="wiener", window_nm=10.0)
    results = [
        extract_kernel(scene.didv, moved(inside, offset), settings, device="cpu")
        for offset in (0.0, np.array([0.5, 0.0]))
    ]
    off = (results[1].scatterers.xy_nm - results[0].scatterers.xy_nm).mean(axis=0)
    np.testing.assert_allclose(off, [0.5, 0.0], atol=0.05)
    for first, second in zip(
        results[0].numbers["origin_error_nm"], results[1].numbers["origin_error_nm"], strict=True
    ):
        assert second == pytest.approx(first, abs=0.02)


def test_the_origin_is_common_to_all_biases(scene, inside):
    stack = np.concatenate([scene.didv.values, 2 * scene.didv.values])
    didv = scene.didv.isel(bias=[0, 0]).copy(data=stack).assign_coords(bias=[0.0, 20.0])
    didv["bias"].attrs = scene.didv["bias"].attrs
    settings = ExtractSettings(method="wiener", window_nm=10.0)
    result = extract_kernel(didv, moved(inside, 0.0, 0.1), settings, device="cpu")
    first, second = result.numbers["origin_error_nm"]
    assert first == second > 0
    np.testing.assert_allclose(
        2 * result.kernel.values[0], result.kernel.values[1], atol=0.02 * result.kernel.values.max()
    )
