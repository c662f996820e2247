"""What is killed, and what must hold afterwards: exports, batches, banks and trainings."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch

import qpi_kernel.batch
from qpi_kernel import make_map, run, simulate_map, write_map
from qpi_kernel.batch import run_batch
from qpi_kernel.errors import QpiError
from qpi_kernel.export import export_result
from qpi_kernel.learn.checkpoint import resume
from qpi_kernel.learn.recipe import TrainSettings
from qpi_kernel.learn.train import build_vae, iter_train_vae
from qpi_kernel.pipeline import PipelineSettings
from qpi_kernel.progress import drain
from qpi_kernel.settings import from_dict
from qpi_kernel.simulate.bank import BankSettings, iter_make_bank, load_bank

SETTINGS = {
    "device": "cpu",
    "extract": {"method": "average", "window_nm": 6.0, "samples": 4, "set_aside": False},
}


@dataclass
class Trial:
    """Work to be killed, what must hold after it, and when it is finished for good.

    `changes` is about how often the work changes files.
    """

    work: Callable[[Path], None]
    check: Callable[[Path], None]
    finished: Callable[[Path], bool]
    changes: int


def maps(folder: Path, count: int) -> list[Path]:
    """Write small maps whose scatterers need no search."""
    known = simulate_map("ag111", bias_mV=[0.0], size_nm=13.0, pixels=64, scatterers=5, seed=1)
    paths = []
    for number in range(count):
        values = known.didv.values * (1 + number) + 0.1 * number
        axes = {"y_nm": known.didv["y"].values, "x_nm": known.didv["x"].values}
        didv = make_map(values, bias_mV=[0.0], **axes, units="nS")
        paths.append(write_map(didv, folder / f"map{number}.npz"))
    return paths


def same_files(folder: Path, references: list[Path]) -> None:
    """Every file is whole; with a recipe, all are of one result."""
    fits = set(range(len(references)))
    for file in folder.iterdir():
        if file.name.startswith("."):
            continue
        content = file.read_bytes()
        own = {i for i, r in enumerate(references) if (r / file.name).read_bytes() == content}
        assert own, f"{file} is of no result"
        fits &= own
    if (folder / "recipe.json").exists():
        assert fits, f"{folder} has a recipe and files of several results"
        names = [{file.name for file in references[i].iterdir()} for i in fits]
        assert {f.name for f in folder.iterdir() if not f.name.startswith(".")} in names


def exports(folder: Path) -> Trial:
    """Two results, written into one folder in turn, for ever."""
    files = maps(folder, 2)
    results = [run(file, from_dict(PipelineSettings, SETTINGS)) for file in files]

    def write(number: int, target: Path) -> None:
        result = results[number]
        export_result(result.extraction, target, result.assessment, result.recipe)

    references = [folder / "first", folder / "second"]
    for number, reference in enumerate(references):
        write(number, reference)

    def work(target: Path) -> None:
        while True:
            for number in (0, 1):
                write(number, target)

    return Trial(work, lambda target: same_files(target, references), lambda _: False, 150)


def batches(folder: Path) -> Trial:
    """Four maps on a cluster of one worker."""
    from distributed import Client

    files = maps(folder, 4)
    settings = from_dict(PipelineSettings, SETTINGS)
    truth = {file.name: run(file, settings).extraction.kernel.values for file in files}

    @contextmanager
    def here(*_: object) -> Iterator[Client]:
        threads = {"processes": False, "n_workers": 1, "threads_per_worker": 1}
        with Client(**threads, dashboard_address="127.0.0.1:0", set_as_default=False) as client:
            yield client

    def work(target: Path) -> None:
        # Processes of a cluster end with the one that started them; threads are killed with it.
        qpi_kernel.batch.connected = here
        run_batch(files, settings, target)

    def done(target: Path) -> dict[str, Path]:
        items = qpi_kernel.batch._finished(target)
        return {item.file: target / item.folder for item in items.values()}

    def check(target: Path) -> None:
        for name, item in done(target).items():
            stored = tifffile.imread(item / "kernel.tif")[::-1]
            wrong = np.abs(stored - truth[name][0]).max()
            assert wrong < 1e-5 * np.abs(truth[name]).max(), f"{item} is wrong"
            assert len(list(item.glob("[!.]*"))) == 12, f"{item} is not whole"
        summary = target / "summary.csv"
        if summary.exists():
            assert len(summary.read_text().splitlines()) == 1 + len(files)

    return Trial(work, check, lambda target: len(done(target)) == len(files), 300)


def banks(folder: Path) -> Trial:
    """A bank of four chunks."""
    recipe = BankSettings(families=("parabolic",), count=256, size=64)
    truth = load_bank(drain(iter_make_bank(recipe, folder / "truth")))[0]

    def loaded(target: Path) -> np.ndarray | None:
        try:
            return load_bank(target)[0]
        except QpiError:
            return None

    def check(target: Path) -> None:
        kernels = loaded(target)
        assert kernels is None or np.array_equal(kernels, truth), f"{target} is wrong"

    def work(target: Path) -> None:
        drain(iter_make_bank(recipe, target))

    return Trial(work, check, lambda target: loaded(target) is not None, 60)


def trainings(folder: Path) -> Trial:
    """A training of sixteen steps with a checkpoint after each."""
    bank = BankSettings(families=("parabolic",), count=16, size=128)
    kernels = load_bank(drain(iter_make_bank(bank, folder / "bank")))[0]
    recipe = TrainSettings(
        vae_steps=16, batch=2, vae_width=16, checkpoint_every=1, large_windows=0.0
    )
    place = torch.device("cpu")
    steps = iter_train_vae(recipe, kernels, folder / "truth", place)
    truth = []
    for _ in steps:
        copy = folder / "step.safetensors"
        shutil.copy(folder / "truth" / "vae.safetensors", copy)
        truth.append(weights(copy, recipe)[1])

    def at(target: Path) -> int:
        return weights(target / "vae.safetensors", recipe)[0]

    def check(target: Path) -> None:
        step, values = weights(target / "vae.safetensors", recipe)
        assert step == 0 or torch.equal(values, truth[step - 1]), f"{target}: step {step} is wrong"

    def work(target: Path) -> None:
        drain(iter_train_vae(recipe, kernels, target, place))

    return Trial(work, check, lambda target: at(target) == recipe.vae_steps, 60)


def weights(checkpoint: Path, recipe: TrainSettings) -> tuple[int, torch.Tensor]:
    """Return step and weights of a checkpoint; a damaged one raises."""
    model = build_vae(recipe)
    step = resume(checkpoint, model, torch.optim.AdamW(model.parameters()), recipe)
    return step, torch.cat([value.flatten().float() for value in model.state_dict().values()])


KINDS = {"export": exports, "batch": batches, "bank": banks, "training": trainings}
