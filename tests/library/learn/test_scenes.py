import numpy as np
import pytest
import torch

from qpi_kernel.learn.ripples import pick_kernels
from qpi_kernel.learn.scenes import draw_maps, draw_scene, weighted_kernels
from qpi_kernel.learn.statistics import CHANNELS, WINDOW


def draw(bank, seed=1, **changes):
    rng = np.random.default_rng(seed)
    return draw_scene(draw_maps(bank, rng, 4, **changes), rng)


def test_a_scene_is_complete_and_finite(bank):
    scene = draw(bank)
    height, width = scene.field.shape[-2:]
    assert scene.statistics.images.shape == (4, CHANNELS, WINDOW, WINDOW)
    assert scene.target.shape == scene.kernel.shape == (4, WINDOW, WINDOW)
    assert scene.mask.shape == (4, height, width)
    assert scene.places.shape == (*scene.weights.shape, 2)
    for values in (scene.field, scene.target, scene.statistics.images, scene.noise, scene.snr):
        assert bool(torch.isfinite(values).all())


def test_a_seed_is_a_scene(bank):
    first, again, other = draw(bank), draw(bank), draw(bank, seed=2)
    torch.testing.assert_close(first.field, again.field, rtol=0, atol=0)
    torch.testing.assert_close(first.statistics.images, again.statistics.images, rtol=0, atol=0)
    assert first.field.shape != other.field.shape or not bool((first.field == other.field).all())


def test_targets_have_root_mean_square_one(bank):
    scene = draw(bank)
    torch.testing.assert_close(scene.target.square().mean((-2, -1)), torch.ones(4))
    torch.testing.assert_close(scene.target, weighted_kernels(3 * scene.kernel))


def test_what_was_not_measured_is_zero(bank):
    scenes = [draw(bank, seed=seed) for seed in range(6)]
    assert any(bool((scene.mask == 0).any()) for scene in scenes)
    for scene in scenes:
        assert float(scene.field[scene.mask == 0].abs().sum()) == 0
        assert float((scene.field.sum((-2, -1)) / scene.mask.sum((-2, -1))).abs().max()) < 1e-3


def test_snr_and_numbers_stay_in_their_ranges(bank):
    for seed in range(5):
        scene = draw(bank, seed=seed, snr=(1.0, 3.0), scatterers=(5.0, 9.0))
        assert bool(((scene.snr >= 0.999) & (scene.snr <= 3.001)).all())
        told = (scene.weights != 0).sum(-1)
        assert bool((told >= 2).all())
        assert int(told.max()) <= 9 * 2.6


def test_noise_is_what_the_snr_says(bank):
    ratios = []
    for seed in range(6):
        scene = draw(bank, seed=seed, snr=(1e6, 1e6), scatterers=(10.0, 20.0))
        signal = scene.field.square().sum((-2, -1)) / scene.mask.sum((-2, -1))
        ratios.append(signal / (scene.noise.square() * scene.snr))
    # The whole map, cores included, outshines the ripples, by which the SNR is defined.
    typical = float(torch.cat(ratios).median())
    assert 0.8 < typical < 4


@pytest.mark.parametrize("seed", range(4))
def test_turned_kernels_keep_their_scatterer_in_place(seed):
    bank = np.zeros((1, 128, 128), np.float16)
    bank[0, 64, 64], bank[0, 64, 70] = 8.0, 3.0
    kernels = pick_kernels(bank, np.random.default_rng(seed), 8)
    assert kernels.shape == (8, 128, 128)
    np.testing.assert_array_equal(kernels[:, 64, 64].abs().numpy(), 8.0)
    around = kernels.sign()[:, 64:65, 64:65] * kernels
    spokes = around[:, [64, 64, 70, 58], [70, 58, 64, 64]]
    np.testing.assert_array_equal(spokes.sum(1).numpy(), 3.0)
