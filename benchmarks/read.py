"""How fast is a large grid read, and how much memory does that take? Prints a Markdown table.

    python -m benchmarks.read [--points 256] [--biases 101] [--channels 4]

Writes a Nanonis grid (.3ds) of noise to a temporary folder and reads it in a process of its own:
at once, and lazily (the values stay on disk, one slice is loaded). Peak memory is the highest
resident size above that of the idle process, in sizes of the file.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.library.read.writers import grid_bytes

# VmHWM is the peak of this process on Linux; ru_maxrss would remember that of its parent.
READ = """
import sys, time
from pathlib import Path
import qpi_kernel.read, dask.array
path, lazy = sys.argv[1], sys.argv[2] == "lazily"
status = lambda: Path("/proc/self/status").read_text()
peak = lambda: 1024 * int(status().split("VmHWM:")[1].split()[0])
before, start, cpu = peak(), time.perf_counter(), time.process_time()
dataset = qpi_kernel.read.read_file(path, lazy=lazy)
if lazy:
    next(iter(dataset.values())).isel(bias=50).load()
print(time.perf_counter() - start, time.process_time() - cpu, peak() - before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=256, help="along each side")
    parser.add_argument("--biases", type=int, default=101)
    parser.add_argument("--channels", type=int, default=4)
    arguments = parser.parse_args()
    shape = (arguments.points, arguments.points, arguments.channels, arguments.biases)
    curves = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    names = ";".join(f"LI Demod {i + 1} X (A)" for i in range(arguments.channels))
    print(f"{arguments.points} x {arguments.points} points, {arguments.biases} biases, ", end="")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.3ds"
        path.write_bytes(grid_bytes(curves, channels=names))
        size = path.stat().st_size
        print(f"{arguments.channels} channels, {size / 1e6:.0f} MB\n")
        print(
            "| read | seconds (best of 3) | of them CPU | peak memory / file |\n|---|---|---|---|"
        )
        for how in ("at once", "lazily"):
            runs = []
            for _ in range(3):
                command = [sys.executable, "-c", READ, str(path), how]
                words = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                runs.append([float(word) for word in words.split()])
            seconds, cpu, peak = np.min(runs, axis=0)
            print(f"| {how} | {seconds:.2f} | {cpu:.2f} | {peak / size:.2f} |")


if __name__ == "__main__":
    main()
