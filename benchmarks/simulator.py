"""How fast are simulated kernels? Prints Markdown tables; see docs/benchmarks-simulator.md.

    python benchmarks/simulator.py [--device cpu|cuda] [--batch 8]

Times are CPU seconds of one core (on a GPU seconds), which other programs on the machine do not
change; the least of three runs, first calls left out.
"""

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import scipy
import torch

from qpi_kernel.simulate import simulate_kernel
from qpi_kernel.simulate.crystals import bi2212, pnictide
from qpi_kernel.simulate.green import cells_per_nm, torus_length
from qpi_kernel.simulate.impurity import Impurity, impurity_kernel
from qpi_kernel.simulate.mass_production import lattice_kernels
from qpi_kernel.simulate.superconductor import d_wave, nambu, s_plus_minus, scalar_impurity
from qpi_kernel.simulate.tight_binding import (
    TightBinding,
    honeycomb_lattice,
    rectangular_lattice,
    square_lattice,
    triangular_lattice,
)
from qpi_kernel.simulate.tmatrix import lattice_kernel

AXIS = 0.2 * np.arange(-128, 128)
PIXELS = np.arange(128.0) - 64


def seconds(work: Callable[[], object], device: str = "cpu") -> float:
    clock = time.process_time if device == "cpu" else time.perf_counter
    work()
    times = []
    for _ in range(3):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def single_kernels() -> None:
    """One kernel of 256 x 256 px, 51 nm wide, on tori as long as the waves live."""
    point = Impurity(((0, 0, 0),), [[0.2]])
    superconductor, pairs = nambu(bi2212(), d_wave(0.025)), nambu(pnictide(), s_plus_minus(0.01, 2))
    crystals: tuple[tuple[str, TightBinding, Impurity, float, float, float | None], ...] = (
        ("one orbital, square", square_lattice(0.4, -0.1), point, 0.05, 0.002, 1.0),
        ("one orbital, Bi-2212", bi2212(), point, 0.01, 0.005, 1.0),
        ("two orbitals, pnictide", pnictide(), point, 0.02, 0.005, None),
        ("2 x 2 BdG, Bi-2212, d wave", superconductor, scalar_impurity(0.1), 0.01, 0.002, None),
        ("4 x 4 BdG, pnictide, s+-", pairs, scalar_impurity(0.2, 0, 2), 0.02, 0.004, 10.0),
    )
    print("| kernel, 256 x 256 px, 51 nm | eta (meV) | torus (cells) | seconds | goal |")
    print("|---|---|---|---|---|")
    for name, material in (("parabolic band, Ag(111)", "ag111"), ("Rashba band, Au(111)", "au111")):
        spent = seconds(lambda m=material: simulate_kernel(m, bias_mV=[50], y_nm=AXIS, x_nm=AXIS))
        print(f"| {name} | | | {spent:.3f} | 0.1 |")
    for name, model, impurity, energy, eta, goal in crystals:
        reach = float(np.hypot(AXIS[0], AXIS[0]))
        cells = torus_length(model, energy, eta, 2 * reach) * cells_per_nm(model)
        spent = seconds(
            lambda m=model, i=impurity, e=energy, b=eta: impurity_kernel(
                m, i, AXIS, AXIS, e, broadening_eV=b, wannier_nm=0.15
            )
        )
        print(f"| {name} | {1e3 * eta:g} | {cells:.0f}^2 | {spent:.2f} | {goal or ''} |")


def mixed_batch(device: str, size: int) -> None:
    """Random kernels of 128 x 128 px as a network learns from: four kinds of crystals."""
    draw = np.random.default_rng(1)
    kinds = {
        "square": lambda: square_lattice(draw.uniform(2.5, 6), -1.0, draw.uniform(-0.4, 0.4)),
        "triangular": lambda: triangular_lattice(
            draw.uniform(2.5, 6), -1.0, draw.uniform(-0.3, 0.3)
        ),
        "rectangular": lambda: rectangular_lattice(tuple(draw.uniform(2.5, 6, 2)), (-1.0, -0.6)),
        "honeycomb": lambda: honeycomb_lattice(draw.uniform(3.5, 7), -1.0, draw.uniform(0, 0.4)),
    }
    print("| batch, 128 x 128 px | NumPy float64, kernels/s | torch complex64, kernels/s | gain |")
    print("|---|---|---|---|")
    total = np.zeros(2)
    for name, make in kinds.items():
        models = [make() for _ in range(size)]
        n = models[0].orbital_count
        options = {
            "energy_eV": draw.uniform(-1.5, 1.5, size),
            "potential_eV": draw.uniform(0.5, 5, (size, 1, 1)) * np.diag(np.eye(n)[0]),
            "broadening_eV": draw.uniform(0.05, 0.3, size),
            "wannier_nm": draw.uniform(1.0, 1.8, size),
            "angle_deg": draw.uniform(0, 360, size),
        }

        def one_by_one(models=models, options=options) -> None:
            for i, model in enumerate(models):
                one = {key: values[i] for key, values in options.items()}
                lattice_kernel(model, PIXELS, PIXELS, mesh=96, **one)

        def together(models=models, options=options) -> torch.Tensor:
            return lattice_kernels(models, PIXELS, PIXELS, device=device, **options).cpu()

        spent = np.array([seconds(one_by_one), seconds(together, device)])
        total += spent
        print(
            f"| {name} | {size / spent[0]:.1f} | {size / spent[1]:.1f} |"
            f" {spent[0] / spent[1]:.1f} |"
        )
    rate = len(kinds) * size / total
    print(f"| all four | {rate[0]:.1f} | {rate[1]:.1f} | {rate[1] / rate[0]:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"`benchmarks/simulator.py`, {datetime.date.today():%d %B %Y}: CPU seconds of one of"
        f" {os.cpu_count()} cores ({platform.machine()}), torch on {arguments.device}; Python"
        f" {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}, torch"
        f" {torch.__version__}.\n"
    )
    single_kernels()
    print()
    mixed_batch(arguments.device, arguments.batch)


if __name__ == "__main__":
    main()
