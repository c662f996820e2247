"""The outcome of a run as layers: names, places and colours."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from napari_qpi_kernel.bridge import (
    KEY,
    REACH,
    LayerData,
    Map,
    map_to_layer,
    plain,
    scatterers_to_layer,
)
from napari_qpi_kernel.extraction import Outcome, endings
from napari_qpi_kernel.preferences import preferences

if TYPE_CHECKING:
    from napari.viewer import ViewerModel

GAP = 0.05  # free space between the map and a kernel, as a share of the map's width
RING_SHARE = 1 / 30  # diameter of a ring around a scatterer, as a share of the map's width


def result_names(viewer: "ViewerModel", outcome: Outcome) -> dict[str, str]:
    """Return names for the layers of a run by kind, numbered so that none replaces another."""
    kernels = [
        f"{kind}{ending}"
        for ending in endings(outcome.extraction)
        for kind in ("kernel", "kernel spread")
    ]
    kinds = (*kernels, "reconstruction", "residual", "kernel FFT")
    return _free_names(viewer, outcome.request.map_name, kinds)


def free_name(viewer: "ViewerModel", map_name: str, kind: str) -> str:
    """Return "map [kind]", numbered if there is such a layer already."""
    return _free_names(viewer, map_name, [kind])[kind]


def _free_names(viewer: "ViewerModel", map_name: str, kinds: Collection[str]) -> dict[str, str]:
    """Return "map [kind]" for each kind, all with the first number that none of them has yet."""
    taken = {layer.name for layer in viewer.layers}
    number, names = 1, {kind: f"{map_name} [{kind}]" for kind in kinds}
    while taken & set(names.values()):
        number += 1
        names = {kind: f"{map_name} [{kind} {number}]" for kind in kinds}
    return names


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
        Upper left corner of the free space beside the map [nm].
    """
    extraction, facts = outcome.extraction, run_facts(outcome)
    kernel, signed = extraction.kernel, preferences().colormap
    (y0, y1), (x0, x1) = (kernel[dim].values[[0, -1]].tolist() for dim in ("y", "x"))
    down, right = 1.1 * (y1 - y0), 1.1 * (x1 - x0)

    def layer(field: Map, kind: str, ending: str = "", **look: Any) -> LayerData:
        name, limits = names[kind + ending], outcome.contrast[kind + ending]
        return map_to_layer(field, name, kind=kind, facts=facts, contrast_limits=limits, **look)

    on_map = [
        layer(extraction.residual, "residual", colormap=signed, visible=False),
        layer(extraction.reconstruction, "reconstruction", visible=False),
    ]
    beside = []
    for row, (part, ending) in enumerate(
        zip(extraction.each_species, endings(extraction), strict=True)
    ):
        y, x = beside_nm[0] - y1 - row * down, beside_nm[1] - x0
        beside += [
            layer(part.spread, "kernel spread", ending, offset_nm=(y, x + right), colormap="magma"),
            layer(part.kernel, "kernel", ending, offset_nm=(y, x), colormap=signed),
        ]
    return on_map + beside


def fft_layer(outcome: Outcome, name: str) -> LayerData:
    """Return the layer of log10 |F| for the q viewer; its facts say how far in q to look."""
    return map_to_layer(
        outcome.log_fft,
        name,
        kind="kernel FFT",
        facts=run_facts(outcome) | {REACH: outcome.reach_per_nm},
        colormap="inferno",
        contrast_limits=outcome.contrast["kernel FFT"],
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
    return {
        "of": outcome.request.map_name,
        "recipe": dict(outcome.recipe),
        "assessment": plain(assessment),
    }
