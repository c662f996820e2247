"""Print how each family fares in docs/evaluation, and draw the worst into docs/failures.png.

    qpi-kernel evaluate --out docs/evaluation
    python docs/scripts/failures.py

Failures are the scenes whose blind kernel was furthest from the truth: half of those that the
verdict had called good, half of the others. They are drawn and extracted again with the model that
is installed; the evaluation must have been one of it.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import qpi_kernel as qk
from qpi_kernel.evaluate.benchmark import EvaluateSettings
from qpi_kernel.evaluate.measures import f1_score, kernel_measures
from qpi_kernel.evaluate.scenes import OVERLAPS, WINDOW_NM, draw_scene
from qpi_kernel.evaluate.trial import REACH_NM
from qpi_kernel.figures import MARKS
from qpi_kernel.learn.model import load_model
from qpi_kernel.panels import colour_range, map_panel

DOCS = Path(__file__).parents[1]
EACH, FAILED = 4, 0.8
BLIND = "aligned, blind"
COLOURS = 128


def worst(rows):
    """Return the worst scenes that the verdict had called good, and the worst of the others."""
    rows = sorted(rows, key=lambda row: row["methods"][BLIND]["similarity"])
    good = [row for row in rows if row["methods"][BLIND]["verdict"] == "good"]
    return [*good[:EACH], *[row for row in rows if row not in good][:EACH]]


def drawn(row, seed):
    """Return the scene of a row of the evaluation, drawn again."""
    cell = row["number"], round(1000 * row["snr"]), tuple(OVERLAPS).index(row["overlap"])
    scene = draw_scene(row["family"], row["snr"], row["overlap"], (seed, *cell))
    if len(scene.true) != row["scatterers"]:
        sys.exit("error: these scenes are of another version of the evaluation; run it again")
    return scene


def extracted(scene, points):
    """Return extraction and verdict, or nothing and why there is nothing."""
    try:
        result = qk.extract_kernel(scene.didv, points, qk.ExtractSettings(window_nm=WINDOW_NM))
    except qk.QpiError:
        return None, "refused"
    return result, qk.assess(result).verdict


def similarity(result, scene):
    return 0.0 if result is None else kernel_measures(result.kernel, scene.truth)["similarity"]


def draw(axes, scene, blind, marked, verdict):
    limits = colour_range(scene.didv.values)
    title = f"{scene.family}, SNR {scene.snr:g}"
    map_panel(axes[0], scene.didv, title, "", "gray", limits, colour_bar=False)
    axes[0].scatter(*scene.true.xy_nm.T, s=30, facecolors="none", edgecolors=MARKS[0], lw=1)
    if blind is not None:
        axes[0].scatter(*blind.scatterers.xy_nm.T, s=16, c="#27c2ff", marker="x", lw=1)
    axes[0].set(xlim=scene.didv["x"].values[[0, -1]], ylim=scene.didv["y"].values[[0, -1]])
    kernels = {
        "truth": scene.truth,
        f"blind: {verdict}": blind.kernel if blind else None,
        "positions given": marked.kernel if marked else None,
    }
    for panel, (title, kernel) in zip(axes[1:], kernels.items(), strict=True):
        if kernel is None:
            panel.set_axis_off()
            panel.set_title("refused")
            continue
        swing = max(abs(value) for value in colour_range(kernel.values))
        map_panel(panel, kernel, title, "", "RdBu_r", (-swing, swing), colour_bar=False)


def by_family(rows):
    """Return a table of similarities and failures of the families."""
    yield "| family | scenes | positions known | blind | blind below 0.8 | of these called good |"
    yield "|---|---|---|---|---|---|"
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row["methods"] for row in rows if row["family"] == family]
        cells = []
        for method in ("aligned", BLIND):
            values = [methods[method]["similarity"] for methods in own]
            low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
            cells.append(f"{middle:.3f} ({low:.2f} to {high:.2f})")
        failed = [methods[BLIND] for methods in own if methods[BLIND]["similarity"] < FAILED]
        good = sum(blind["verdict"] == "good" for blind in failed)
        yield f"| {family} | {len(own)} | {' | '.join(cells)} | {len(failed)} | {good} |"


def main():
    sha256 = load_model(None).sha256[:8]
    seed = EvaluateSettings().seed
    file = DOCS / "evaluation" / f"scenes-{sha256}-{seed}.jsonl"
    if not file.is_file():
        sys.exit(f"error: {file} is not there; qpi-kernel evaluate --out {file.parent} makes it")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    print(*by_family(rows), "", sep="\n")
    print("| family | SNR | overlap | scatterers | blind | F1 | verdict | given | verdict |")
    print("|---|---|---|---|---|---|---|---|---|")
    chosen = worst(rows)
    figure = Figure(figsize=(8.6, 2.2 * len(chosen)), layout="constrained")
    for axes, row in zip(figure.subplots(len(chosen), 4), chosen, strict=True):
        scene = drawn(row, seed)
        (blind, doubt), (marked, given) = extracted(scene, None), extracted(scene, scene.told)
        found = blind.scatterers if blind else qk.Scatterers([])
        score = f1_score(found, scene.true, scene.didv, REACH_NM)
        cell = f"{row['family']} | {row['snr']:g} | {row['overlap']} | {row['scatterers']}"
        print(
            f"| {cell} | {similarity(blind, scene):.2f} | {score:.2f} | {doubt}"
            f" | {similarity(marked, scene):.2f} | {given} |",
            flush=True,
        )
        draw(axes, scene, blind, marked, doubt)
    content = io.BytesIO()
    figure.savefig(content, dpi=75)
    with Image.open(content) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
            DOCS / "failures.png", optimize=True
        )


if __name__ == "__main__":
    main()
