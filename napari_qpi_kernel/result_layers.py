"""The outcome of a run as layers: names, places and colours."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from napari_qpi_kernel.bridge import (
    KEY,
    REACH,
    LayerData,
    Map,
    map_to_layer,
    plain,
    scatterers_to_layer,
)
from napari_qpi_kernel.extraction import Outcome

SIGNED = "RdBu_r"
GAP = 0.05  # free space between the map and a kernel, as a share of the map's width
RING_SHARE = 1 / 30  # diameter of a ring around a scatterer, as a share of the map's width
CONTRAST = (0.5, 99.5)  # the brightest half percent is the core of the scatterers


# Below three decades |F| is noise and the edge of the window.
DECADES = 3.0


def result_names(map_name: str, taken: Collection[str]) -> dict[str, str]:
    """Return names for the layers of a new run, numbered so that none replaces another."""
    kinds = ("kernel", "kernel spread", "reconstruction", "residual", "kernel FFT")
    number, names = 1, dict[str, str]()
    while not names or set(names.values()) & set(taken):
        suffix = "" if number == 1 else f" {number}"
        names = {kind: f"{map_name} [{kind}{suffix}]" for kind in kinds}
        number += 1
    return names


def free_name(name: str, kind: str, taken: Collection[str]) -> str:
    """Return "name [kind]", numbered if there is such a layer already."""
    number, candidate = 1, f"{name} [{kind}]"
    while candidate in taken:
        number += 1
        candidate = f"{name} [{kind} {number}]"
    return candidate


def result_layers(
    outcome: Outcome, names: Mapping[str, str], beside_nm: tuple[float, float]
) -> list[LayerData]:
    """Return the layers of a run: kernel and spread beside the map, the rest on top of it.

    Parameters
    ----------
    outcome : Outcome
        What the run returned.
    names : mapping
        From `result_names`.
    beside_nm : (y, x)
        Lower left corner of the free space beside the map [nm].
    """
    extraction, facts = outcome.extraction, run_facts(outcome)
    didv, kernel = extraction.didv, extraction.kernel
    y0, x0 = (float(kernel[dim].values[0]) for dim in ("y", "x"))
    dy = float(kernel["y"].values[1]) - y0
    height = dy * kernel.sizes["y"]
    offset = (beside_nm[0] - y0, beside_nm[1] - x0)
    above = (offset[0] + 1.1 * height, offset[1])
    reach = swing(kernel.values)
    limits = _range(didv.values)
    half = 0.5 * (limits[1] - limits[0])

    def layer(field: Map, kind: str, **look: Any) -> LayerData:
        return map_to_layer(field, names[kind], kind=kind, facts=facts, **look)

    return [
        layer(
            extraction.residual,
            "residual",
            colormap=SIGNED,
            contrast_limits=(-half, half),
            visible=False,
        ),
        layer(extraction.reconstruction, "reconstruction", contrast_limits=limits, visible=False),
        layer(
            extraction.spread,
            "kernel spread",
            offset_nm=offset,
            colormap="magma",
            contrast_limits=(0.0, swing(extraction.spread.values)),
        ),
        layer(
            kernel,
            "kernel",
            offset_nm=above,
            colormap=SIGNED,
            contrast_limits=(-reach, reach),
        ),
    ]


def fft_layer(outcome: Outcome, name: str) -> LayerData:
    """Return the layer of log10 |F| for the q viewer; its facts say how far in q to look."""
    values = outcome.log_fft.values
    # The ring fills a few pixels of a large q plane: a percentile would saturate it.
    top = float(np.max(values[np.isfinite(values)], initial=-30.0))
    return map_to_layer(
        outcome.log_fft,
        name,
        kind="kernel FFT",
        facts=run_facts(outcome) | {REACH: outcome.reach_per_nm},
        colormap="inferno",
        contrast_limits=(top - DECADES, top),
    )


def used_scatterers_layer(outcome: Outcome, name: str, size_nm: float) -> LayerData:
    """Return the positions and weights as the run used them, after refinement."""
    data, attributes, kind = scatterers_to_layer(outcome.extraction.scatterers, name, size_nm)
    attributes["metadata"][KEY] |= run_facts(outcome)
    return data, attributes, kind


def run_facts(outcome: Outcome) -> dict[str, Any]:
    """Return recipe and assessment as every layer of a run keeps them."""
    judged = outcome.assessment
    assessment = {
        "verdict": judged.verdict,
        "reasons": list(judged.reasons),
        "numbers": dict(judged.numbers),
    }
    return {"recipe": dict(outcome.recipe), "assessment": plain(assessment)}


def swing(values: Any) -> float:
    """Return the half width of a colour range about 0 that does not drown the waves."""
    finite = np.abs(values[np.isfinite(values)])
    return (float(np.percentile(finite, CONTRAST[1])) if finite.size else 0.0) or 1.0


def _range(values: Any) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, CONTRAST))
    return low, high if high > low else low + 1.0
