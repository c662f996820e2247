"""A batch with one worker, with two, and with one of two dying half-way; see docs/batch.md.

    python benchmarks/batch.py [--maps 100] [--pixels 96] [--method aligned]

Prints a Markdown table: seconds on the clock and of the processors, and the largest deviation of a
kernel from that of a serial run over its largest value; stderr shows how far it is. The scheduler
and its workers are processes of their own that are reached over loopback TCP; starting them takes
processor time, but the clock runs without it. Processor time needs a system that counts that of its
children (not Windows).
"""

import argparse
import datetime
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
import torch

from qpi_kernel import run, simulate_map, write_map
from qpi_kernel.batch import iter_batch
from qpi_kernel.batch_summary import BatchItem
from qpi_kernel.pipeline import PipelineSettings
from qpi_kernel.progress import Progress, drain
from qpi_kernel.settings import from_dict

PATIENCE_S = 240.0


@contextmanager
def scheduler_elsewhere(
    folder: Path, workers: int
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a dask scheduler and workers as somebody else would; give its address and them."""
    from distributed import Client

    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    dask = [sys.executable, "-m", "dask"]
    options = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    commands = [[*dask, "scheduler", *options, "--port", "0"]]
    commands += workers * [[*dask, "worker", *options, "--no-nanny", "--nthreads", "1"]]
    nothing = subprocess.DEVNULL
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    # In groups of their own, since a loaded machine may share its time between groups of processes.
    started = [
        subprocess.Popen(
            command, cwd=folder, stdout=nothing, stderr=nothing, env=one_thread,
            start_new_session=True,
        )
        for command in commands
    ]  # fmt: skip
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not (file.exists() and file.read_text().endswith("}")):
            assert time.monotonic() < give_up, "the scheduler does not start"
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with Client(address, timeout=PATIENCE_S, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=PATIENCE_S)
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def batch(
    files: Sequence[Path],
    settings: PipelineSettings,
    out: Path,
    address: str,
    dying: subprocess.Popen[bytes] | None = None,
    when: float = 0.5,
) -> tuple[list[BatchItem], float]:
    """Run a batch and return its items and seconds; kill -9 a worker when a share is done."""

    def watch(step: Progress) -> None:
        tell(f"{step.fraction:4.0%} {step.message}")
        if dying is not None and step.fraction > when and dying.poll() is None:
            dying.send_signal(signal.SIGKILL)
            dying.wait()

    start = time.monotonic()
    items = drain(iter_batch(files, settings, out, scheduler=address), watch)
    assert dying is None or dying.poll() is not None, "no worker died"
    return items, time.monotonic() - start


def deviation(items: Sequence[BatchItem], out: Path, truth: Sequence[np.ndarray]) -> float:
    """Return how far the kernels of a batch are from others, over their largest values."""
    assert [item.error for item in items] == [""] * len(truth)
    return max(
        float(np.abs(tifffile.imread(out / item.folder / "kernel.tif")[::-1] - kernel).max())
        / float(np.abs(kernel).max())
        for item, kernel in zip(items, truth, strict=True)
    )


def maps(folder: Path, count: int, pixels: int) -> list[Path]:
    """Write simulated maps of one bias with ten scatterers each."""
    files = []
    for seed in range(count):
        known = simulate_map(
            "ag111", bias_mV=[0.0], size_nm=0.35 * pixels, pixels=pixels, snr=20.0, seed=seed,
            scatterers=10,
        )  # fmt: skip
        files.append(write_map(known.didv, folder / f"map{seed:03d}.npz"))
    return files


def processor_s() -> float:
    """Return the processor time of this process and of the children that have ended [s]."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def tell(words: str) -> None:
    """Show how far it is, in one line."""
    print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def row(words: str, seconds: float, processor: float, done: int, wrong: str = "") -> None:
    load = os.getloadavg()[0]
    tell("")
    print(
        f"| {words} | {seconds:.0f} | {processor:.0f} | {load:.1f} | {done} | {wrong} |", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=int, default=100)
    parser.add_argument("--pixels", type=int, default=96)
    parser.add_argument("--method", default="aligned")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    settings = from_dict(
        PipelineSettings, {"device": "cpu", "extract": {"method": chosen.method, "samples": 4}}
    )
    print(
        f"`benchmarks/batch.py`, {datetime.date.today():%-d %B %Y}: {chosen.maps} simulated maps of"
        f" Ag(111), {chosen.pixels} x {chosen.pixels} px, scatterers found in the map, method"
        f" {chosen.method}; {os.cpu_count()} cores ({platform.machine()}), Python"
        f" {platform.python_version()}, PyTorch {torch.__version__}.\n"
    )
    print(
        "| run | seconds | processor seconds | load at its end | finished | deviation from serial |"
        "\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = maps(folder, chosen.maps, chosen.pixels)
        start, used = time.monotonic(), processor_s()
        truth = []
        for file in files:
            tell(f"serial: {file.name}")
            truth.append(run(file, settings).extraction.kernel.values[0])
        row("serial, nothing written", time.monotonic() - start, processor_s() - used, len(truth))
        for words, workers, death in (
            ("1 worker", 1, False),
            ("2 workers", 2, False),
            ("2 workers, one killed half-way", 2, True),
        ):
            out, used = folder / words, processor_s()
            with scheduler_elsewhere(folder, workers) as (address, processes):
                dying = processes[-1] if death else None
                items, seconds = batch(files, settings, out, address, dying)
            done = sum(not item.error for item in items)
            wrong = f"{deviation(items, out, truth):.1e}"
            row(words, seconds, processor_s() - used, done, wrong)


if __name__ == "__main__":
    main()
