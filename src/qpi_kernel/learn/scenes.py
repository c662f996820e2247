"""Training scenes drawn on the fly: kernels of the bank, many scatterers, and what a lab adds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qpi_kernel.convolution import Geometry, activation_spectrum
from qpi_kernel.learn.ripples import (
    Ripples,
    log_uniform,
    multiple_scattering,
    single_scattering,
    together,
)
from qpi_kernel.learn.statistics import WINDOW, Statistics, normal_statistics, radial_weight
from qpi_kernel.simulate.nuisance import REALISM, Nuisance, spoiled

# Nuisances that a training scene may have; the rest is for the extraction to deal with: it sets
# spikes aside, and a kernel seen through drift is the kernel of the map.
NUISANCES = ("flicker", "line", "row_offsets", "background", "bragg", "cdw", "tip_change")
# Nuisances are told in nm; on the model grid a pixel is about this large.
PIXEL_NM = 0.2


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


@dataclass(frozen=True)
class Maps:
    """A batch of maps with their truth, before anybody has looked for scatterers.

    Parameters
    ----------
    ripples : Ripples
        Kernels, positions, weights and clean maps.
    field, mask : Tensor, shape (batch, height, width)
        The maps, background taken off, 0 where they were not measured; and where they were.
    added : Tensor, shape (batch, height, width)
        What a real scan adds beside white noise.
    noise, snr : Tensor, shape (batch,)
        Standard deviation of the white noise; variance of the ripples (cores cut out) over its
        variance.
    """

    ripples: Ripples
    field: Tensor
    mask: Tensor
    added: Tensor
    noise: Tensor
    snr: Tensor


def draw_maps(
    bank: npt.NDArray[np.float16],
    rng: np.random.Generator,
    batch: int,
    *,
    snr: tuple[float, float] = (0.2, 50.0),
    scatterers: tuple[float, float] = (2.0, 100.0),
    multiple: float = 0.2,
    nuisance: float = 0.5,
    device: torch.device | None = None,
) -> Maps:
    """Draw a batch of maps of one size.

    Parameters
    ----------
    bank : array, shape (count, size, size)
        Kernels, larger than the 64 px window so that ripples leave it.
    rng : numpy.random.Generator
    batch : int
    snr, scatterers : (low, high)
        Range of the SNR and of the number of scatterers in view, log-uniform.
    multiple : float
        Share of the scenes in which waves visit several scatterers.
    nuisance : float
        Share of the scenes with nuisances of a real scan, beside white noise.
    """
    height, width = (int(n) for n in rng.choice([80, 96, 128, 144], 2))
    some = round(multiple * batch)
    ripples = single_scattering(bank, rng, batch - some, (height, width), scatterers, device)
    if some:
        size = ripples.kernels.shape[-1]
        others = multiple_scattering(rng, some, (height, width), size, scatterers, device)
        ripples = together(ripples, others)
    ratio = torch.as_tensor(log_uniform(rng, snr, batch), dtype=torch.float32).to(device)
    sigma = (ripples.variance / ratio).sqrt()
    added = _nuisance(rng, ripples.clean, ripples.variance.sqrt(), nuisance)
    white = torch.as_tensor(rng.normal(size=added.shape), dtype=torch.float32).to(device)
    noisy = ripples.clean + added + sigma[:, None, None] * white

    mask = torch.ones(batch, height, width)
    for index in np.flatnonzero(rng.random(batch) < 0.15):
        mask[index, int(rng.integers(height // 2, height)) :] = 0
    mask = mask.to(device)
    return Maps(ripples, _levelled(noisy, mask), mask, added, sigma, ratio)


def draw_scene(maps: Maps, rng: np.random.Generator, jitter_px: float = 0.4) -> Scene:
    """Draw what the aligner is told of maps.

    Parameters
    ----------
    maps : Maps
        What `draw_maps` drew.
    rng : numpy.random.Generator
    jitter_px : float
        Largest rms error of the positions that the extraction is told.
    """
    kernels, places, weights = maps.ripples.kernels, maps.ripples.places, maps.ripples.weights
    (batch, height, width), most = maps.field.shape, weights.shape[1]
    device = maps.field.device
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
    # An estimate from the map counts some of the nuisances as noise, but not all.
    structure = _levelled(maps.added, maps.mask).square().mean((-2, -1))
    total = (maps.noise.square() + structure).sqrt()
    share, error = (
        torch.as_tensor(numbers, dtype=torch.float32).to(device)
        for numbers in (rng.random(batch), np.exp(0.2 * rng.normal(size=batch)))
    )
    told_noise = maps.noise ** (1 - share) * total**share * error
    statistics = normal_statistics(narrow, told_spectrum, maps.field, told_noise)
    start = kernels.shape[-1] // 2 - WINDOW // 2
    kernel = kernels[:, start : start + WINDOW, start : start + WINDOW]
    return Scene(
        statistics, weighted_kernels(kernel), kernel, maps.field, maps.mask, told_places, told,
        maps.noise, maps.snr,
    )  # fmt: skip


def _nuisance(rng: np.random.Generator, clean: Tensor, scale: Tensor, share: float) -> Tensor:
    """Return what a real scan adds to clean maps whose ripples have standard deviations `scale`."""
    added = np.zeros(clean.shape)
    for index in np.flatnonzero(rng.random(len(clean)) < share):
        hard = REALISM["hard"]
        amounts = {
            name: getattr(hard, name) * float(log_uniform(rng, (0.1, 1.0), 1)[0])
            for name in NUISANCES
            if rng.random() < 0.5
        }
        chosen = Nuisance(
            **amounts,
            background_nm=PIXEL_NM * rng.uniform(15, 60),
            lattice_nm=PIXEL_NM * rng.uniform(2.6, 5),
            cdw_nm=PIXEL_NM * rng.uniform(5, 20),
        )
        ripples = (clean[index] / scale[index]).cpu().numpy()
        height, width = ripples.shape
        side = max(height, width)
        square = np.pad(ripples, ((0, side - height), (0, side - width)), mode="edge")[None]
        seen = spoiled(chosen, square, PIXEL_NM, int(rng.integers(2**31)))
        added[index] = (seen - square)[0, :height, :width] * float(scale[index])
    return torch.as_tensor(added, dtype=torch.float32).to(clean.device)


def _levelled(field: Tensor, mask: Tensor) -> Tensor:
    """Take a quadratic background off each map, as the extraction does; 0 where not measured."""
    y = torch.linspace(-1, 1, field.shape[-2], device=field.device)[:, None]
    x = torch.linspace(-1, 1, field.shape[-1], device=field.device)[None, :]
    flat = torch.zeros_like(x * y)
    terms = torch.stack([flat + term for term in (1.0, x, y, x * y, x * x, y * y)])
    inner = torch.einsum("tyx,byx,syx->bts", terms, mask, terms)
    overlap = torch.einsum("tyx,byx->bt", terms, field * mask)
    slope = torch.linalg.solve(inner, overlap)
    return (field - torch.einsum("bt,tyx->byx", slope, terms)) * mask
