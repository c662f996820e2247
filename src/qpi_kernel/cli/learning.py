"""Commands about models: train one, measure it, say what is installed."""

import json
import os
from dataclasses import replace
from pathlib import Path

from qpi_kernel.cli.arguments import Device, Out
from qpi_kernel.cli.running import say, watched
from qpi_kernel.progress import drain
from qpi_kernel.settings import load


def train(*, out: Out, recipe: Path | None = None, device: Device = "auto") -> None:
    """Make the kernel bank, train VAE and aligner, calibrate, write a model file.

    Called again with the same folder, it goes on where it stopped. The default recipe takes under
    two hours on two CPU cores. `torchrun --nproc-per-node N --no-python qpi-kernel train ...`
    shares the work among N GPUs.

    Parameters
    ----------
    recipe
        A .toml or .json file with the recipe (name, bank, validation, training).
    """
    from qpi_kernel.extract.engine import choose_device
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


def evaluate(*, out: Out, model: Path | None = None, scenes: int = 40) -> None:
    """Score all methods on families that training never saw; write and print the table.

    Parameters
    ----------
    model
        A model file; by default the shipped one.
    scenes
        Scenes per family and signal-to-noise ratio.
    """
    from qpi_kernel.evaluate import iter_evaluate, markdown
    from qpi_kernel.learn.build import EVALUATION
    from qpi_kernel.learn.model import load_model
    from qpi_kernel.simulate.bank import iter_make_bank, load_bank

    loaded = load_model(model)
    folder = out / "held_out_bank"
    unseen = replace(EVALUATION, families=tuple(loaded.card["held_out"]))
    bank, families = load_bank(watched(iter_make_bank(unseen, folder)))
    file = None if model is None else str(model)
    scores = watched(iter_evaluate(bank, families, scenes=scenes, model=file))
    table = markdown(scores)
    rows = [
        {
            "family": score.family,
            "snr": score.snr,
            "method": score.method,
            "similarity": score.similarity.tolist(),
        }
        for score in scores
    ]
    text = json.dumps({"model": loaded.card["name"], "sha256": loaded.sha256, "scores": rows})
    for name, content in (("evaluation.json", text), ("evaluation.md", table)):
        temporary = out / f".{name}.{os.getpid()}.part"
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(out / name)
    say(table)


def models() -> None:
    """Say which model is installed, what it was trained on and what it never saw."""
    from qpi_kernel.learn.model import SHIPPED, load_model

    model = load_model()
    say(f"{model.card['name']}: {SHIPPED}")
    say(f"  sha256    {model.sha256}")
    say(f"  trained   {', '.join(model.card['families'])}")
    say(f"  held out  {', '.join(model.card['held_out'])}")
