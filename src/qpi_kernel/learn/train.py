"""Training: first the VAE of kernels, then the aligner against its frozen encoder.

Both stages are generators of `Progress` that write a checkpoint every few hundred steps and go on
from it when called again. Step n of a stage draws from the seed (seed, stage, n), so that a resumed
training sees the data an uninterrupted one would have seen.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from qpi_kernel.errors import QpiError
from qpi_kernel.files import replacing
from qpi_kernel.learn.networks import Aligner, KernelVAE
from qpi_kernel.learn.scenes import draw_scene, pick_kernels, weighted_kernels
from qpi_kernel.learn.statistics import CHANNELS, SCALARS, WINDOW
from qpi_kernel.progress import Progress, Steps
from qpi_kernel.settings import settings, to_dict


@settings
class TrainSettings:
    """A recipe for training; the defaults take under two hours on two CPU cores.

    Parameters
    ----------
    vae_steps, aligner_steps : int
        Optimiser steps of each stage.
    batch : int
        Kernels or scenes per step.
    learning_rate : float
        Peak of the cosine schedule.
    kl_weight : float
        Weight of the Kullback-Leibler term, summed over the latent code, against the mean squared
        error of the weighted kernel.
    latent_weight, decoded_weight : float
        Weights of the aligner's losses: latent code against the frozen encoder (the paper's loss),
        and decoded kernel against the truth.
    vae_width, aligner_width : int
        Channels of the networks at 16 x 16, a multiple of 8.
    seed : int
    checkpoint_every : int
        Steps between checkpoints.
    """

    vae_steps: Annotated[int, Field(ge=1)] = 5000
    aligner_steps: Annotated[int, Field(ge=1)] = 3600
    batch: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    kl_weight: Annotated[float, Field(ge=0)] = 1e-5
    latent_weight: Annotated[float, Field(ge=0)] = 0.1
    decoded_weight: Annotated[float, Field(ge=0)] = 1.0
    vae_width: Annotated[int, Field(ge=8, multiple_of=8)] = 64
    aligner_width: Annotated[int, Field(ge=8, multiple_of=8)] = 80
    seed: Annotated[int, Field(ge=0)] = 1
    checkpoint_every: Annotated[int, Field(ge=1)] = 200


def build_vae(recipe: TrainSettings) -> KernelVAE:
    """Return an untrained VAE of the size the recipe asks for."""
    torch.manual_seed(recipe.seed)
    return KernelVAE(recipe.vae_width)


def build_aligner(recipe: TrainSettings) -> Aligner:
    """Return an untrained aligner of the size the recipe asks for."""
    torch.manual_seed(recipe.seed + 1)
    return Aligner(CHANNELS, SCALARS, recipe.aligner_width)


def iter_train_vae(
    recipe: TrainSettings, bank: npt.NDArray[np.float16], folder: Path, device: torch.device
) -> Steps[KernelVAE]:
    """Train stage 1 on the kernels of a bank; checkpoints go to `folder`/vae.safetensors."""
    model = build_vae(recipe).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=1e-4)
    checkpoint = folder / "vae.safetensors"
    start = _resume(checkpoint, model, optimiser, recipe)
    for step in range(start, recipe.vae_steps):
        rng = np.random.default_rng([recipe.seed, 0, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        target = weighted_kernels(_central(pick_kernels(bank, rng, recipe.batch))).to(device)
        decoded, mean, log_variance = model(target, generator)
        error = (decoded - target).square().mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        loss = error + recipe.kl_weight * divergence.sum((1, 2, 3)).mean()
        _step(loss, model, optimiser, recipe, step, recipe.vae_steps)
        if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == recipe.vae_steps:
            _save(checkpoint, model, optimiser, step + 1, recipe)
        active = (divergence.detach().mean(0) > 0.05).sum()
        yield Progress(
            (step + 1) / recipe.vae_steps,
            f"vae {step + 1}: error {float(error.detach()):.4f},"
            f" {int(active)} of {mean[0].numel()} latent dimensions active",
        )
    return model.eval()


def iter_train_aligner(
    recipe: TrainSettings,
    bank: npt.NDArray[np.float16],
    vae: KernelVAE,
    folder: Path,
    device: torch.device,
) -> Steps[Aligner]:
    """Train stage 2 on scenes of the bank; checkpoints go to `folder`/aligner.safetensors."""
    vae = vae.to(device).eval().requires_grad_(False)
    model = build_aligner(recipe).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=1e-4)
    checkpoint = folder / "aligner.safetensors"
    start = _resume(checkpoint, model, optimiser, recipe)
    for step in range(start, recipe.aligner_steps):
        rng = np.random.default_rng([recipe.seed, 1, step])
        scene = draw_scene(bank, rng, recipe.batch, device=device)
        with torch.no_grad():
            true_mean, true_log_variance = vae.encoder(scene.target[:, None])
        mean, log_variance = model(scene.statistics.images, scene.statistics.scalars)
        latent = (mean - true_mean).square().mean()
        latent = latent + 0.1 * (log_variance - true_log_variance).square().mean()
        decoded = (vae.decoder(mean) - scene.target).square().mean()
        loss = recipe.latent_weight * latent + recipe.decoded_weight * decoded
        _step(loss, model, optimiser, recipe, step, recipe.aligner_steps)
        if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == recipe.aligner_steps:
            _save(checkpoint, model, optimiser, step + 1, recipe)
        yield Progress(
            (step + 1) / recipe.aligner_steps,
            f"aligner {step + 1}: kernel error {float(decoded.detach()):.4f}, "
            f"latent error {float(latent.detach()):.4f}",
        )
    return model.eval()


def _central(kernels: Tensor) -> Tensor:
    start = kernels.shape[-1] // 2 - WINDOW // 2
    return kernels[:, start : start + WINDOW, start : start + WINDOW]


def _step(
    loss: Tensor,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    recipe: TrainSettings,
    step: int,
    steps: int,
) -> None:
    warm, done = min(1.0, (step + 1) / 100), (step + 1) / steps
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch ships no type for it
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


def _save(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    recipe: TrainSettings,
) -> None:
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    facts = {"step": str(step), "recipe": json.dumps(to_dict(recipe))}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            save_file(tensors, temporary, facts)
    except (OSError, SafetensorError) as error:
        raise QpiError(f"{path}: the checkpoint cannot be written ({error})") from None


def _resume(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, recipe: TrainSettings
) -> int:
    if not path.exists():
        return 0
    states: dict[int, dict[str, Tensor]] = {}
    weights: dict[str, Tensor] = {}
    try:
        with safe_open(path, "pt") as stream:
            for key in stream.keys():  # noqa: SIM118  # not a dict: it has no iterator
                kind, name = key.split(".", 1)
                if kind == "model":
                    weights[name] = stream.get_tensor(key)
                else:
                    index, entry = name.split(".", 1)
                    states.setdefault(int(index), {})[entry] = stream.get_tensor(key)
            step = int(stream.metadata()["step"])
            before = json.loads(stream.metadata()["recipe"])
        model.load_state_dict(weights)
    except Exception as error:
        raise QpiError(
            f"{path}: the checkpoint does not fit this training ({error}); remove it to start anew"
        ) from None
    changed = [
        name
        for name, value in to_dict(recipe).items()
        if name != "checkpoint_every" and before.get(name) != value
    ]
    if changed:
        raise QpiError(
            f"{path}: the training there was begun with another {' and '.join(changed)}; choose"
            " another folder, or remove it to start anew"
        )
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
    return step
