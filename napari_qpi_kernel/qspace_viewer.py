"""The second viewer, for q space: a transform in 1/nm is invisible beside a map in nm."""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import napari
from napari.layers import Layer
from qtpy.QtWidgets import QLabel, QWidget

from napari_qpi_kernel.bridge import KEY, REACH, LayerData, bias_at, show_y_up
from napari_qpi_kernel.layer_choice import follow

if TYPE_CHECKING:
    from napari.viewer import Viewer

TITLE = "QPI Kernel - q space"
NOTE = "F(q) about the scatterer,\nq = 2π / wavelength [1/nm]"

# One q viewer for each viewer, whichever dock asked for it first.
_open: "WeakKeyDictionary[Viewer, Viewer]" = WeakKeyDictionary()


def show_in_q_viewer(viewer: "Viewer", owner: QWidget, data: LayerData) -> Layer:
    """Add a layer to the q viewer of `viewer`, opening it the first time or after it was closed.

    Parameters
    ----------
    viewer : Viewer
        The viewer of the map; the two share the energy, and close together.
    owner : QWidget
        A dock in the window of `viewer`.
    data : tuple
        The layer, with axes in 1/nm.
    """
    q_viewer = _open.get(viewer) or _new_viewer(viewer, owner)
    for layer in q_viewer.layers:
        layer.visible = False
    layer = q_viewer.add_layer(Layer.create(*data))
    q_viewer.reset_view()
    reach = layer.metadata.get(KEY, {}).get(REACH)
    if reach:
        whole = layer.extent.world[1][-1]
        q_viewer.scene.camera.zoom *= max(whole / reach, 1.0)
    _follow_energy(viewer, q_viewer)
    return layer


def _new_viewer(viewer: "Viewer", owner: QWidget) -> "Viewer":
    q_viewer = napari.Viewer(title=TITLE)
    show_y_up(q_viewer)
    q_viewer.canvas.overlays.scale_bar.visible = True
    note = QLabel(NOTE)
    q_viewer.window.add_dock_widget(note, name="q space", area="left")
    _open[viewer] = q_viewer
    note.destroyed.connect(lambda: _open.pop(viewer, None))
    top = owner
    while top.parentWidget() is not None:
        top = top.parentWidget()
    top.destroyed.connect(lambda: _close(viewer))
    follow(viewer.dims.events.point, lambda _: _follow_energy(viewer, q_viewer), note)
    return q_viewer


def _follow_energy(viewer: "Viewer", q_viewer: "Viewer") -> None:
    """Show the transform at the energy at which the map is shown."""
    if q_viewer.dims.ndim == viewer.dims.ndim == 3:
        q_viewer.dims.set_point(0, viewer.dims.point[0])
    shown = [each for each in q_viewer.layers if each.visible and KEY in each.metadata]
    bias = bias_at(shown[-1], q_viewer.dims.point) if shown else None
    overlay = q_viewer.canvas.overlays.text
    overlay.text = "" if bias is None else f"E = {bias:.1f} mV"
    overlay.visible = bool(overlay.text)


def _close(viewer: "Viewer") -> None:
    q_viewer = _open.pop(viewer, None)
    if q_viewer is not None:
        q_viewer.close()
