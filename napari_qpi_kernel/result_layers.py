"""The outcome of a run as layers: names, places and colours."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer

from napari_qpi_kernel.bridge import (
    KEY,
    REACH,
    LayerData,
    Map,
    map_to_layer,
    plain,
    scatterers_to_layer,
)
from napari_qpi_kernel.extraction import Outcome, Request

if TYPE_CHECKING:
    from napari.viewer import ViewerModel

SIGNED = "RdBu_r"
GAP = 0.05  # free space between the map and a kernel, as a share of the map's width
RING_SHARE = 1 / 30  # diameter of a ring around a scatterer, as a share of the map's width
CONTRAST = (0.5, 99.5)  # the brightest half percent is the core of the scatterers
ON_MAP = ("prepared", "reconstruction", "residual")
# Below three decades |F| is noise and the edge of the window.
DECADES = 3.0


def result_names(
    map_name: str, taken: Collection[str], species: Collection[str] = ("",)
) -> dict[str, str]:
    """Return names for the layers of a new run, numbered so that none replaces another.

    `species` are the endings of the kernels' names, see `_endings`.
    """
    kernels = [f"{kind}{ending}" for ending in species for kind in ("kernel", "kernel spread")]
    kinds = (*kernels, "reconstruction", "residual", "kernel FFT")
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


def add_result(viewer: "ViewerModel", outcome: Outcome) -> dict[str, str]:
    """Add the layers of a run to a viewer and return their names by kind.

    Prepared map, reconstruction and residual go below the user's points; kernel and spread, right
    of everything that is there, on top.
    """
    request = outcome.request
    taken = [layer.name for layer in viewer.layers]
    endings = _endings(outcome)
    names = result_names(request.map_name, taken, endings)
    beside, ring = _free_place(viewer, outcome)
    add_prepared(viewer, request, outcome.prepared, _range(outcome.extraction.didv.values))
    for data in result_layers(outcome, names, beside):
        layer = Layer.create(*data)
        if layer.metadata[KEY]["kind"] in ON_MAP:
            viewer.layers.insert(_above_map(viewer, request.map_name), layer)
        else:
            viewer.add_layer(layer)
    points = used_scatterers_layer(outcome, free_name(request.map_name, "scatterers", taken), ring)
    # The user's own points stay in view; the refined ones would only double the rings.
    points[1]["visible"] = request.scatterers is None
    viewer.add_layer(Layer.create(*points))
    first = {"kernel": names[f"kernel{endings[0]}"], "scatterers": points[1]["name"]}
    return names | first


def add_prepared(
    viewer: "ViewerModel",
    request: Request,
    prepared: Map,
    limits: tuple[float, float] | None = None,
) -> Layer:
    """Add the prepared map of a request right above its map, below points and regions.

    Parameters
    ----------
    viewer : ViewerModel
    request : Request
        What was asked for.
    prepared : xarray.DataArray, (bias, y, x)
        The prepared map.
    limits : (low, high), optional
        Contrast limits; by default those that hold 0.5 to 99.5 % of all values.
    """
    name = free_name(request.map_name, "prepared", [layer.name for layer in viewer.layers])
    data = map_to_layer(
        prepared,
        name,
        kind="prepared",
        contrast_limits=limits or _range(prepared.values),
    )
    layer = Layer.create(*data)
    viewer.layers.insert(_above_map(viewer, request.map_name), layer)
    return layer


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
    step = 1.1 * (float(kernel["y"].values[1]) - y0) * kernel.sizes["y"]
    limits = _range(didv.values)
    half = 0.5 * (limits[1] - limits[0])

    def layer(field: Map, kind: str, ending: str = "", **look: Any) -> LayerData:
        return map_to_layer(field, names[kind + ending], kind=kind, facts=facts, **look)

    on_map = [
        layer(
            extraction.residual,
            "residual",
            colormap=SIGNED,
            contrast_limits=(-half, half),
            visible=False,
        ),
        layer(extraction.reconstruction, "reconstruction", contrast_limits=limits, visible=False),
    ]
    beside = []
    for column, (part, ending) in enumerate(
        zip(extraction.each_species, _endings(outcome), strict=True)
    ):
        offset = (beside_nm[0] - y0, beside_nm[1] - x0 + column * step)
        reach = swing(part.kernel.values)
        beside += [
            layer(
                part.spread,
                "kernel spread",
                ending,
                offset_nm=offset,
                colormap="magma",
                contrast_limits=(0.0, swing(part.spread.values)),
            ),
            layer(
                part.kernel,
                "kernel",
                ending,
                offset_nm=(offset[0] + step, offset[1]),
                colormap=SIGNED,
                contrast_limits=(-reach, reach),
            ),
        ]
    return on_map + beside


def _endings(outcome: Outcome) -> list[str]:
    """Return what tells the kernels of several species apart; one is simply the kernel."""
    extraction = outcome.extraction
    several = bool(extraction.parts)
    return [
        f" species {part.scatterers.labels[0]}" if several else ""
        for part in extraction.each_species
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


def _above_map(viewer: "ViewerModel", map_name: str) -> int:
    """Return the place in the layer list right above a map and what already lies on it."""
    places = [
        place
        for place, layer in enumerate(viewer.layers)
        if layer.name == map_name or layer.metadata.get(KEY, {}).get("kind") in ON_MAP
    ]
    return max(places) + 1 if places else len(viewer.layers)


def _free_place(viewer: "ViewerModel", outcome: Outcome) -> tuple[tuple[float, float], float]:
    """Return (y, x) of the free space right of all layers, and the size of a ring [nm]."""
    didv = outcome.extraction.didv
    x, y = didv["x"].values, didv["y"].values
    shown = [layer.extent.world[1][-1] for layer in viewer.layers if KEY in layer.metadata]
    right = max([float(x[-1]), *(float(edge) for edge in shown)])
    width = float(x[-1] - x[0])
    return (float(y[0]), right + GAP * width), width * RING_SHARE


def _range(values: Any) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, CONTRAST))
    return low, high if high > low else low + 1.0
