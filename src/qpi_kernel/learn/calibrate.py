"""How wrong is the decoded kernel at each |q|? Measured on kernels that training did not draw."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qpi_kernel.learn.networks import Aligner, KernelVAE
from qpi_kernel.learn.radial import BINS, gather
from qpi_kernel.learn.scenes import draw_maps, draw_scene
from qpi_kernel.learn.statistics import WINDOW
from qpi_kernel.progress import Progress, Steps

NOISE_BINS = 5


def iter_calibrate(
    vae: KernelVAE, aligner: Aligner, bank: npt.NDArray[np.float16], seed: int, batches: int = 30
) -> Steps[tuple[Tensor, Tensor]]:
    """Measure the error spectrum of the prior mean.

    Returns
    -------
    noise_bins : Tensor, shape (5,)
        Medians of the log noise share in five equally filled bins.
    spectrum : Tensor, shape (5, 25)
        Mean power of the error at |q| = 0 ... 0.75 cycles per model pixel, orthonormal transforms.
    """
    powers, shares = [], []
    for batch in range(batches):
        rng = np.random.default_rng([seed, batch])
        scene = draw_scene(draw_maps(bank, rng, 32), rng)
        with torch.inference_mode():
            mean, _ = aligner(scene.statistics.images, scene.statistics.scalars)
            error = vae.decoder(mean) - scene.target
            powers.append(torch.fft.fft2(error, norm="ortho").abs() ** 2)
        shares.append(scene.statistics.scalars[:, 0])
        yield Progress((batch + 1) / batches, "calibrating the prior's error")
    power, share = torch.cat(powers), torch.cat(shares)
    order = torch.argsort(share)
    parts = torch.tensor_split(order, NOISE_BINS)
    noise_bins = torch.stack([share[part].median() for part in parts])
    return noise_bins, torch.stack([_radial(power[part].mean(0)) for part in parts])


def _radial(power: Tensor) -> Tensor:
    frequencies = torch.fft.fftfreq(WINDOW)
    q = torch.sqrt(frequencies[:, None] ** 2 + frequencies[None, :] ** 2)
    total, weight = gather(power, q)
    known = weight > 0
    radial = total[known] / weight[known]
    return torch.cat([radial, radial[-1:].expand(BINS - len(radial))]).clamp(min=1e-6)
