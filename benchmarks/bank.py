"""How fast are kernels to learn from drawn, and read? Prints the tables of docs/benchmarks-bank.md.

    python benchmarks/bank.py [--draws 24] [--kernels 1600] [--workers 2]

Times per family are CPU seconds of one core, which other programs on the machine do not change;
that of a bank is the time on the clock.
"""

import argparse
import datetime
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy

from qpi_kernel.progress import drain
from qpi_kernel.simulate.bank import (
    BankSettings,
    iter_make_bank,
    load_bank,
    ripple_wavelength_px,
)
from qpi_kernel.simulate.families import FAMILIES, HELD_OUT, draw_kernel

SIZE = 128
BATCH, BATCHES = 32, 200


def families(draws: int) -> None:
    print(
        f"| family | ms per kernel of {SIZE} px | ripple wavelength (px): 10 %, median, 90 % | "
        "held out |\n|---|---|---|---|"
    )
    every = []
    for name in FAMILIES:
        draw_kernel(name, np.random.default_rng(0), SIZE)
        start = time.process_time()
        kernels = [draw_kernel(name, np.random.default_rng([1, n]), SIZE) for n in range(draws)]
        spent = 1e3 * (time.process_time() - start) / draws
        every.append(spent)
        low, middle, high = np.quantile(
            [ripple_wavelength_px(kernel) for kernel in kernels], [0.1, 0.5, 0.9]
        )
        held_out = "yes" if name in HELD_OUT else ""
        print(f"| {name} | {spent:.1f} | {low:.1f}, {middle:.1f}, {high:.1f} | {held_out} |")
    print(f"| mean | {np.mean(every):.1f} | | |\n")


def bank(count: int, workers: int) -> None:
    recipe = BankSettings(families=tuple(FAMILIES), count=count, size=SIZE, seed=5)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bank"
        start = time.perf_counter()
        drain(iter_make_bank(recipe, folder, workers))
        made = time.perf_counter() - start
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        start = time.perf_counter()
        kernels, _ = load_bank(folder)
        loaded = time.perf_counter() - start
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(BATCHES):
        np.asarray(kernels[np.sort(rng.integers(0, count, BATCH))], np.float32)
    picked = (time.perf_counter() - start) / BATCHES
    print("| bank of all families | |\n|---|---|")
    print(f"| kernels | {count} |")
    print(f"| workers | {workers} |")
    print(f"| kernels per second | {count / made:.1f} |")
    print(f"| kB per kernel | {size / count / 1e3:.1f} |")
    print(f"| MB per second read into memory | {size / loaded / 1e6:.0f} |")
    print(f"| ms for {BATCH} random kernels then | {1e3 * picked:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--kernels", type=int, default=1600)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    print(
        f"{datetime.date.today()}, {os.cpu_count()} cores ({platform.machine()}), Python"
        f" {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}\n"
    )
    families(arguments.draws)
    bank(arguments.kernels, arguments.workers)


if __name__ == "__main__":
    main()
