"""What everything costs, and how that grows. Prints the tables of docs/benchmarks-costs.md.

    python -m benchmarks.costs [--side 256] [--biases 101] [--repeats 2] [--profile]

Processor seconds of one thread, the least of the repeats, so that other programs on the machine
hardly count; a stack of all energies is extracted once, in a process of its own, whose memory is
told. Exponents are slopes of straight lines through the logarithms. With --profile the functions
that take most of a stack are listed instead.
"""

import argparse
import cProfile
import datetime
import os
import platform
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import qpi_kernel as qk
from tests.library.read.writers import grid_bytes

PITCH_NM = 0.35
SETTINGS = qk.ExtractSettings(window_nm=63 * PITCH_NM)
# Each is varied while the others stay at the one in the middle of its row.
PIXELS = (128, 181, 256, 362, 512)
BIASES = (1, 3, 11, 21, 41)
SCATTERERS = (5, 10, 20, 40, 80)
SIDE, COUNT = 128, 20
IMPORTS = {
    "import qpi_kernel": "qpi_kernel",
    "import all that an extraction needs": "qpi_kernel.extract.engine",
}


def known_map(side: int, biases: int, scatterers: int) -> qk.SimulatedMap:
    return qk.simulate_map(
        "ag111", bias_mV=np.linspace(-50, 50, biases).tolist() if biases > 1 else [0.0],
        size_nm=PITCH_NM * side, pixels=side, scatterers=scatterers, snr=10.0, seed=3,
    )  # fmt: skip


def cost_s(work: Callable[[], Any], repeats: int) -> float:
    """Return the least processor time that some work takes [s]."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def import_s(module: str, repeats: int) -> float:
    code = f"import time; s = time.process_time(); import {module}; print(time.process_time() - s)"
    command = [sys.executable, "-c", code]
    return min(
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(repeats)
    )


def peak_GiB() -> float:
    """Return the highest resident size of this process so far; Linux tells it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**20


def times(side: int, biases: int, repeats: int) -> None:
    print("| what | processor seconds |\n|---|---|")

    def tell(words: str, seconds: float) -> None:
        print(f"| {words} | {seconds:.2f} |", flush=True)

    for words, module in IMPORTS.items():
        tell(words, import_s(module, repeats))
    scatterers = round(COUNT * (side / SIDE) ** 2)
    single, stack = known_map(side, 1, scatterers), known_map(side, biases, scatterers)
    size = f"{side} x {side}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.3ds"
        curves = stack.didv.values.transpose(1, 2, 0)[:, :, None]
        path.write_bytes(grid_bytes(curves, channels="LI Demod 1 X (A)"))
        tell(f"read {size} x {biases} (.3ds)", cost_s(lambda: qk.read_file(path), repeats))
    tell(f"prepare {size} x {biases}", cost_s(lambda: qk.prepare(stack.didv), repeats))
    # The model is loaded once per process.
    qk.find_scatterers(known_map(SIDE, 1, COUNT).didv, device="cpu")
    for words, work in {
        "locate the scatterers by their cores": lambda: qk.locate_scatterers(single.didv),
        "find the scatterers": lambda: qk.find_scatterers(single.didv, SETTINGS, device="cpu"),
        "extract, positions known": lambda: extract(single),
        "extract, blind": lambda: extract(single, blind=True),
        "Wiener deconvolution, positions known": lambda: extract(single, method="wiener"),
        "sparse blind deconvolution": lambda: extract(single, blind=True, method="sbd"),
    }.items():
        tell(f"{words}, {size}", cost_s(work, repeats))
    peaks = []
    for words, blind in {"positions known": False, "blind": True}.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as own:
            seconds, peak = own.submit(stack_cost, stack, blind).result()
        tell(f"extract all energies, {size} x {biases}, {words}", seconds)
        peaks.append(f"{peak:.2f} GiB {words}")
    print(f"\nPeak memory of a process that extracts all energies: {', '.join(peaks)}.\n")


def stack_cost(known: qk.SimulatedMap, blind: bool) -> tuple[float, float]:
    """Return processor seconds and peak memory [GiB] of an extraction in this process."""
    torch.set_num_threads(1)
    return cost_s(lambda: extract(known, blind=blind), 1), peak_GiB()


def extract(
    known: qk.SimulatedMap, *, blind: bool = False, method: str = "aligned"
) -> qk.Extraction:
    settings = replace(SETTINGS, method=method)
    return qk.extract_kernel(
        known.didv, None if blind else known.scatterers, settings, device="cpu"
    )


def growth(words: str, numbers: tuple[int, ...], maps: Callable[[int], Any], repeats: int) -> None:
    """Print the cost over one size of the problem, with the exponent."""
    seconds = []
    for number in numbers:
        known = maps(number)
        seconds.append(cost_s(lambda known=known: extract(known), repeats))
        print(f"| {words} | {number} | {seconds[-1]:.2f} | |", flush=True)
    counts = np.square(numbers) if words == "side (px)" else numbers
    slope = np.polyfit(np.log(counts), np.log(seconds), 1)[0]
    what = "pixels" if words == "side (px)" else words
    print(f"| cost ~ {what}^n | | | n = {slope:.2f} |", flush=True)


def profile(side: int, biases: int) -> None:
    known = known_map(side, biases, round(COUNT * (side / SIDE) ** 2))
    profiler = cProfile.Profile()
    profiler.runcall(extract, known)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--biases", type=int, default=101)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.profile:
        profile(chosen.side, chosen.biases)
        return
    print(
        f"`benchmarks/costs.py`, {datetime.date.today():%-d %B %Y}: {os.cpu_count()} cores"
        f" ({platform.machine()}) at a load of {os.getloadavg()[2]:.1f}, Python"
        f" {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}\n"
    )
    times(chosen.side, chosen.biases, chosen.repeats)
    print("| size | | processor seconds | exponent |\n|---|---|---|---|")
    growth("side (px)", PIXELS, lambda side: known_map(side, 1, COUNT), chosen.repeats)
    growth("biases", BIASES, lambda biases: known_map(SIDE, biases, COUNT), chosen.repeats)
    growth("scatterers", SCATTERERS, lambda count: known_map(SIDE, 1, count), chosen.repeats)


if __name__ == "__main__":
    main()
