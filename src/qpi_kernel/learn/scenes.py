"""Training scenes drawn on the fly: kernels of the bank, many scatterers, and what a lab adds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve, kernel_spectrum
from qpi_kernel.learn.statistics import WINDOW, Statistics, normal_statistics, radial_weight

CORE_PX = 3.0


@dataclass(frozen=True)
class Scene:
    """A batch of scenes with their truth.

    Parameters
    ----------
    statistics : Statistics
        Input of the aligner.
    target : Tensor, shape (batch, 64, 64)
        True weighted kernels, root mean square 1.
    kernel : Tensor, shape (batch, 64, 64)
        True kernels [unit of the map].
    field, mask : Tensor, shape (batch, height, width)
        The maps, background taken off, and where they were measured.
    places : Tensor, shape (batch, n, 2)
    weights : Tensor, shape (batch, n)
        Positions (row, column) [px] and weights that the extraction is told; weight 0 is no
        scatterer.
    noise : Tensor, shape (batch,)
    snr : Tensor, shape (batch,)
        Variance of the clean ripples (cores cut out) over variance of the white noise.
    """

    statistics: Statistics
    target: Tensor
    kernel: Tensor
    field: Tensor
    mask: Tensor
    places: Tensor
    weights: Tensor
    noise: Tensor
    snr: Tensor


def weighted_kernels(kernels: Tensor) -> Tensor:
    """Return kernels (batch, 64, 64) times the radial weight, root mean square 1."""
    weighted = kernels * radial_weight(kernels.shape[-1], device=kernels.device)
    norm = weighted.square().mean((-2, -1), keepdim=True).sqrt()
    return weighted / norm.clamp(min=1e-20)


def pick_kernels(bank: npt.NDArray[np.float16], rng: np.random.Generator, count: int) -> Tensor:
    """Draw kernels of a bank, each turned, mirrored and signed at random: (count, size, size)."""
    chosen = np.sort(rng.integers(0, len(bank), count))
    kernels = torch.from_numpy(np.asarray(bank[chosen], np.float32))
    # Even windows have their origin at size // 2, so row and column 0 have no mirror image; an odd
    # crop keeps the origin in place under all eight symmetries.
    odd = kernels[:, 1:, 1:]
    for index in range(count):
        turned = torch.rot90(odd[index], int(rng.integers(4)))
        odd[index] = (turned if rng.random() < 0.5 else turned.T) * float(rng.choice([-1.0, 1.0]))
    kernels[:, 1:, 1:] = odd
    kernels[:, 0], kernels[:, :, 0] = kernels[:, 1], kernels[:, :, 1]
    return kernels


def draw_scene(
    bank: npt.NDArray[np.float16],
    rng: np.random.Generator,
    batch: int,
    *,
    snr: tuple[float, float] = (0.2, 50.0),
    scatterers: tuple[float, float] = (2.0, 100.0),
    jitter_px: float = 0.4,
    device: torch.device | None = None,
) -> Scene:
    """Draw a batch of scenes of one map size.

    Parameters
    ----------
    bank : array, shape (count, size, size)
        Kernels, larger than the 64 px window so that ripples leave it.
    rng : numpy.random.Generator
    batch : int
    snr, scatterers : (low, high)
        Range of the SNR and of the number of scatterers in view, log-uniform.
    jitter_px : float
        Largest rms error of the positions that the extraction is told.
    """
    height, width = (int(n) for n in rng.choice([80, 96, 128, 144], 2))
    kernels = pick_kernels(bank, rng, batch).to(device)
    size = kernels.shape[-1]
    wide = Geometry(height, width, size)
    margin = 24.0
    area = (height + 2 * margin) * (width + 2 * margin) / (height * width)
    counts = _log_uniform(rng, scatterers, batch) * area
    counts = np.maximum(counts.astype(int), 2)
    most = int(counts.max())
    exists = torch.as_tensor(np.arange(most) < counts[:, None], dtype=torch.float32)
    places = torch.as_tensor(
        rng.uniform(-margin, [height + margin, width + margin], (batch, most, 2)),
        dtype=torch.float32,
    )
    # At least two scatterers stand well inside the map.
    places[:, :2] = torch.as_tensor(
        rng.uniform(8, [height - 8, width - 8], (batch, 2, 2)), dtype=torch.float32
    )
    spread = rng.uniform(0, 0.4, (batch, 1))
    strengths = 1 + spread * rng.normal(size=(batch, most))
    flips = (
        rng.random((batch, most)) < rng.choice([0.0, 0.3], (batch, 1), p=[0.85, 0.15])
    ) * -2 + 1
    weights = torch.as_tensor(strengths * flips, dtype=torch.float32) * exists

    spectrum = activation_spectrum(wide, places.to(device), weights.to(device))
    clean = convolve(wide, spectrum, kernels)
    axis = torch.arange(size, device=device) - size // 2
    ripples = kernels * ((axis[:, None] ** 2 + axis[None, :] ** 2) > CORE_PX**2)
    rippled = spectrum * kernel_spectrum(wide, ripples)
    energy = 2 * rippled.abs().square().sum((-2, -1)) / (wide.canvas[0] * wide.canvas[1]) ** 2
    # The activation fills the map and its margin, the canvas beyond is empty.
    variance = energy * wide.canvas[0] * wide.canvas[1] / (height * width * area)
    ratio = torch.as_tensor(_log_uniform(rng, snr, batch), dtype=torch.float32).to(device)
    sigma = (variance / ratio).sqrt()
    noisy = clean + sigma[:, None, None] * _nuisance(rng, batch, height, width).to(device)

    mask = torch.ones(batch, height, width)
    for index in np.flatnonzero(rng.random(batch) < 0.15):
        mask[index, int(rng.integers(height // 2, height)) :] = 0
    mask = mask.to(device)
    centred = (noisy - (noisy * mask).sum((-2, -1), keepdim=True)
               / mask.sum((-2, -1), keepdim=True)) * mask  # fmt: skip

    narrow = Geometry(height, width, WINDOW)
    known_outside = torch.as_tensor(rng.random((batch, 1)) < 0.5)
    inside = ((places > 0) & (places < torch.tensor([height, width]))).all(-1)
    missed = torch.as_tensor(
        rng.random((batch, most)) < rng.choice([0.0, 0.1], (batch, 1)), dtype=torch.bool
    )
    missed[:, :2] = False
    told = weights * (inside | known_outside) * ~missed
    told = told * torch.as_tensor(1 + 0.1 * rng.normal(size=(batch, most)), dtype=torch.float32)
    told = torch.where(torch.as_tensor(rng.random((batch, 1)) < 0.3), told.sign(), told)
    shift = rng.normal(size=(batch, most, 2)) * rng.uniform(0, jitter_px, (batch, 1, 1)) / 2**0.5
    told_places = places + torch.as_tensor(shift, dtype=torch.float32)
    told_spectrum = activation_spectrum(narrow, told_places.to(device), told.to(device))
    told_noise = sigma * torch.as_tensor(
        np.exp(0.2 * rng.normal(size=batch)), dtype=torch.float32
    ).to(device)
    statistics = normal_statistics(narrow, told_spectrum, centred, told_noise)
    start = size // 2 - WINDOW // 2
    kernel = kernels[:, start : start + WINDOW, start : start + WINDOW]
    return Scene(
        statistics, weighted_kernels(kernel), kernel, centred, mask, told_places, told, sigma, ratio
    )  # fmt: skip


def _log_uniform(
    rng: np.random.Generator, limits: tuple[float, float], count: int
) -> npt.NDArray[np.float64]:
    low, high = np.log(limits)
    return np.exp(rng.uniform(low, high, count))


def _nuisance(rng: np.random.Generator, batch: int, height: int, width: int) -> Tensor:
    """White noise of variance 1 and, in half of the scenes each, row offsets and a background."""
    white = rng.normal(size=(batch, height, width))
    rows = rng.normal(size=(batch, height, 1)) * rng.choice([0.0, 0.3], (batch, 1, 1))
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    waves = np.zeros((batch, height, width))
    for _ in range(3):
        ky, kx, phase = rng.uniform(0, 2 * np.pi, (3, batch, 1, 1))
        waves += np.cos(ky * y / 2 + kx * x / 2 + phase)
    waves *= rng.choice([0.0, 0.4], (batch, 1, 1)) / 3**0.5
    return torch.as_tensor(white + rows + waves, dtype=torch.float32)
