"""From a recipe to a model file: bank, VAE, aligner, calibration, in one folder that resumes."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from qpi_kernel.learn import replicas
from qpi_kernel.learn.calibrate import iter_calibrate
from qpi_kernel.learn.model import model_card, save_model
from qpi_kernel.learn.own_kernels import read_own_kernels, vary_kernels
from qpi_kernel.learn.recipe import TrainSettings
from qpi_kernel.learn.train import iter_train_aligner, iter_train_finder, iter_train_vae
from qpi_kernel.progress import Steps, scaled
from qpi_kernel.settings import settings, to_dict
from qpi_kernel.simulate.bank import BankSettings, iter_make_bank, load_bank
from qpi_kernel.simulate.families import FAMILIES, HELD_OUT

# Same families as the training, other kernels: what the error bars are calibrated on.
VALIDATION = BankSettings(count=420, seed=3)
# Families that no training draws from.
EVALUATION = BankSettings(families=HELD_OUT, count=400, seed=2)


@settings
class ModelRecipe:
    """Everything that makes a model.

    Parameters
    ----------
    name : str
        Name of the model.
    bank, validation : BankSettings
        Kernels for training and for the calibration of the prior's error.
    own_kernels : str or None
        Folder with kernels of your own, which take half of the places in the bank.
    training : TrainSettings
    calibration_batches : int
        Batches of 32 scenes behind the calibration.
    """

    name: str = "qpi-kernel"
    bank: BankSettings = field(default_factory=BankSettings)
    validation: BankSettings = field(default_factory=lambda: VALIDATION)
    own_kernels: str | None = None
    training: TrainSettings = field(default_factory=TrainSettings)
    calibration_batches: Annotated[int, Field(ge=1)] = 30


def iter_build_model(recipe: ModelRecipe, folder: Path | str, device: torch.device) -> Steps[Path]:
    """Make a model; what an earlier call left in the folder is taken up where it stopped.

    Returns
    -------
    Steps of Path
        The model file, `folder`/`name`.safetensors.
    """
    folder = Path(folder)
    banks = []
    for part, (name, bank) in enumerate((("bank", recipe.bank), ("validation", recipe.validation))):
        # One process makes the bank, the others read it.
        if replicas.rank() == 0:
            yield from scaled(iter_make_bank(bank, folder / name), 0.05 * part, 0.05 * (part + 1))
        replicas.wait()
        kernels = load_bank(folder / name)[0]
        if recipe.own_kernels:
            # Every second place, so that what the model knew already is not forgotten.
            own = read_own_kernels(recipe.own_kernels)
            kernels[::2] = vary_kernels(own, len(kernels[::2]), bank.size, bank.seed)
        banks.append(kernels)
    training = recipe.training
    vae = yield from scaled(iter_train_vae(training, banks[0], folder, device), 0.1, 0.25)
    aligner = yield from scaled(
        iter_train_aligner(training, banks[0], vae, folder, device), 0.25, 0.7
    )
    finder = yield from scaled(iter_train_finder(training, banks[0], folder, device), 0.7, 0.98)
    path = folder / f"{recipe.name}.safetensors"
    if replicas.rank():
        return path
    vae, aligner, finder = vae.cpu(), aligner.cpu(), finder.cpu()
    bins, spectrum = yield from scaled(
        iter_calibrate(vae, aligner, banks[1], recipe.validation.seed, recipe.calibration_batches),
        0.98,
        1.0,
    )
    seen = set(recipe.bank.families)
    start: dict[str, Any] = {}
    if training.start_from:
        before, sha256 = model_card(training.start_from)
        seen |= set(before["families"])
        start = {"start": {"name": before["name"], "sha256": sha256}}
    card = {
        **to_dict(recipe),
        **start,
        "families": [name for name in FAMILIES if name in seen],
        "held_out": [name for name in HELD_OUT if name not in seen],
        "torch": torch.__version__,
    }
    save_model(path, vae, aligner, finder, bins, spectrum, card)
    return path
