"""A run in the viewer: its layers added, brought back, placed, and on common colour ranges."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer

from napari_qpi_kernel.bridge import KEY, Map, map_to_layer
from napari_qpi_kernel.contrast import Limits, as_wide_about_zero
from napari_qpi_kernel.extraction import Outcome, Request
from napari_qpi_kernel.job import Turns
from napari_qpi_kernel.qspace_viewer import show_in_q_viewer
from napari_qpi_kernel.result_layers import (
    GAP,
    RING_SHARE,
    fft_layer,
    free_name,
    result_layers,
    result_names,
    used_scatterers_layer,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer, ViewerModel
    from qtpy.QtWidgets import QWidget

ON_MAP = ("prepared", "reconstruction", "residual")
BESIDE = ("kernel", "kernel spread")
CONTRAST = ("contrast_limits",)


@dataclass(frozen=True)
class Shown:
    """The layers of a run, whether they are in the viewer or the user has removed them.

    Parameters
    ----------
    layers : tuple of Layer
        All of them in the viewer of the map.
    transform : Layer
        That of the q viewer.
    """

    layers: tuple[Layer, ...]
    transform: Layer

    @property
    def kernel(self) -> Layer:
        """The kernel, of several species the first."""
        return next(layer for layer in self.layers if kind_of(layer) == "kernel")

    @property
    def scatterers(self) -> Layer:
        """The positions and weights that the run used."""
        return next(layer for layer in self.layers if kind_of(layer) == "scatterers")


def kind_of(layer: Layer) -> str:
    """Return what a layer of ours shows, "" of any other."""
    return str(layer.metadata.get(KEY, {}).get("kind", ""))


def show_result(viewer: "Viewer", owner: "QWidget", outcome: Outcome) -> Turns[Shown]:
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
    Turns of Shown
        The layers, for a list of results.
    """
    names = result_names(viewer, outcome)
    layers = yield from add_result(viewer, outcome, names)
    transform = Layer.create(*fft_layer(outcome, names["kernel FFT"]))
    shown = Shown(layers, transform)
    _look_at(viewer, shown.kernel)
    yield
    yield from show_in_q_viewer(viewer, owner, transform)
    return shown


def show_again(
    viewer: "Viewer", owner: "QWidget", outcome: Outcome, shown: Shown, others: Iterable[Shown]
) -> Turns[None]:
    """Bring a run back into view, with the layers that were removed, and hide other runs.

    Whether reconstruction and residual are in view does not change: going from run to run compares
    them.

    Parameters
    ----------
    viewer, owner, outcome
        As for `show_result`.
    shown : Shown
        The layers of the run.
    others : iterable of Shown
        Those of the other runs.
    """
    hidden = [layer for other in others for layer in other.layers]
    kept = {kind_of(layer) for layer in (*shown.layers, *hidden) if layer.visible}
    wanted = {"prepared", *BESIDE, *(kept - {"scatterers"})}
    if outcome.request.scatterers is None:
        wanted.add("scatterers")
    for layer in hidden:
        layer.visible = False
    for layer in shown.layers:
        if layer not in viewer.layers:
            _add(viewer, outcome.request.map_name, layer)
        layer.visible = kind_of(layer) in wanted
        yield
    _look_at(viewer, shown.kernel)
    yield from show_in_q_viewer(viewer, owner, shown.transform)


def add_result(
    viewer: "ViewerModel", outcome: Outcome, names: Mapping[str, str]
) -> Turns[tuple[Layer, ...]]:
    """Add the layers of a run to a viewer, one a turn, and return them.

    Prepared map, reconstruction and residual go below the user's points; kernel and spread, beside
    the map and below those of earlier runs, on top. What is to be compared has one colour range.
    """
    request = outcome.request
    beside, ring = _free_place(viewer, outcome)
    layers = [add_prepared(viewer, request, outcome.prepared, outcome.contrast["prepared"])]
    yield
    name = free_name(viewer, request.map_name, "scatterers")
    points = used_scatterers_layer(outcome, name, ring)
    # The user's own points stay in view; the refined ones would only double the rings.
    points[1]["visible"] = request.scatterers is None
    for data in (*result_layers(outcome, names, beside), points):
        layer = Layer.create(*data)
        _add(viewer, request.map_name, layer)
        if kind_of(layer) in BESIDE:
            _share_contrast(viewer, layer)
        layers.append(layer)
        yield
    prepared, residual, reconstruction = layers[:3]
    viewer.layers.link_layers([prepared.name, reconstruction.name], CONTRAST)

    def follow_span() -> None:
        residual.contrast_limits = as_wide_about_zero(prepared.contrast_limits)

    prepared.events.contrast_limits.connect(follow_span)
    return tuple(layers)


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


def _add(viewer: "ViewerModel", map_name: str, layer: Layer) -> None:
    """Add a layer of a run: right above its map, or on top."""
    if kind_of(layer) in ON_MAP:
        viewer.layers.insert(_above_map(viewer, map_name), layer)
    else:
        viewer.add_layer(layer)


def _share_contrast(viewer: "ViewerModel", layer: Layer) -> None:
    """Give a kernel the colour range of the earlier ones of its map and energies, and link them.

    Side by side without a colour bar, the same colour must mean the same value.
    """

    def compared(each: Layer) -> tuple[Any, ...]:
        facts = each.metadata.get(KEY, {})
        units = facts.get("attrs", {}).get("units")
        return facts.get("kind"), facts.get("of"), facts.get("bias_mV"), units

    alike = [each for each in viewer.layers if compared(each) == compared(layer)]
    layer.contrast_limits = alike[0].contrast_limits
    viewer.layers.link_layers([each.name for each in alike], CONTRAST)


def _look_at(viewer: "Viewer", kernel: Layer) -> None:
    """Choose a kernel and fit what is visible into the picture."""
    viewer.layers.selection.active = kernel
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.reset_view(layers=[layer for layer in viewer.layers if layer.visible])


def _above_map(viewer: "ViewerModel", map_name: str) -> int:
    """Return the place in the layer list right above a map and what already lies on it."""
    places = [
        place
        for place, layer in enumerate(viewer.layers)
        if layer.name == map_name or kind_of(layer) in ON_MAP
    ]
    return max(places) + 1 if places else len(viewer.layers)


def _free_place(viewer: "ViewerModel", outcome: Outcome) -> tuple[tuple[float, float], float]:
    """Return (y, x) of the upper left corner of the free space, and the size of a ring [nm].

    It is beside all maps, below the kernels that are there: further ones hardly shrink the view.
    """
    y, x = (outcome.prepared[dim].values for dim in ("y", "x"))
    left, top, width = float(x[-1]), float(y[-1]), float(x[-1] - x[0])
    for layer in viewer.layers:
        # Scatterers may lie beyond the edge of their map.
        if KEY in layer.metadata and isinstance(layer, Image):
            low, high = layer.extent.world[:, -2:]
            if kind_of(layer) in BESIDE:
                top = min(top, float(low[0]) - GAP * width)
            else:
                left = max(left, float(high[1]))
    return (top, left + GAP * width), width * RING_SHARE
