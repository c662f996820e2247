"""How much of the truth lies in the 90 % band, on maps of the families that training knew?

    python benchmarks/coverage.py [--scenes 8] [--seed 9876]

Prints, for each SNR and overlap, medians over the scenes of the share of pixels outside the core
whose truth lies in the band, and of the factor by which the band would have to be wider to hold
90 % of them. The factor of blind extractions is what `FOUND` in
`qpi_kernel/extract/uncertainty.py` was set by; the families held out had no part in it.
"""

import argparse

import numpy as np

from qpi_kernel import extract_kernel
from qpi_kernel.errors import QpiError
from qpi_kernel.evaluate.measures import BAND, outside_core
from qpi_kernel.evaluate.scenes import OVERLAPS, SNRS, WINDOW_NM, draw_scene
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.simulate.families import FAMILIES, HELD_OUT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=8, help="per SNR and overlap")
    parser.add_argument("--seed", type=int, default=9876)
    chosen = parser.parse_args()
    families = [family for family in FAMILIES if family not in HELD_OUT]
    rng = np.random.default_rng(chosen.seed)
    settings = ExtractSettings(window_nm=WINDOW_NM)
    print("| SNR | overlap | known: in the band | factor | blind: in the band | factor |")
    print("|---|---|---|---|---|---|", flush=True)
    for snr in SNRS:
        for overlap in OVERLAPS:
            found: list[list[tuple[float, float]]] = [[], []]
            for number in range(chosen.scenes):
                seed = (chosen.seed, number, round(1000 * snr), tuple(OVERLAPS).index(overlap))
                scene = draw_scene(str(rng.choice(families)), snr, overlap, seed)
                for rows, points in zip(found, (scene.told, None), strict=True):
                    try:
                        result = extract_kernel(scene.didv, points, settings, "cpu")
                    except QpiError:
                        continue
                    outside = outside_core(scene.truth.sizes["x"])
                    error = (result.kernel.values[0] - scene.truth.values[0])[outside]
                    sizes = np.abs(error - error.mean()) / result.spread.values[0][outside]
                    rows.append((np.mean(sizes <= BAND), np.quantile(sizes, 0.9) / BAND))
            cells = [f"{value:.2f}" for rows in found for value in np.median(rows, axis=0)]
            print(f"| {snr:g} | {overlap} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
