"""Kill -9 at random moments of export, batch, bank and training: is anything wrong afterwards?

    python -m benchmarks.kills [--export 80] [--batch 60] [--bank 30] [--training 30] [--seed 0]

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
from pathlib import Path

import torch

from benchmarks.killed_work import KINDS, Trial

LONGEST_S = 60.0
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
