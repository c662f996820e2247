import pytest
import torch

from qpi_kernel.learn.networks import LATENT, Aligner, Attention, Decoder, KernelVAE, Residual
from qpi_kernel.learn.statistics import CHANNELS, SCALARS


@pytest.mark.parametrize("block", [Residual(16), Attention(16)], ids=["residual", "attention"])
def test_a_fresh_block_changes_nothing_but_a_bias(block):
    image = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        change = block(image) - image
    assert change.shape == image.shape
    assert float(change.var((-2, -1)).max()) < 1e-12


def test_the_vae_keeps_the_shape_of_a_kernel():
    kernels = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(2))
    vae = KernelVAE(16, 1)
    decoded, mean, log_variance = vae(kernels, torch.Generator().manual_seed(3))
    assert decoded.shape == kernels.shape
    assert mean.shape == log_variance.shape == (2, LATENT, 8, 8)
    again, *_ = vae(kernels, torch.Generator().manual_seed(3))
    other, *_ = vae(kernels, torch.Generator().manual_seed(4))
    torch.testing.assert_close(decoded, again, rtol=0, atol=0)
    assert not torch.equal(decoded, other)


def test_the_aligner_speaks_the_language_of_the_decoder():
    aligner, decoder = Aligner(CHANNELS, SCALARS, 16, 1), Decoder(16, 1)
    images = torch.randn(3, CHANNELS, 64, 64, generator=torch.Generator().manual_seed(5))
    scalars = torch.zeros(3, SCALARS)
    mean, log_variance = aligner(images, scalars)
    assert decoder(mean).shape == (3, 64, 64)
    assert bool((log_variance <= 4).all())
    louder, _ = aligner(images, scalars + 1)
    assert not torch.equal(louder, mean)


def test_one_image_of_a_batch_does_not_change_the_others():
    aligner = Aligner(CHANNELS, SCALARS, 16, 1).eval()
    draw = torch.Generator().manual_seed(6)
    images, scalars = torch.randn(3, CHANNELS, 64, 64, generator=draw), torch.zeros(3, SCALARS)
    with torch.inference_mode():
        together, _ = aligner(images, scalars)
        alone, _ = aligner(images[1:2], scalars[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)
