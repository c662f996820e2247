"""The networks of the latent-alignment paper under its losses, small enough for a processor.

A baseline, and not what `extract_kernel` uses. A VAE with a latent code of 4 x 8 x 8 learns
kernels; a second encoder sees map and binary activation map and is trained either to the code of
the true kernel (two steps: latent alignment) or, through a decoder, to the kernel itself (one
step). Images are 64 x 64 px, each scaled to [0, 1] by its own minimum and maximum.

Source: Ji et al., arXiv:2506.05325. Their networks have some 84 million parameters, these one.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from qpi_kernel.learn.networks import Attention, Residual
from qpi_kernel.progress import Progress, Steps

PIXELS, LATENT = 64, 4
WIDTHS = (8, 32, 64, 96)
SYMMETRY_WEIGHT, KL_WEIGHT = 0.7, 1e-6
# The part of the window, side in pixels, in which a turned kernel has no empty corners.
SYMMETRY_SIDE = 40
# Turns [deg] for each fold; those of onefold kernels ask for a round one.
TURNS = {1: (90.0, 180.0), 2: (180.0,), 3: (120.0,), 4: (90.0, -90.0), 6: (60.0, -60.0)}
# A batch of two-channel images (batch, 2, 64, 64) and their kernels (batch, 64, 64).
Draw = Callable[[np.random.Generator], tuple[Tensor, Tensor]]


class MapEncoder(nn.Module):
    """Images (batch, channels, 64, 64) to mean and log-variance, each (batch, 4, 8, 8)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, WIDTHS[0], 3, padding=1)]
        for narrow, wide in pairwise(WIDTHS):
            layers += [Residual(narrow), nn.Conv2d(narrow, wide, 3, stride=2, padding=1)]
        deep = WIDTHS[-1]
        layers += [Residual(deep), Attention(deep), Residual(deep), nn.GroupNorm(8, deep)]
        layers += [nn.SiLU(), nn.Conv2d(deep, 2 * LATENT, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance."""
        mean, log_variance = self.layers(images).chunk(2, 1)
        return mean, log_variance.clamp(-30, 20)


class KernelDecoder(nn.Module):
    """Latent code (batch, 4, 8, 8) to a kernel (batch, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        deep = WIDTHS[-1]
        layers: list[nn.Module] = [nn.Conv2d(LATENT, deep, 3, padding=1)]
        layers += [Residual(deep), Attention(deep), Residual(deep)]
        for wide, narrow in pairwise(reversed(WIDTHS)):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(wide, narrow, 3, padding=1)]
            layers += [Residual(narrow)]
        layers += [nn.GroupNorm(8, WIDTHS[0]), nn.SiLU(), nn.Conv2d(WIDTHS[0], 1, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        """Return the kernel."""
        kernel: Tensor = self.layers(code)[:, 0]
        return kernel


class PaperVAE(nn.Module):
    """Stage 1: encoder of kernels and their decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = MapEncoder(1), KernelDecoder()


class OneStep(nn.Module):
    """Encoder of maps and a decoder, trained on the kernel directly."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = MapEncoder(2), KernelDecoder()

    def forward(self, images: Tensor) -> Tensor:
        """Return the kernels (batch, 64, 64) of two-channel images."""
        kernel: Tensor = self.decoder(self.encoder(images)[0])
        return kernel


def unit_range(images: Tensor) -> Tensor:
    """Scale each image (..., height, width) to [0, 1] by its minimum and maximum."""
    low, high = images.amin((-2, -1), keepdim=True), images.amax((-2, -1), keepdim=True)
    return (images - low) / (high - low).clamp(min=1e-20)


def symmetry_loss(reconstruction: Tensor, target: Tensor, folds: Tensor) -> Tensor:
    """Return the error of turned reconstructions against the target, mean over the batch.

    Parameters
    ----------
    reconstruction, target : Tensor, shape (batch, 64, 64)
        The scatterer at pixel 32.
    folds : Tensor of int, shape (batch,)
        1, 2, 3, 4 or 6.
    """
    start = PIXELS // 2 - SYMMETRY_SIDE // 2
    middle = slice(start, start + SYMMETRY_SIDE)
    total = torch.zeros((), device=target.device)
    for fold, turns in TURNS.items():
        chosen = folds == fold
        if not bool(chosen.any()):
            continue
        for degrees in turns:
            error = turned(reconstruction[chosen], degrees) - target[chosen]
            errors = error[:, middle, middle].square().mean((-2, -1))
            total = total + errors.sum() / (len(turns) * len(target))
    return total


def turned(images: Tensor, degrees: float) -> Tensor:
    """Turn images (batch, 64, 64) about pixel 32, counterclockwise if rows grow upwards."""
    angle = np.deg2rad(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    centre = (PIXELS // 2) / ((PIXELS - 1) / 2) - 1
    turn = torch.tensor([[cos, sin], [-sin, cos]], device=images.device)
    about = torch.full((2,), centre, device=images.device)
    matrix = torch.cat([turn, (about - turn @ about)[:, None]], 1).expand(len(images), 2, 3)
    grid = functional.affine_grid(matrix, [len(images), 1, PIXELS, PIXELS], align_corners=True)
    found: Tensor = functional.grid_sample(images[:, None], grid, align_corners=True)[:, 0]
    return found


def iter_train_vae(
    kernels: Tensor, folds: Tensor, *, steps: int, batch: int = 8, seed: int = 0
) -> Steps[PaperVAE]:
    """Train stage 1: MSE + 0.7 symmetry + 1e-6 KL.

    Parameters
    ----------
    kernels : Tensor, shape (n, 64, 64)
        In [0, 1].
    folds : Tensor of int, shape (n,)
        The rotational symmetry of each.
    """
    torch.manual_seed(seed)
    vae = PaperVAE()

    def loss(rng: np.random.Generator) -> Tensor:
        chosen = torch.as_tensor(rng.integers(0, len(kernels), batch))
        target = kernels[chosen]
        mean, log_variance = vae.encoder(target[:, None])
        noise = torch.as_tensor(rng.normal(size=mean.shape), dtype=mean.dtype)
        found = vae.decoder(mean + noise * (log_variance / 2).exp())
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        error: Tensor = (found - target).square().mean()
        symmetry = symmetry_loss(found, target, folds[chosen])
        spread: Tensor = divergence.sum((1, 2, 3)).mean()
        return error + SYMMETRY_WEIGHT * symmetry + KL_WEIGHT * spread

    yield from _fit(vae, loss, steps, seed, "kernels")
    return vae


def iter_train_aligner(
    vae: PaperVAE, draw: Draw, *, steps: int, seed: int = 0
) -> Steps[MapEncoder]:
    """Train stage 2: mean and log-variance of the map's code against those of the kernel's."""
    torch.manual_seed(seed)
    encoder = MapEncoder(2)
    vae.requires_grad_(False)

    def loss(rng: np.random.Generator) -> Tensor:
        images, kernels = draw(rng)
        aims, codes = vae.encoder(kernels[:, None]), encoder(images)
        errors = [functional.mse_loss(code, aim) for code, aim in zip(codes, aims, strict=True)]
        return errors[0] + errors[1]

    yield from _fit(encoder, loss, steps, seed, "aligning")
    return encoder


def iter_train_one_step(draw: Draw, *, steps: int, seed: int = 0) -> Steps[OneStep]:
    """Train encoder and decoder together: MSE of the kernel."""
    torch.manual_seed(seed)
    network = OneStep()

    def loss(rng: np.random.Generator) -> Tensor:
        images, kernels = draw(rng)
        return functional.mse_loss(network(images), kernels)

    yield from _fit(network, loss, steps, seed, "one step")
    return network


def _fit(
    network: nn.Module,
    loss: Callable[[np.random.Generator], Tensor],
    steps: int,
    seed: int,
    what: str,
) -> Steps[None]:
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=max(steps, 2))
    network.train()
    for step in range(steps):
        value = loss(np.random.default_rng([seed, step]))
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]  # torch ships no type for it
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        yield Progress((step + 1) / steps, f"{what}: loss {float(value.detach()):.2e}")
    network.eval()
