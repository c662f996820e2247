"""Laws that every method of extraction obeys."""

import numpy as np
import pytest
import torch

from qpi_kernel import (
    ExtractSettings,
    Scatterers,
    extract_kernel,
    make_map,
    ring_radius,
    simulate_map,
)
from qpi_kernel.evaluate import similarity
from qpi_kernel.extract.settings import METHODS


@pytest.fixture(scope="module")
def scene():
    return simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=15, snr=50.0, seed=6
    )


def extract(method, didv, scatterers, device="cpu"):
    settings = ExtractSettings(method=method, window_nm=12.0, samples=4)
    return extract_kernel(didv, scatterers, settings, device=device)


@pytest.fixture(scope="module")
def results(scene):
    return {method: extract(method, scene.didv, scene.scatterers) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_kernel_of_a_clean_map(method, scene, results):
    kernel = results[method].kernel
    half, middle = kernel.sizes["x"] // 2, scene.kernel.sizes["x"] // 2
    window = slice(middle - half, middle + half + 1)
    truth = scene.kernel.values[0, window, window]
    assert similarity(kernel.values[0], truth) > (0.85 if method == "average" else 0.95)
    assert ring_radius(kernel)[0] == pytest.approx(scene.ring_q[0], rel=0.06)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_shift_equivariant(method, scene, results):
    moved = scene.didv.assign_coords(
        x=("x", scene.didv["x"].values - 300.0, {"units": "nm"}),
        y=("y", scene.didv["y"].values + 50.0, {"units": "nm"}),
    )
    points = Scatterers(scene.scatterers.xy_nm + np.array([-300.0, 50.0]), scene.scatterers.weight)
    kernel, expected = extract(method, moved, points).kernel, results[method].kernel
    scale = np.abs(expected.values).max()
    np.testing.assert_allclose(kernel.values, expected.values, atol=0.03 * scale)
    np.testing.assert_allclose(kernel["x"].values, expected["x"].values, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_orientation_of_the_map(method, scene, results):
    turned = make_map(
        scene.didv.values[0, ::-1, :].T,
        bias_mV=[0.0],
        y_nm=scene.didv["x"].values,
        x_nm=scene.didv["y"].values,
    )
    top = scene.didv["y"].values[0] + scene.didv["y"].values[-1]
    xy = np.column_stack([top - scene.scatterers.xy_nm[:, 1], scene.scatterers.xy_nm[:, 0]])
    kernel = extract(method, turned, Scatterers(xy, scene.scatterers.weight)).kernel.values[0]
    expected = results[method].kernel.values[0, ::-1, :].T
    assert similarity(kernel, expected) > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_every_method_returns_the_unit_and_scale_of_the_map(method, scene, results):
    louder = scene.didv.copy(data=(1e-3 * scene.didv.values - 5).astype(np.float32))
    kernel = extract(method, louder, scene.scatterers).kernel
    expected = results[method].kernel.values
    np.testing.assert_allclose(1e3 * kernel.values, expected, atol=0.03 * np.abs(expected).max())
    assert kernel.attrs["units"] == scene.didv.attrs["units"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_splits_the_map_into_model_and_residual(method, results):
    result = results[method]
    np.testing.assert_allclose(
        result.reconstruction.values + result.residual.values, result.didv.values, atol=1e-5
    )
    assert np.all(result.spread.values > 0)
    assert result.kernel.shape == result.spread.shape
    assert (result.prior is not None) == (method == "aligned")
    assert {"half_agreement", "half_agreement_chance"} <= set(result.numbers)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_same_on_a_gpu(method, scene, results):
    kernel = extract(method, scene.didv, scene.scatterers, "cuda").kernel.values
    expected = results[method].kernel.values
    np.testing.assert_allclose(kernel, expected, atol=1e-3 * np.abs(expected).max())
