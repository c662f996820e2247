"""Is the verdict right? Prints how noise, wrong positions and good scenes are judged, in Markdown.

    python benchmarks/verdicts.py FOLDER [--scenes 100] [--seed 7] [--families model]

Maps of 128 x 128 px (0.25 nm each), prepared and extracted with the settings that users get.
noise: no scatterer, white in one half of the maps and as noisy as a lab in the other. shuffled:
a good scene whose positions were thrown anew. good: SNR 2 to 20, 8 to 40 scatterers of a random
family, positions wrong by 0.3 px, lab nuisances. Each map is extracted with positions given and
blind (but for shuffled ones); of the good ones those whose blind kernel is right or wrong are told
apart, too. What is done already is read from FOLDER/verdicts-SEED.jsonl, so that a run that was cut
goes on where it stopped.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import qpi_kernel as qk
from qpi_kernel.learn.model import load_model
from qpi_kernel.simulate.families import FAMILIES, draw_kernel
from qpi_kernel.simulate.material import Defect
from qpi_kernel.simulate.materials import MATERIALS
from qpi_kernel.simulate.nuisance import REALISM, spoiled

PIXELS, PIXEL_NM = 128, 0.25
# Kernels at least as similar to the truth are right, and those below LOST are wrong.
ALIKE, LOST = 0.9, 0.8
SIZE_NM = PIXELS * PIXEL_NM
KINDS = (
    ("noise", "given"), ("noise", "blind"), ("shuffled", "given"), ("good", "given"),
    ("good", "blind"),
)  # fmt: skip


def good_scene(rng: np.random.Generator, family: str) -> tuple[qk.SimulatedMap, float]:
    """Return a map of a random kernel, and its SNR."""
    drawn = draw_kernel(family, rng, 2 * PIXELS + 1)
    defect = Defect(lambda y, x, e: drawn, "C1")
    material = replace(MATERIALS["ag111"], name=family, band=None, scatterers={family: defect})
    snr = float(np.exp(rng.uniform(math.log(2), math.log(20))))
    scene = qk.simulate_map(
        material, bias_mV=[0.0], size_nm=SIZE_NM, pixels=PIXELS, snr=snr, nuisance="lab",
        scatterers=round(float(np.exp(rng.uniform(math.log(8), math.log(40))))),
        weight_spread=0.2, seed=int(rng.integers(2**31)),
    )  # fmt: skip
    return scene, snr


def noise_map(rng: np.random.Generator, lab: bool) -> Any:
    white = rng.normal(size=(1, PIXELS, PIXELS))
    values = spoiled(REALISM["lab"], white, PIXEL_NM, int(rng.integers(2**31))) if lab else white
    axis = PIXEL_NM * np.arange(PIXELS)
    return qk.make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)


def true_similarity(result: qk.Extraction, scene: qk.SimulatedMap) -> float:
    """Return how alike kernel and truth are where the ripples are, 4.5 to 40 px long."""
    band = (2 * math.pi / (40 * PIXEL_NM), 2 * math.pi / (4 * PIXEL_NM))
    return float(qk.band_similarity(result.kernel, scene.kernel, band)[0])


def judge(kind: str, positions: str, index: int, seed: int, families: tuple[str, ...]) -> Any:
    """Extract one map and return all that is known of it."""
    rng = np.random.default_rng([seed, index, [name for name, _ in KINDS].index(kind)])
    family = families[index % len(families)]
    entry: dict[str, Any] = {"kind": kind, "positions": positions, "index": index}
    scene = None
    if kind == "noise":
        didv = noise_map(rng, lab=index % 2 == 1)
        points = qk.Scatterers(rng.uniform(1, SIZE_NM - 1, (int(rng.integers(8, 41)), 2)))
    else:
        scene, entry["snr"] = good_scene(rng, family)
        didv, xy = scene.didv, scene.scatterers.xy_nm
        xy = xy[np.all((xy > 0) & (xy < SIZE_NM), axis=1)]
        entry |= {"family": family, "scatterers": len(xy)}
        points = qk.Scatterers(
            rng.uniform(0, SIZE_NM, xy.shape)
            if kind == "shuffled"
            else xy + 0.3 * PIXEL_NM / math.sqrt(2) * rng.normal(size=xy.shape)
        )
    start = time.perf_counter()
    try:
        result = qk.extract_kernel(
            qk.prepare(didv), points if positions == "given" else None, device="cpu"
        )
    except qk.QpiError as error:
        return entry | {"verdict": "refused", "reasons": [str(error)]}
    seconds = time.perf_counter() - start
    assessment = qk.assess(result)
    if scene is not None:
        entry["similarity"] = true_similarity(result, scene)
    return entry | {
        "verdict": assessment.verdict, "reasons": assessment.reasons, "seconds": seconds,
        "found": len(result.scatterers),
        "numbers": {name: values[0] for name, values in assessment.numbers.items()},
    }  # fmt: skip


def entries(
    file: Path, scenes: int, seed: int, families: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Yield what is in the file, then what is not yet, and write that down."""
    known = {}
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            known[entry["kind"], entry["positions"], entry["index"]] = entry
    for index in range(scenes):
        for kind, positions in KINDS:
            entry = known.get((kind, positions, index))
            if entry is None:
                entry = judge(kind, positions, index, seed, families)
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(entry) + "\n")
            yield entry


def table(found: list[dict[str, Any]]) -> str:
    lines = [
        "| maps | positions | number | good | doubtful | untrusted | refused | similarity |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups = {
        f"{kind} | {positions}": [
            e for e in found if (e["kind"], e["positions"]) == (kind, positions)
        ]
        for kind, positions in KINDS
    }
    kernels = [entry for entry in groups["good | blind"] if "similarity" in entry]
    groups |= {
        f"good, similarity at least {ALIKE:g} | blind": [
            entry for entry in kernels if entry["similarity"] >= ALIKE
        ],
        f"good, similarity below {LOST:g} | blind": [
            entry for entry in kernels if entry["similarity"] < LOST
        ],
    }
    for name, some in groups.items():
        shares = [
            f"{np.mean([e['verdict'] == verdict for e in some] or [0]):.0%}"
            for verdict in ("good", "doubtful", "untrusted", "refused")
        ]
        alike = [e["similarity"] for e in some if "similarity" in e]
        quantiles = "" if not alike else "{1:.2f} ({0:.2f} to {2:.2f})".format(
            *np.quantile(alike, [0.1, 0.5, 0.9])
        )  # fmt: skip
        lines.append(f"| {name} | {len(some)} | {' | '.join(shares)} | {quantiles} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--families",
        choices=["all", "model"],
        default="all",
        help="all, or those that the shipped model was trained on",
    )
    arguments = parser.parse_args()
    trained = tuple(load_model().card["families"])
    families = tuple(FAMILIES) if arguments.families == "all" else trained
    arguments.folder.mkdir(parents=True, exist_ok=True)
    file = arguments.folder / f"verdicts-{arguments.seed}.jsonl"
    print(table(list(entries(file, arguments.scenes, arguments.seed, families))))


if __name__ == "__main__":
    main()
