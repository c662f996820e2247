import torch

from qpi_kernel.learn.calibrate import BINS, NOISE_BINS, iter_calibrate
from qpi_kernel.learn.train import build_aligner, build_vae
from qpi_kernel.progress import drain


def test_an_untrained_model_is_as_wrong_as_the_kernel_is_large(bank, recipe):
    noise_bins, spectrum = drain(
        iter_calibrate(build_vae(recipe).eval(), build_aligner(recipe).eval(), bank, 3, batches=1)
    )
    assert noise_bins.shape == (NOISE_BINS,)
    assert bool((torch.diff(noise_bins) > 0).all())
    assert spectrum.shape == (NOISE_BINS, BINS)
    # An orthonormal transform spreads a mean square of one evenly over the frequencies.
    frequencies = torch.fft.fftfreq(64)
    q = torch.sqrt(frequencies[:, None] ** 2 + frequencies[None, :] ** 2)
    place = (q / 0.75 * (BINS - 1)).flatten()
    low = place.floor().long().clamp(max=BINS - 2)
    values = spectrum[:, low] * (1 - (place - low)) + spectrum[:, low + 1] * (place - low)
    assert 0.7 < float(values.mean()) < 1.5
