import numpy as np
import pytest
import torch

from qpi_kernel.learn.paper import (
    PIXELS,
    iter_train_aligner,
    iter_train_one_step,
    iter_train_vae,
    symmetry_loss,
    turned,
    unit_range,
)
from qpi_kernel.progress import drain


def rose(fold, turn=0.3):
    axis = torch.arange(PIXELS) - PIXELS // 2
    r = torch.hypot(axis[:, None].float(), axis[None, :].float())
    angle = torch.atan2(axis[:, None].float(), axis[None, :].float())
    # Petals begin where pixels resolve them.
    petals = 0.5 * torch.cos(fold * angle + turn) * (1 - torch.exp(-((r / 8) ** 2)))
    return torch.exp(-r / 12) * (1 + petals) * torch.cos(r / 3)


@pytest.fixture(scope="module")
def kernels():
    return unit_range(torch.stack([rose(fold) for fold in (2, 3, 4, 6)]))


def test_images_are_scaled_to_the_unit_range(kernels):
    scaled = unit_range(5 * kernels - 2)
    torch.testing.assert_close(scaled, kernels)
    assert kernels.amin((-2, -1)).tolist() == [0.0] * 4
    assert kernels.amax((-2, -1)).tolist() == [1.0] * 4


def test_turning_goes_about_the_scatterer():
    image = torch.zeros(1, PIXELS, PIXELS)
    image[0, 32, 42] = 1.0
    # Ten columns to the right become ten rows up, rows growing upwards.
    quarter = turned(image, 90.0)
    assert divmod(int(quarter.argmax()), PIXELS) == (42, 32)
    torch.testing.assert_close(turned(quarter, -90.0), image, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("index", "fold"), list(enumerate((2, 3, 4, 6))))
def test_a_kernel_of_its_own_symmetry_costs_little(kernels, index, fold):
    kernel = kernels[index : index + 1]
    own = symmetry_loss(kernel, kernel, torch.tensor([fold]))
    others = [
        symmetry_loss(kernel, kernel, torch.tensor([other]))
        for other in (2, 3, 4)
        if fold % other and other != fold
    ]
    assert all(own < 0.2 * other for other in others)
    assert own < 2e-4


def test_both_ways_learn_kernels_from_maps(kernels):
    folds = torch.tensor([2, 3, 4, 6])
    vae = drain(iter_train_vae(kernels, folds, steps=60, batch=4))
    code, _ = vae.encoder(kernels[:, None])
    assert code.shape == (4, 4, 8, 8)
    constant = kernels.var((-2, -1)).mean()
    assert (vae.decoder(code) - kernels).square().mean() < constant

    def draw(rng):
        chosen = torch.as_tensor(rng.integers(0, 4, 4))
        # A map of one scatterer is its kernel.
        activation = torch.zeros(4, PIXELS, PIXELS)
        activation[:, 32, 32] = 1
        return torch.stack([kernels[chosen], activation], 1), kernels[chosen]

    before = vae.encoder.layers[0].weight.clone()
    aligned = drain(iter_train_aligner(vae, draw, steps=40))
    torch.testing.assert_close(vae.encoder.layers[0].weight, before)
    images, targets = draw(np.random.default_rng(5))
    error = (aligned(images)[0] - vae.encoder(targets[:, None])[0]).square().mean()
    assert error < vae.encoder(targets[:, None])[0].square().mean()
    direct = drain(iter_train_one_step(draw, steps=40))
    assert (direct(images) - targets).square().mean() < constant
