"""Checkpoints of a training: weights, optimiser and step in one safetensors file."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from qpi_kernel.errors import QpiError
from qpi_kernel.files import replacing
from qpi_kernel.learn.recipe import TrainSettings
from qpi_kernel.settings import to_dict

# Fields that may differ between the beginning of a training and its continuation.
FREE = ("checkpoint_every", "mixed_precision")
STAGES = ("vae", "aligner", "finder")


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    recipe: TrainSettings,
) -> None:
    """Write what is needed to go on after `step` steps.

    Raises
    ------
    QpiError
        If the file cannot be written.
    """
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


def resume(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, recipe: TrainSettings
) -> int:
    """Load a checkpoint into model and optimiser; return the step to go on with, 0 without one.

    Raises
    ------
    QpiError
        If the checkpoint is damaged or belongs to another recipe.
    """
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
    others = tuple(f"{stage}_" for stage in STAGES if stage != path.stem)
    changed = [
        name
        for name, value in json.loads(json.dumps(to_dict(recipe))).items()
        if name not in FREE and not name.startswith(others) and before.get(name) != value
    ]
    if changed:
        raise QpiError(
            f"{path}: the training there was begun with another {' and '.join(changed)}; choose"
            " another folder, or remove it to start anew"
        )
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
    return step
