"""Do real maps of one surface give one kernel? Prints edges and agreements as a Markdown table.

    python benchmarks/real_maps.py DATA [--method aligned] [--picture docs/real-maps.png]

DATA is the folder with cu111/ and fese/. Cu(111): a field, its repeat five hours later and the
field beside it, each extracted on its own, scatterers found by the program; beside them the disc of
the published surface state, and what the atoms in the files, where they show, say of their lengths.
FeSe: the forward and the backward trace of one scan. The picture shows what went in and came out.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import qpi_kernel as qk
from qpi_kernel.figures import MARKS
from qpi_kernel.panels import colour_range, fft_panel, map_panel
from qpi_kernel.simulate import MATERIALS

CU111 = {"field": "A200621.160730", "repeat": "A200621.210648", "neighbour": "A200621.211052"}
# Topographs at this bias; distance of the atoms of Cu(111): a / sqrt(2), a = 0.36149 nm.
BIAS_mV, ATOMS_NM = 100.0, 0.2556
FESE = {"forward": "LIY 1 omega (A)", "backward": "LIY 1 omega [bwd] (A)"}
# Half the width of the transforms in the picture [1/nm].
REACH = 8.0


def extracted(path: Path, channel: str | None, method: str) -> tuple[qk.Extraction, str]:
    didv = qk.prepare(qk.select_didv(qk.read_file(path), channel))
    start = time.perf_counter()
    result = qk.extract_kernel(didv, settings=qk.ExtractSettings(method=method))
    seconds = time.perf_counter() - start
    verdict = qk.assess(result).verdict
    side = result.kernel.sizes["x"] * float(result.kernel["x"][1] - result.kernel["x"][0])
    edge = float(qk.half_rim_q(result.kernel)[0])
    return result, (
        f"{len(result.scatterers)} | {side:.1f} | {edge:.2f} | {verdict} | {seconds:.1f} |"
    )


def published_disc(kernel: xr.DataArray) -> float:
    """Return half of the rim of the published band, integrated as a topograph does [1/nm]."""
    own = {"y_nm": kernel["y"].values, "x_nm": kernel["x"].values}
    energies = np.linspace(0, BIAS_mV, 51)[1:]
    ripples = qk.simulate_kernel("cu111", bias_mV=energies, **own)
    disc = qk.make_map(ripples.values.mean(0), bias_mV=[BIAS_mV], **own)
    return float(qk.half_rim_q(disc)[0])


def scale_by_atoms(path: Path) -> float:
    """Return by how much the atoms say that lengths in the file must grow."""
    topograph = qk.select_didv(qk.read_file(path))
    peaks = qk.find_bragg_peaks(topograph, "hexagonal", ATOMS_NM)
    return float(np.sqrt(np.linalg.det(qk.lattice_matrix(peaks, "hexagonal", ATOMS_NM))))


def draw(axes: Sequence[Axes], name: str, result: qk.Extraction) -> None:
    """Draw map and scatterers, reconstruction and residual on its colours, kernel and transform."""
    low, high = colour_range(result.didv.values)
    half = (high - low) / 2
    for panel, title, field, limits in (
        (axes[0], name, result.didv, (low, high)),
        (axes[1], "reconstruction", result.reconstruction, (low, high)),
        (axes[2], "residual", result.residual, (-half, half)),
    ):
        map_panel(panel, field, title, "", "gray", limits, colour_bar=False)
    axes[0].scatter(*result.scatterers.xy_nm.T, s=26, facecolors="none", edgecolors=MARKS[0])
    axes[0].set(xlim=result.didv["x"].values[[0, -1]], ylim=result.didv["y"].values[[0, -1]])
    swing = max(abs(value) for value in colour_range(result.kernel.values))
    map_panel(axes[3], result.kernel, "kernel", "", "RdBu_r", (-swing, swing), colour_bar=False)
    fft_panel(axes[4], qk.kernel_fft(result.kernel, pad=2), REACH, "|F|", colour_bar=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--method", default="aligned", choices=["aligned", "wiener", "average"])
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    print("| map | scatterers | window (nm) | half of the rim (1/nm) | verdict | seconds |")
    print("|---|---|---|---|---|---|")
    groups: dict[str, dict[str, qk.Extraction]] = {"Cu(111)": {}, "FeSe": {}}
    for name, stem in CU111.items():
        path = arguments.data / "cu111" / f"{stem}.dat"
        groups["Cu(111)"][name], row = extracted(path, None, arguments.method)
        print(f"| Cu(111) {name} | {row}")
    field = groups["Cu(111)"]["field"]
    print(f"| Cu(111) as published | | | {published_disc(field.kernel):.2f} | | |")
    for name, channel in FESE.items():
        path = arguments.data / "fese" / "FeSe_topography.sxm"
        groups["FeSe"][name], row = extracted(path, channel, arguments.method)
        print(f"| FeSe {name} | {row}")
    print("\n| kernels | similarity, 1 to 6 1/nm |\n|---|---|")
    for group, results in groups.items():
        for (a, first), (b, second) in itertools.combinations(results.items(), 2):
            value = float(qk.band_similarity(first.kernel, second.kernel, (1.0, 6.0))[0])
            print(f"| {group}: {a} and {b} | {value:.3f} |")
    ring, source = MATERIALS["cu111"].ring_q(BIAS_mV / 1e3), MATERIALS["cu111"].source
    scales = [scale_by_atoms(arguments.data / "cu111" / f"{stem}.dat") for stem in CU111.values()]
    print(f"\nCu(111): 2k = {ring:.2f} 1/nm at {BIAS_mV:+g} meV ({source}); by their Bragg peaks")
    print(f"lengths in the files grow by factors of {', '.join(f'{s:.2f}' for s in scales)}.")
    if arguments.picture:
        named = {f"{g} {name}": r for g, rs in groups.items() for name, r in rs.items()}
        figure = Figure(figsize=(11, 2.35 * len(named)), layout="constrained", facecolor="white")
        for axes, (name, result) in zip(figure.subplots(len(named), 5), named.items(), strict=True):
            draw(axes, name, result)
        figure.savefig(arguments.picture, dpi=64)


if __name__ == "__main__":
    main()
