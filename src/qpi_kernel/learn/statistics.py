"""What the network sees: the normal equations of the map, whatever its size.

For Gaussian noise the kernel depends on the map only through the back-projection c = M^T Y and the
activation autocorrelation G = M^T M. The network gets c, G and three Tikhonov estimates, which do
the deconvolution that convolutional layers cannot, all on one 64 x 64 px window.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from qpi_kernel.convolution import Geometry, canvas_spectrum, centred_window

WINDOW = 64
# Tikhonov strengths relative to the mean of |X(q)|^2: under-, mid- and over-regularised.
RIDGES = (0.03, 0.3, 3.0)
CHANNELS = 2 + len(RIDGES)
SCALARS = 2


@dataclass(frozen=True)
class Statistics:
    """Input of the aligner.

    Parameters
    ----------
    images : Tensor, shape (batch, CHANNELS, 64, 64)
        Back-projection per squared weight, Tikhonov estimates (all times `radial_weight`, in units
        of `scale`) and autocorrelation.
    scalars : Tensor, shape (batch, SCALARS)
        Log of noise over signal in the middle Tikhonov estimate; log of the sum of squared weights.
    scale : Tensor, shape (batch,)
        Root mean square of the weighted middle estimate [unit of the map].
    """

    images: Tensor
    scalars: Tensor
    scale: Tensor


def radial_weight(window: int, pixel: float = 1.0, device: torch.device | None = None) -> Tensor:
    """Return sqrt(r^2 + 2^2) / 10, r in model pixels: ripples fall as 1/r, their core towers.

    Kernels are learned after multiplication with this weight, so that a pixel of the ripples
    counts as much as one of the core. `pixel` is the pitch of the window in model pixels.
    """
    axis = (torch.arange(window, device=device) - window // 2) * pixel
    return torch.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2 + 4.0) / 10.0


def normal_statistics(
    geometry: Geometry, spectrum: Tensor, field: Tensor, noise: Tensor
) -> Statistics:
    """Reduce maps to the input of the aligner.

    Parameters
    ----------
    geometry : Geometry
        Map and the 64 px window.
    spectrum : Tensor, complex, shape (batch or 1, *canvas)
        X(q) of the scatterers.
    field : Tensor, shape (batch, height, width)
        Map with its background taken off, 0 where it was not measured.
    noise : Tensor, shape (batch,)
        Standard deviation of the noise per pixel [unit of the map].
    """
    power = spectrum.abs() ** 2
    # By Parseval the mean of |X(q)|^2 is the sum of the squared weights.
    averages = _mean(power, geometry)
    back = spectrum.conj() * canvas_spectrum(geometry, field)
    estimates = [centred_window(geometry, back / (power + ridge * averages)) for ridge in RIDGES]
    autocorrelation = 10 * centred_window(geometry, power.to(spectrum.dtype) / averages)
    half = geometry.half
    autocorrelation[..., half, half] = 0

    weight = radial_weight(geometry.window, device=field.device)
    images = torch.stack([centred_window(geometry, back / averages), *estimates], 1) * weight
    scale = images[:, 2].square().mean((-2, -1)).sqrt().clamp(min=1e-20)
    images = images / scale[:, None, None, None]
    # Variance of the noise in the middle estimate, summed over frequencies (Parseval).
    gain = _mean(power / (power + RIDGES[1] * averages) ** 2, geometry)[..., 0, 0]
    noise_share = noise * gain.sqrt() * weight.square().mean().sqrt() / scale
    count = averages[..., 0, 0].expand(noise.shape)
    scalars = torch.stack([noise_share.clamp(1e-4, 1e4).log(), count.clamp(min=1e-3).log() / 3], -1)
    autocorrelation = autocorrelation.expand(len(images), -1, -1)
    images = torch.cat([images, autocorrelation[:, None]], 1)
    return Statistics(images.clamp(-30, 30), scalars, scale)


def _mean(half_plane: Tensor, geometry: Geometry) -> Tensor:
    """Mean over all frequencies of a real quantity stored on the half plane (even width)."""
    # The first and the last column have no mirror image.
    once = half_plane[..., :1] + half_plane[..., -1:]
    every = 2 * half_plane.sum((-2, -1), keepdim=True) - once.sum((-2, -1), keepdim=True)
    return every / (geometry.canvas[0] * geometry.canvas[1])
