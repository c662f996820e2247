"""Tables and a figure of the benchmark: medians with the 10 % and 90 % quantiles."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qpi_kernel.errors import QpiError
from qpi_kernel.evaluate.scenes import JITTER_PX, OVERLAPS, WEIGHT_SPREAD
from qpi_kernel.files import replacing

Rows = Sequence[dict[str, Any]]

GIVEN = ("aligned", "prior alone", "ridge, exact positions", "ridge", "wiener", "average")
BLIND = ("aligned, blind", "sbd, blind")
PAIRS = (("aligned", "prior alone"), ("aligned", "wiener"), ("aligned, blind", "sbd, blind"))
VERDICTS = ("good", "doubtful", "untrusted", "refused")
# A kernel this similar to the truth is one that a verdict should call good.
ALIKE = 0.9


def markdown(rows: Rows) -> str:
    """Return all tables of the benchmark."""
    families = ", ".join(dict.fromkeys(row["family"] for row in rows))
    overlaps = "; ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in OVERLAPS.items())
    return "\n".join([
        f"{len(rows)} scenes of families that the model never saw ({families}), realism lab.",
        "SNR: variance of the ripples, cores cut out, over that of the white noise. Overlap:",
        f"scatterers times the share of the map that the kernel window covers ({overlaps}).",
        "Medians (10 % to 90 % quantile).",
        "",
        f"Positions known to {JITTER_PX:g} px (rms) inside the map, weights unknown (they vary by",
        f"{WEIGHT_SPREAD:.0%}); ridge: regularisation chosen by looking at the truth, with exact",
        "positions and weights or with those that the others are told. Similarity at r > 3 px:",
        "",
        *_table(rows, [(name, name, "similarity") for name in GIVEN]),
        "",
        "In q space: correlation of log |F|, and error of the radius of the strongest ring:",
        "",
        *_table(rows, [
            (f"{name}, {words}", name, measure)
            for measure, words in (("log_q", "log q"), ("ring_error", "ring"))
            for name in ("aligned", "ridge, exact positions", "ridge")
        ]),
        "",
        "Blind: similarity, F1 of the scatterers in the map within max(2 px, 0.3 nm), CPU seconds:",
        "",
        *_table(rows, [
            (f"{name}: {words}", name, measure)
            for measure, words in (
                ("similarity", "similarity"), ("f1", "F1"), ("seconds", "CPU s")
            )
            for name in BLIND
        ]),
        "",
        "How much more similar the kernel of one method is than that of another, map by map:",
        "",
        *_table(_differences(rows), [(_less(*pair), _less(*pair), "similarity") for pair in PAIRS]),
        "",
        "Share of pixels at r > 3 px whose truth lies in the 90 % band:",
        "",
        *_table(rows, [(name, name, "coverage") for name in ("aligned", "wiener", *BLIND)]),
        "",
        *_verdicts(rows),
        "",
    ])  # fmt: skip


def figure(rows: Rows) -> Figure:
    """Draw similarity against SNR, known positions above and blind below, overlaps side by side."""
    overlaps = list(dict.fromkeys(row["overlap"] for row in rows))
    size = (3.2 * len(overlaps) + 1, 5.6)
    picture = Figure(figsize=size, layout="constrained", facecolor="white")
    axes = picture.subplots(2, len(overlaps), sharex=True, sharey=True, squeeze=False)
    for panels, names in zip(axes, (GIVEN, BLIND), strict=True):
        for panel, overlap in zip(panels, overlaps, strict=True):
            some = [row for row in rows if row["overlap"] == overlap]
            for index, name in enumerate(names):
                snrs = sorted({row["snr"] for row in some})
                bars = np.array([
                    np.quantile(_values(some, snr, overlap, name, "similarity"), [0.1, 0.5, 0.9])
                    for snr in snrs
                ])  # fmt: skip
                # Bars of methods side by side, not on top of each other.
                place = np.array(snrs) * 1.05 ** (index - len(names) / 2)
                panel.errorbar(
                    place, bars[:, 1], [bars[:, 1] - bars[:, 0], bars[:, 2] - bars[:, 1]],
                    marker="o", markersize=3, linewidth=1, elinewidth=0.6, label=name,
                )  # fmt: skip
            panel.set_xscale("log")
            panel.set_title(f"{overlap} overlap", fontsize="medium")
        panels[0].set_ylabel("similarity at r > 3 px")
        panels[-1].legend(fontsize="x-small", loc="lower right")
    for panel in axes[-1]:
        panel.set_xlabel("SNR (variance)")
    return picture


def write_report(rows: Rows, folder: Path | str) -> None:
    """Write evaluation.md, evaluation.png and evaluation.json (all rows) into a folder.

    Raises
    ------
    QpiError
        If they cannot be written.
    """
    folder = Path(folder)
    try:
        with replacing(folder / "evaluation.md") as temporary:
            temporary.write_text(markdown(rows), encoding="utf-8")
        with replacing(folder / "evaluation.json") as temporary:
            temporary.write_text(json.dumps(list(rows)), encoding="utf-8")
        with replacing(folder / "evaluation.png") as temporary:
            figure(rows).savefig(temporary, format="png", dpi=150)
    except OSError as error:
        raise QpiError(f"{folder}: the report cannot be written ({error})") from None


def _cells(rows: Rows) -> Iterator[tuple[float, str]]:
    yield from dict.fromkeys((row["snr"], row["overlap"]) for row in rows)


def _values(rows: Rows, snr: float, overlap: str, method: str, measure: str) -> list[float]:
    return [
        row["methods"][method][measure]
        for row in rows
        if (row["snr"], row["overlap"]) == (snr, overlap)
        # A method that refused a map has no error bars; one without a prior has none to show.
        and measure in row["methods"].get(method, {})
    ]


def _less(one: str, other: str) -> str:
    return f"{one} less {other}"


def _differences(rows: Rows) -> Rows:
    """Return the rows with differences of methods in the place of the methods."""
    return [
        row
        | {
            "methods": {
                _less(one, other): {
                    "similarity": row["methods"][one]["similarity"]
                    - row["methods"][other]["similarity"]
                }
                for one, other in PAIRS
                if {one, other} <= row["methods"].keys()
            }
        }
        for row in rows
    ]


def _table(rows: Rows, columns: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return a table with a line per cell; columns are (heading, method, measure)."""
    lines = [
        "| SNR | overlap | " + " | ".join(heading for heading, _, _ in columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for snr, overlap in _cells(rows):
        entries = []
        for _, method, measure in columns:
            values = _values(rows, snr, overlap, method, measure)
            low, middle, high = np.quantile(values, [0.1, 0.5, 0.9]) if values else [np.nan] * 3
            entries.append(f"{middle:.3f} ({low:.2f} to {high:.2f})")
        lines.append(f"| {snr:g} | {overlap} | " + " | ".join(entries) + " |")
    return lines


def _verdicts(rows: Rows) -> list[str]:
    """Return how often each verdict fell on good kernels and on those that cannot be right."""
    groups = {
        f"aligned, similarity at least {ALIKE:g}": _judged(rows, "aligned", ALIKE),
        f"aligned, blind, similarity at least {ALIKE:g}": _judged(rows, "aligned, blind", ALIKE),
        "shuffled positions": _judged(rows, "shuffled"),
        "pure noise": _judged(rows, "noise"),
    }
    lines = ["| maps | number | " + " | ".join(VERDICTS) + " |", "|---|---|" + "---|" * 4]
    for name, verdicts in groups.items():
        shares = [f"{verdicts.count(verdict) / max(len(verdicts), 1):.0%}" for verdict in VERDICTS]
        lines.append(f"| {name} | {len(verdicts)} | " + " | ".join(shares) + " |")
    return lines


def _judged(rows: Rows, method: str, least: float = -1.0) -> list[str]:
    judged = [row["methods"][method] for row in rows]
    return [each["verdict"] for each in judged if each.get("similarity", 1.0) >= least]
