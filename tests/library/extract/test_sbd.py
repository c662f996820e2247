import numpy as np
import pytest
import torch

from qpi_kernel import ExtractSettings, Scatterers, band_similarity, extract_kernel, make_map
from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.evaluate import f1_score
from qpi_kernel.extract.grids import make_grids
from qpi_kernel.extract.sbd import iter_sbd
from qpi_kernel.progress import drain

WINDOW = 25
EVERYTHING = (0.0, 5.0)


def ripples(q, phase=0.6):
    axis = np.arange(WINDOW) - WINDOW // 2
    r = np.hypot(axis[:, None], 1.3 * axis[None, :])
    return np.cos(q * r + phase) * np.exp(-r / 5) * np.cos(np.pi * np.minimum(r, 13) / 26)


def draw_map(kernels, noise, seed=0, pixels=80, count=40):
    rng = np.random.default_rng(seed)
    half = WINDOW // 2
    places = rng.uniform(-half, pixels + half, (count, 2))
    weights = np.clip(1 + 0.15 * rng.normal(size=count), 0.3, None)
    geometry = Geometry(pixels, pixels, WINDOW)
    spectrum = activation_spectrum(geometry, torch.tensor(places), torch.tensor(weights))
    clean = convolve(geometry, spectrum, torch.tensor(np.stack(kernels))).numpy()
    clean /= clean.std((1, 2), keepdims=True)
    axis = np.arange(pixels, dtype=float)
    bias = np.arange(len(kernels), dtype=float)
    noisy = clean + noise * rng.normal(size=clean.shape)
    return make_map(noisy, bias_mV=bias, y_nm=axis, x_nm=axis), Scatterers(places[:, ::-1], weights)


def kernel_map(values):
    axis = np.arange(WINDOW, dtype=float) - WINDOW // 2
    return make_map(np.stack(values), bias_mV=np.arange(len(values)), y_nm=axis, x_nm=axis)


def extract(didv, scatterers=None, **changes):
    settings = ExtractSettings(method="sbd", window_nm=float(WINDOW), samples=4, **changes)
    return extract_kernel(didv, scatterers, settings, device="cpu")


@pytest.fixture(scope="module")
def compact():
    return draw_map([ripples(1.1)], noise=0.5)


@pytest.fixture(scope="module")
def found(compact):
    return extract(compact[0])


def test_kernel_and_scatterers_are_found_from_the_map_alone(compact, found):
    didv, true = compact
    assert found.provenance["scatterers"] == "found in the map"
    assert band_similarity(kernel_map([ripples(1.1)]), found.kernel, EVERYTHING)[0] > 0.97
    assert f1_score(found.scatterers, true, didv, 2.0) > 0.9
    assert np.all(found.scatterers.confidence > 0)
    assert np.all(found.scatterers.confidence <= 1)


def test_scatterers_between_the_pixels_are_found_there(compact, found):
    inside = np.all((compact[1].xy_nm > 5) & (compact[1].xy_nm < 74), axis=1)
    distance = np.linalg.norm(
        compact[1].xy_nm[inside][:, None] - found.scatterers.xy_nm[None], axis=-1
    ).min(axis=1)
    # The centre of a kernel is known up to a common shift alone, and that is small here.
    assert np.median(distance) < 0.3


def test_the_same_seed_gives_the_same_scatterers(compact, found):
    again = extract(compact[0])
    np.testing.assert_allclose(again.scatterers.xy_nm, found.scatterers.xy_nm, atol=1e-3)


def test_scale_and_sign_of_the_map_are_those_of_the_kernel(compact, found):
    turned = extract(compact[0].copy(data=-20 * compact[0].values + 7))
    scale = np.abs(found.kernel.values).max()
    np.testing.assert_allclose(turned.kernel.values / -20, found.kernel.values, atol=0.05 * scale)


def test_background_and_missing_rows_leave_the_scatterers_in_place(compact, found):
    didv, true = compact
    slope = 0.2 * didv["x"].values[None, None, :] + 1e-3 * didv["y"].values[None, :, None] ** 2
    spoiled = didv.copy(data=(didv.values + slope).astype(np.float32))
    spoiled.values[:, 65:] = np.nan
    finished = didv.isel(y=slice(0, 65))
    result = extract(spoiled)
    expected = f1_score(found.scatterers, true, finished, 2.0)
    assert f1_score(result.scatterers, true, finished, 2.0) > expected - 0.1
    assert band_similarity(found.kernel, result.kernel, EVERYTHING)[0] > 0.95


def test_biases_share_their_scatterers_and_help_each_other():
    kernels = [
        ripples(q, phase) for q, phase in zip(np.linspace(0.8, 1.3, 6), range(6), strict=True)
    ]
    didv, true = draw_map(kernels, noise=1.5, count=25)
    grid, _ = make_grids(didv, float(WINDOW), torch.device("cpu"))
    alone, _ = make_grids(didv.isel(bias=[2]), float(WINDOW), torch.device("cpu"))
    together, one = (
        f1_score(drain(iter_sbd(each, 2, torch.Generator().manual_seed(0))), true, didv, 2.0)
        for each in (grid, alone)
    )
    assert together > 0.9
    assert together > one


def test_given_scatterers_are_not_searched_again(compact):
    didv, true = compact
    given = extract(didv, true, refine=False)
    assert given.provenance["scatterers"] == "given"
    np.testing.assert_allclose(given.scatterers.xy_nm, true.xy_nm, atol=1e-5)


def test_progress_grows(compact):
    grid, _ = make_grids(compact[0], float(WINDOW), torch.device("cpu"))
    steps = iter_sbd(grid, 2, torch.Generator().manual_seed(0))
    fractions = np.array([step.fraction for step in steps])
    assert np.all(np.diff(fractions) > 0)
    assert fractions[-1] == 1
