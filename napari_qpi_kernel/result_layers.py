"""The outcome of a run as layers: names, places and colours."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

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
from napari_qpi_kernel.contrast import Limits
from napari_qpi_kernel.extraction import Outcome, Request, endings
from napari_qpi_kernel.job import Turns
from napari_qpi_kernel.preferences import preferences
from napari_qpi_kernel.qspace_viewer import show_in_q_viewer

if TYPE_CHECKING:
    from napari.viewer import Viewer, ViewerModel
    from qtpy.QtWidgets import QWidget

GAP = 0.05  # free space between the map and a kernel, as a share of the map's width
RING_SHARE = 1 / 30  # diameter of a ring around a scatterer, as a share of the map's width
ON_MAP = ("prepared", "reconstruction", "residual")


def show_result(viewer: "Viewer", owner: "QWidget", outcome: Outcome) -> Turns[tuple[Layer, Layer]]:
    """Show a run in a viewer, and its transform in the q viewer.

    Parameters
    ----------
    viewer : Viewer
    owner : QWidget
        A dock in its window.
    outcome : Outcome
        What the run returned.

    Returns
    -------
    Turns of (kernel, scatterers)
        The layers that a list of results needs.
    """
    names = result_names(viewer, outcome)
    kernel, points = yield from add_result(viewer, outcome, names)
    viewer.layers.selection.active = kernel
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.reset_view()
    yield
    yield from show_in_q_viewer(viewer, owner, fft_layer(outcome, names["kernel FFT"]))
    return kernel, points


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


def add_result(
    viewer: "ViewerModel", outcome: Outcome, names: Mapping[str, str]
) -> Turns[tuple[Layer, Layer]]:
    """Add the layers of a run to a viewer, one a turn; return those of kernel and scatterers.

    Prepared map, reconstruction and residual go below the user's points; kernel and spread, right
    of everything that is there, on top.
    """
    request = outcome.request
    beside, ring = _free_place(viewer, outcome)
    add_prepared(viewer, request, outcome.prepared, outcome.contrast["prepared"])
    yield
    kernels = []
    for data in result_layers(outcome, names, beside):
        layer = Layer.create(*data)
        kind = layer.metadata[KEY]["kind"]
        if kind in ON_MAP:
            viewer.layers.insert(_above_map(viewer, request.map_name), layer)
        else:
            viewer.add_layer(layer)
        if kind == "kernel":
            kernels.append(layer)
        yield
    name = free_name(viewer, request.map_name, "scatterers")
    points = used_scatterers_layer(outcome, name, ring)
    # The user's own points stay in view; the refined ones would only double the rings.
    points[1]["visible"] = request.scatterers is None
    shown = viewer.add_layer(Layer.create(*points))
    yield
    return kernels[0], shown


def add_prepared(viewer: "ViewerModel", request: Request, prepared: Map, limits: Limits) -> Layer:
    """Add the prepared map of a request right above its map, below points and regions.

    Parameters
    ----------
    viewer : ViewerModel
    request : Request
        What was asked for.
    prepared : xarray.DataArray, (bias, y, x)
        The prepared map.
    limits : (low, high)
        Contrast limits.
    """
    name = free_name(viewer, request.map_name, "prepared")
    layer = Layer.create(*map_to_layer(prepared, name, kind="prepared", contrast_limits=limits))
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
    kernel, signed = extraction.kernel, preferences().colormap
    y0, x0 = (float(kernel[dim].values[0]) for dim in ("y", "x"))
    step = 1.1 * (float(kernel["y"].values[1]) - y0) * kernel.sizes["y"]

    def layer(field: Map, kind: str, ending: str = "", **look: Any) -> LayerData:
        name, limits = names[kind + ending], outcome.contrast[kind + ending]
        return map_to_layer(field, name, kind=kind, facts=facts, contrast_limits=limits, **look)

    on_map = [
        layer(extraction.residual, "residual", colormap=signed, visible=False),
        layer(extraction.reconstruction, "reconstruction", visible=False),
    ]
    beside = []
    for column, (part, ending) in enumerate(
        zip(extraction.each_species, endings(extraction), strict=True)
    ):
        y, x = beside_nm[0] - y0, beside_nm[1] - x0 + column * step
        beside += [
            layer(part.spread, "kernel spread", ending, offset_nm=(y, x), colormap="magma"),
            layer(part.kernel, "kernel", ending, offset_nm=(y + step, x), colormap=signed),
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
    return {"recipe": dict(outcome.recipe), "assessment": plain(assessment)}


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
