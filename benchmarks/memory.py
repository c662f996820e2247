"""How much memory does a grid larger than most take? Prints a Markdown table; see docs/batch.md.

    python -m benchmarks.memory [--points 512] [--biases 401] [--method average]

Writes a Nanonis grid (.3ds, one channel) to a temporary folder, extracts its kernels at all biases
with given positions in a process of its own, and exports them. Peak memory is the highest resident
size of that process, libraries included. Needs Linux.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from qpi_kernel import Scatterers, save_scatterers
from tests.library.read.writers import grid_bytes

PITCH_NM = 0.25
REACH_NM = 20.0
SCATTERERS = 20

RUN = """
import json, sys, time
from pathlib import Path
from qpi_kernel import PipelineSettings, run
from qpi_kernel.recipes import export_run
from qpi_kernel.settings import from_dict
path, settings = Path(sys.argv[1]), from_dict(PipelineSettings, json.loads(sys.argv[2]))
# VmHWM is the peak of this process; ru_maxrss would remember that of its parent.
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**20
def stage(words, work):
    start = time.process_time()
    result = work()
    print(f"| {words} | {peak():.2f} | {time.process_time() - start:.0f} |", flush=True)
    return result
import torch, xarray
stage("PyTorch and xarray loaded", lambda: None)
result = stage("kernels of all biases", lambda: run(path, settings))
stage("exported", lambda: export_run(result, path, path.parent / "out"))
"""


def grid(path: Path, points: int, biases: int) -> None:
    """Write ripples about scatterers, their wavelength falling with the bias, and noise."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, PITCH_NM * points, (SCATTERERS, 2))
    save_scatterers(Scatterers(xy), path.with_suffix(".csv"))
    axis = PITCH_NM * np.arange(points)
    stack = rng.normal(size=(biases, points, points)).astype(np.float32)
    for x, y in xy:
        r = np.hypot(axis[:, None] - y, axis - x).astype(np.float32)
        near = r < REACH_NM
        envelope = 3 * np.exp(-r[near] / 6) / np.sqrt(1 + r[near])
        for image, q in zip(stack, np.linspace(1.5, 3.0, biases), strict=True):
            image[near] += envelope * np.cos(np.float32(q) * r[near])
    curves = stack.transpose(1, 2, 0)[:, :, None]
    pitch = (PITCH_NM, PITCH_NM)
    path.write_bytes(grid_bytes(curves, channels="LI Demod 1 X (A)", pitch_nm=pitch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=512, help="along each side")
    parser.add_argument("--biases", type=int, default=401)
    parser.add_argument("--method", default="average")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.3ds"
        grid(path, chosen.points, chosen.biases)
        print(
            f"`benchmarks/memory.py`, {datetime.date.today():%-d %B %Y}: {chosen.points} x"
            f" {chosen.points} points, {chosen.biases} biases, {path.stat().st_size / 2**20:.0f}"
            f" MiB; {SCATTERERS} scatterers given, method {chosen.method}; {os.cpu_count()} cores"
            f" ({platform.machine()}), Python {platform.python_version()}\n"
        )
        print("| | peak memory so far (GiB) | processor seconds |\n|---|---|---|", flush=True)
        settings = {
            "all_biases": True,
            "device": "cpu",
            "scatterers_file": str(path.with_suffix(".csv")),
            "extract": {"method": chosen.method, "window_nm": 64.0, "samples": 4},
        }
        command = [sys.executable, "-c", RUN, str(path), json.dumps(settings)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
