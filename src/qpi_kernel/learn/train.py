"""Training: the VAE of kernels, the aligner against its frozen encoder, the finder of scatterers.

All stages are generators of `Progress` that write a checkpoint every few hundred steps and go on
from it when called again. Step n of a stage draws from the seed (seed, stage, n), so that a resumed
training sees the data an uninterrupted one would have seen.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from qpi_kernel.learn import replicas
from qpi_kernel.learn.checkpoint import resume, save_checkpoint
from qpi_kernel.learn.finder import Finder, finder_input, finder_loss
from qpi_kernel.learn.model import load_networks
from qpi_kernel.learn.networks import Aligner, KernelVAE
from qpi_kernel.learn.recipe import TrainSettings
from qpi_kernel.learn.ripples import pick_kernels
from qpi_kernel.learn.scenes import Maps, draw_maps, draw_scene, weighted_kernels
from qpi_kernel.learn.statistics import CHANNELS, SCALARS, WINDOW
from qpi_kernel.progress import Progress, Steps

LARGE_WINDOWS = (96, 128)
# Where nothing can be seen there is nothing to be learned.
FINDER_SNR, FINDER_SCATTERERS = (0.5, 50.0), (3.0, 80.0)
# What a step minimises, and what to say of it.
Loss = Callable[[np.random.Generator, nn.Module], tuple[Tensor, str]]


def build_vae(recipe: TrainSettings) -> KernelVAE:
    """Return the VAE of a recipe before its training.

    Raises
    ------
    QpiError
        If the recipe starts from a model that is missing or of another size.
    """
    if recipe.start_from:
        return load_networks(recipe.start_from, recipe)[0]
    torch.manual_seed(recipe.seed)
    return KernelVAE(recipe.vae_width)


def build_aligner(recipe: TrainSettings) -> Aligner:
    """Return the aligner of a recipe before its training; see `build_vae`."""
    if recipe.start_from:
        return load_networks(recipe.start_from, recipe)[1]
    torch.manual_seed(recipe.seed + 1)
    return Aligner(CHANNELS, SCALARS, recipe.aligner_width)


def build_finder(recipe: TrainSettings) -> Finder:
    """Return the finder of a recipe before its training; see `build_vae`."""
    if recipe.start_from:
        return load_networks(recipe.start_from, recipe)[2]
    torch.manual_seed(recipe.seed + 2)
    return Finder(recipe.finder_width)


def iter_train_vae(
    recipe: TrainSettings, bank: npt.NDArray[np.float16], folder: Path, device: torch.device
) -> Steps[KernelVAE]:
    """Train stage 1 on the kernels of a bank; checkpoints go to `folder`/vae.safetensors."""
    vae = build_vae(recipe).to(device)

    def loss(rng: np.random.Generator, model: nn.Module) -> tuple[Tensor, str]:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        window, batch = WINDOW, max(1, recipe.batch // replicas.count())
        if rng.random() < recipe.large_windows:
            window = int(rng.choice(LARGE_WINDOWS))
            # A step on a large window sees fewer kernels, so that it takes as long as any other.
            batch = max(1, batch * WINDOW**2 // window**2)
        kernels = _central(pick_kernels(bank, rng, batch), window)
        target = weighted_kernels(kernels).to(device)
        decoded, mean, log_variance = model(target, generator)
        error = (decoded - target).square().mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        active = int((divergence.detach().mean(0) > 0.05).sum())
        text = (
            f"error {float(error.detach()):.4f} at {window} px,"
            f" {active} of {mean[0].numel()} latent dimensions active"
        )
        # Per pixel of the latent code, so that large windows weigh the two terms alike.
        code = divergence.sum(1).mean() * (WINDOW // 8) ** 2
        return error + recipe.kl_weight * code, text

    yield from _iter_train("vae", 0, recipe.vae_steps, vae, loss, recipe, folder)
    return vae.eval()


def iter_train_aligner(
    recipe: TrainSettings,
    bank: npt.NDArray[np.float16],
    vae: KernelVAE,
    folder: Path,
    device: torch.device,
) -> Steps[Aligner]:
    """Train stage 2 on scenes of the bank; checkpoints go to `folder`/aligner.safetensors."""
    vae = vae.to(device).eval().requires_grad_(False)
    aligner = build_aligner(recipe).to(device)

    def loss(rng: np.random.Generator, model: nn.Module) -> tuple[Tensor, str]:
        # Normal equations need float32, whatever the networks get along with.
        with torch.autocast(device.type, enabled=False):
            scene = draw_scene(_draw_maps(recipe, bank, rng, recipe.batch, device), rng)
        with torch.no_grad():
            true_mean, true_log_variance = vae.encoder(scene.target[:, None])
        mean, log_variance = model(scene.statistics.images, scene.statistics.scalars)
        latent = (mean - true_mean).square().mean()
        latent = latent + 0.1 * (log_variance - true_log_variance).square().mean()
        decoded = (vae.decoder(mean) - scene.target).square().mean()
        text = (
            f"kernel error {float(decoded.detach()):.4f}, latent error {float(latent.detach()):.4f}"
        )
        return recipe.latent_weight * latent + recipe.decoded_weight * decoded, text

    yield from _iter_train("aligner", 1, recipe.aligner_steps, aligner, loss, recipe, folder)
    return aligner.eval()


def iter_train_finder(
    recipe: TrainSettings, bank: npt.NDArray[np.float16], folder: Path, device: torch.device
) -> Steps[Finder]:
    """Train the finder on maps of the bank; checkpoints go to `folder`/finder.safetensors."""
    finder = build_finder(recipe).to(device)

    def loss(rng: np.random.Generator, model: nn.Module) -> tuple[Tensor, str]:
        with torch.autocast(device.type, enabled=False):
            maps = _draw_maps(
                recipe, bank, rng, recipe.batch // 2, device,
                snr=FINDER_SNR, scatterers=FINDER_SCATTERERS,
            )  # fmt: skip
        value = finder_loss(model(finder_input(maps.field, maps.mask)), maps.ripples, maps.mask)
        return value, f"loss {float(value.detach()):.3f} per scatterer"

    yield from _iter_train("finder", 2, recipe.finder_steps, finder, loss, recipe, folder)
    return finder.eval()


def _draw_maps(
    recipe: TrainSettings,
    bank: npt.NDArray[np.float16],
    rng: np.random.Generator,
    batch: int,
    device: torch.device,
    **ranges: tuple[float, float],
) -> Maps:
    """Draw this process's part of a batch, with what the recipe says of scans."""
    return draw_maps(
        bank,
        rng,
        max(1, batch // replicas.count()),
        multiple=recipe.multiple_scattering,
        nuisance=recipe.nuisance,
        device=device,
        **ranges,
    )


def _iter_train(
    name: str,
    stage: int,
    steps: int,
    model: nn.Module,
    loss: Loss,
    recipe: TrainSettings,
    folder: Path,
) -> Steps[None]:
    optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=1e-4)
    checkpoint = folder / f"{name}.safetensors"
    start = resume(checkpoint, model, optimiser, recipe)
    kind = next(model.parameters()).device.type
    mixed = recipe.mixed_precision and kind == "cuda"
    together = replicas.shared(model)
    extra = [replicas.rank()] if replicas.rank() else []
    for step in range(start, steps):
        rng = np.random.default_rng([recipe.seed, stage, step, *extra])
        warm, done = min(1.0, (step + 1) / 100), (step + 1) / steps
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + np.cos(np.pi * done))
            group["lr"] = recipe.learning_rate * warm * (0.02 + 0.98 * cosine)
        optimiser.zero_grad()
        with torch.autocast(kind, torch.bfloat16, enabled=mixed):
            value, text = loss(rng, together)
        value.backward()  # type: ignore[no-untyped-call]  # torch ships no type for it
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        due = (step + 1) % recipe.checkpoint_every == 0 or step + 1 == steps
        if due and replicas.rank() == 0:
            save_checkpoint(checkpoint, model, optimiser, step + 1, recipe)
        yield Progress((step + 1) / steps, f"{name} {step + 1} of {steps}: {text}")


def _central(kernels: Tensor, window: int) -> Tensor:
    start = kernels.shape[-1] // 2 - window // 2
    return kernels[:, start : start + window, start : start + window]
