"""Kill -9 at random moments of export, batch, bank and training: is anything wrong afterwards?

    python benchmarks/kills.py [--export 80] [--batch 60] [--bank 30] [--training 30] [--seed 0]

Each trial forks a process and kills it, by turns at a random time and just before a random change
to a file, since the moments between two changes are short. All that it left is compared with what
an undisturbed run makes; the next process goes on in the same folder. Needs a system that forks.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
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

LONGEST_S = 60.0
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


CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: a fork takes no others along, and would wait for them for ever."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def killed(
    work: Callable[[Path], None],
    folder: Path,
    after_s: float = LONGEST_S,
    after_changes: int | None = None,
) -> bool:
    """Run work in a process and kill it; return whether it was still at work."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with Path(os.devnull).open("w") as nothing:
                os.dup2(nothing.fileno(), 2)
            if after_changes is not None:
                _kill_before_change(folder, after_changes)
            work(folder)
            status = 0
        finally:
            os._exit(status)
    give_up = time.monotonic() + after_s
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < give_up:
        time.sleep(0.005)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("the work failed by itself")
    return os.WIFSIGNALED(status)


def _kill_before_change(folder: Path, number: int) -> None:
    left = number

    def hook(event: str, details: tuple[object, ...]) -> None:
        nonlocal left
        if event in CHANGES and str(folder) in str(details[0]):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


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


def kill_often(kind: str, count: int, folder: Path, rng: random.Random) -> tuple[int, int]:
    """Kill one kind of work `count` times; return how often, and how often it had finished.

    Raises
    ------
    AssertionError
        If something that was left reads as valid but is wrong.
    """
    folder.mkdir()
    with one_thread():
        return _kill_often(KINDS[kind](folder), count, folder, rng, endless=kind == "export")


def _kill_often(
    trial: Trial, count: int, folder: Path, rng: random.Random, *, endless: bool
) -> tuple[int, int]:
    start = time.monotonic()
    survived = killed(trial.work, folder / "timed", after_s=4.0 if endless else LONGEST_S)
    duration = time.monotonic() - start
    assert survived == endless, f"the work takes longer than {LONGEST_S} s"
    kills = finished = 0
    target = folder / "target0"
    while kills < count:
        target.mkdir(exist_ok=True)
        if kills % 2:
            kills += killed(trial.work, target, after_changes=rng.randrange(trial.changes))
        else:
            kills += killed(trial.work, target, after_s=rng.uniform(0, duration))
        trial.check(target)
        if trial.finished(target):
            finished += 1
            shutil.rmtree(target)
            target = folder / f"target{finished}"
    return kills, finished


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for kind, count in (("export", 80), ("batch", 60), ("bank", 30), ("training", 30)):
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    chosen = vars(parser.parse_args())
    rng = random.Random(chosen.pop("seed"))
    print("| work | kills | finished in spite of them | wrong |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for kind, count in chosen.items():
            kills, finished = kill_often(kind, count, Path(folder) / kind, rng)
            print(f"| {kind} | {kills} | {finished} | 0 |", flush=True)


if __name__ == "__main__":
    main()
