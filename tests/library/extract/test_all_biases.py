"""Of a long stack the strongest biases tell the scatterers, and all get their kernel."""

import numpy as np
import pytest
import torch

from qpi_kernel import ExtractSettings, extract_kernel, simulate_map
from qpi_kernel.extract.all_biases import SHARED_BIASES, strongest
from qpi_kernel.extract.grids import make_grids


@pytest.fixture(scope="module")
def stack():
    """Return a map of twelve biases, four of which hold nothing but noise."""
    scene = simulate_map(
        "ag111", bias_mV=np.linspace(-20, 90, 12).tolist(), size_nm=32.0, pixels=96,
        scatterers=12, snr=10.0, seed=2,
    )  # fmt: skip
    values = scene.didv.values.copy()
    noise = np.random.default_rng(0).normal(size=values[::3].shape)
    values[::3] = 0.3 * values.std() * noise
    return scene.didv.copy(data=values.astype(np.float32)), scene


def test_biases_of_noise_do_not_tell_the_scatterers(stack):
    _, grid = make_grids(stack[0], 12.0, torch.device("cpu"))
    chosen = strongest(grid, 2)
    assert len(chosen) == SHARED_BIASES
    assert not set(chosen.tolist()) & set(range(0, 12, 3))
    np.testing.assert_allclose(grid.at(chosen).didv["bias"], stack[0]["bias"][chosen.numpy()])


def test_a_short_stack_is_told_by_all_of_it(stack):
    _, grid = make_grids(stack[0].isel(bias=slice(0, 5)), 12.0, torch.device("cpu"))
    assert strongest(grid, 2).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("given", [True, False])
def test_every_bias_gets_its_kernel(stack, given):
    didv, scene = stack
    settings = ExtractSettings(window_nm=12.0, samples=4)
    result = extract_kernel(didv, scene.scatterers if given else None, settings, device="cpu")
    assert result.kernel.sizes["bias"] == 12
    half, middle = result.kernel.sizes["x"] // 2, scene.kernel.sizes["x"] // 2
    part = slice(middle - half, middle + half + 1)
    truth = scene.kernel.values[:, part, part]
    likeness = [
        np.corrcoef(kernel.ravel(), true.ravel())[0, 1]
        for kernel, true in zip(result.kernel.values, truth, strict=True)
    ]
    shown = [index for index in range(12) if index % 3]
    assert np.min(np.array(likeness)[shown]) > 0.9
    assert len(result.numbers["prior_widening"]) == 12
