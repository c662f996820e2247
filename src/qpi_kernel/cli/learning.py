"""Commands about models: train one, measure it, say what is installed."""

import os
from pathlib import Path

from qpi_kernel.cli.arguments import Device, Out
from qpi_kernel.cli.running import say, watched
from qpi_kernel.progress import drain
from qpi_kernel.settings import load


def train(*, out: Out, recipe: Path | None = None, device: Device = "auto") -> None:
    """Make the kernel bank, train VAE, aligner and finder, calibrate, write a model file.

    Called again with the same folder, it goes on where it stopped. The default recipe takes under
    two hours on two CPU cores. `torchrun --nproc-per-node N --no-python qpi-kernel train ...`
    shares the work among N GPUs.

    Parameters
    ----------
    recipe
        A .toml or .json file with the recipe (name, bank, validation, training).
    """
    from qpi_kernel.extract.machine import choose_device
    from qpi_kernel.learn import replicas
    from qpi_kernel.learn.build import ModelRecipe, iter_build_model

    chosen = load(ModelRecipe, recipe) if recipe else ModelRecipe()
    with replicas.joined(choose_device(device)) as place:
        steps = iter_build_model(chosen, out, place)
        if replicas.rank():
            drain(steps)
        else:
            say(f"wrote {watched(steps)}")


def bank(*, recipe: Path, out: Out, workers: int | None = None) -> None:
    """Make a bank of random kernels to learn from, or finish one that was interrupted.

    Parameters
    ----------
    recipe
        A .toml or .json file with the recipe (families, count, size, seed).
    workers
        Processes that draw kernels; by default one per core.
    """
    from qpi_kernel.simulate.bank import BankSettings, iter_make_bank

    chosen = load(BankSettings, recipe)
    folder = watched(iter_make_bank(chosen, out, workers or os.cpu_count() or 1))
    say(f"wrote {chosen.count} kernels of {len(chosen.families)} families to {folder}")


def evaluate(*, out: Out, model: Path | None = None, scenes: int = 23, seed: int = 11) -> None:
    """Try all methods on families that training never saw; write and print the tables.

    Called again with the same folder, it goes on where it stopped.

    Parameters
    ----------
    model
        A model file; by default the shipped one.
    scenes
        Scenes for each of nine pairs of signal-to-noise ratio and overlap.
    seed
        Seed of the scenes.
    """
    from qpi_kernel.evaluate import EvaluateSettings, iter_evaluate, markdown, write_report
    from qpi_kernel.settings import from_dict

    file = None if model is None else str(model)
    recipe = from_dict(EvaluateSettings, {"scenes": scenes, "seed": seed, "model": file})
    rows = watched(iter_evaluate(recipe, out))
    write_report(rows, out)
    say(markdown(rows))


def models() -> None:
    """Say which model is installed, what it was trained on and what it never saw."""
    from qpi_kernel.learn.model import SHIPPED, load_model

    model = load_model()
    say(f"{model.card['name']}: {SHIPPED}")
    say(f"  sha256    {model.sha256}")
    say(f"  trained   {', '.join(model.card['families'])}")
    say(f"  held out  {', '.join(model.card['held_out'])}")
