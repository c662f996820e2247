"""The second viewer, for q space: a transform in 1/nm is invisible beside a map in nm."""

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import napari
import numpy as np
from napari.layers import Image, Layer
from qtpy.QtWidgets import QLabel, QWidget

from napari_qpi_kernel.bridge import KEY, REACH, bias_at, show_energy, show_y_up
from napari_qpi_kernel.job import Turns
from napari_qpi_kernel.layer_choice import follow
from napari_qpi_kernel.own_canvas import free_in_own_context, main_window

if TYPE_CHECKING:
    from napari.viewer import Viewer

TITLE = "QPI Kernel - q space"
DOCK = "q space"
NOTE = "Move the mouse over F(q),\nq = 2π / wavelength [1/nm]"

# One q viewer for each viewer, whichever dock asked for it first.
_open: "WeakKeyDictionary[Viewer, Viewer]" = WeakKeyDictionary()


def q_viewer_for(viewer: "Viewer", owner: QWidget) -> "Viewer":
    """Return the q viewer of `viewer`, made the first time or after it was closed.

    It is hidden until something is shown in it. Making it keeps the window busy for a moment, which
    is better spent before long work than in the middle of it.

    Parameters
    ----------
    viewer : Viewer
        The viewer of the map; the two share the energy, and close together.
    owner : QWidget
        A dock in the window of `viewer`.
    """
    return _open.get(viewer) or _new_viewer(viewer, owner)


def show_in_q_viewer(viewer: "Viewer", owner: QWidget, *layers: Layer) -> Turns[None]:
    """Show layers alone in the q viewer of `viewer`, added if need be; see `q_viewer_for`.

    The layers have axes in 1/nm; the first decides how far in q to look.
    """
    q_viewer = q_viewer_for(viewer, owner)
    if _hidden(q_viewer):
        q_viewer.window.show()
        yield
    for each in q_viewer.layers:
        each.visible = each.visible and not isinstance(each, Image)
    for layer in layers:
        layer.visible = True
        if layer not in q_viewer.layers:
            # Below the line and the zone, which are drawn over every transform.
            images = [at for at, each in enumerate(q_viewer.layers) if isinstance(each, Image)]
            q_viewer.layers.insert(max(images, default=-1) + 1, layer)
        if layer is layers[0]:
            _look_at(q_viewer, layer)
        yield
    _follow_energy(viewer, q_viewer)


def q_viewer_of(viewer: "Viewer") -> Any:
    """Return the q viewer of a viewer once something is shown in it, else None."""
    q_viewer = _open.get(viewer)
    return None if q_viewer is None or _hidden(q_viewer) else q_viewer


def shown_reach(q_viewer: "Viewer") -> float:
    """Return how far in q the topmost transform shown is looked at [1/nm]."""
    layers = [each for each in q_viewer.layers if isinstance(each, Image) and each.visible]
    if not layers:
        return 1.0
    reach = layers[-1].metadata.get(KEY, {}).get(REACH)
    return float(reach or np.max(np.abs(layers[-1].extent.world[:, -2:])))


def _look_at(q_viewer: "Viewer", layer: Layer) -> None:
    q_viewer.reset_view()
    reach = layer.metadata.get(KEY, {}).get(REACH)
    if reach:
        whole = layer.extent.world[1][-1]
        q_viewer.scene.camera.zoom *= max(whole / reach, 1.0)


def _new_viewer(viewer: "Viewer", owner: QWidget) -> "Viewer":
    window = main_window(owner)
    _open[viewer] = q_viewer = napari.Viewer(title=TITLE, show=False, show_welcome_screen=False)
    # napari sends messages and samples to the newest window, be it hidden.
    window.raise_()
    show_y_up(q_viewer)
    q_viewer.canvas.overlays.scale_bar.visible = True
    note = QLabel(NOTE)
    note.setToolTip("Wave vector and wavelength under the mouse pointer [1/nm, nm]")
    q_viewer.window.add_dock_widget(note, name=DOCK, area="left")
    note.destroyed.connect(lambda: _open.pop(viewer, None))
    window.destroyed.connect(lambda: _close(viewer))
    free_in_own_context(viewer, owner, note)
    free_in_own_context(q_viewer, note, note)
    follow(viewer.dims.events.point, lambda _: _follow_energy(viewer, q_viewer), note)
    follow(q_viewer.dims.events.point, lambda _: _lead_energy(viewer, q_viewer), note)
    cursor = q_viewer.cursor
    follow(cursor.events.position, lambda _: note.setText(_q_text(cursor.position)), note)
    return q_viewer


def _hidden(q_viewer: "Viewer") -> bool:
    hidden: bool = main_window(q_viewer.window.dock_widgets[DOCK]).isHidden()
    return hidden


def _q_text(position: Any) -> str:
    """Return wave vector, wave number and wavelength at a place in the q viewer."""
    qy, qx = (float(each) for each in position[-2:])
    q = float(np.hypot(qy, qx))
    wave = f"λ = {2 * np.pi / q:.2f} nm" if q > 0 else "λ = ∞"
    return f"q = ({qx:.2f}, {qy:.2f}) 1/nm\n|q| = {q:.2f} 1/nm, {wave}"


def _follow_energy(viewer: "Viewer", q_viewer: "Viewer") -> None:
    """Show the transform at the energy at which the map is shown."""
    _share_energy(viewer, q_viewer)
    shown = [each for each in q_viewer.layers if each.visible and isinstance(each, Image)]
    show_energy(q_viewer, bias_at(shown[-1], q_viewer.dims.point) if shown else None)


def _lead_energy(viewer: "Viewer", q_viewer: "Viewer") -> None:
    """Show the map at the energy at which the transform is shown."""
    _share_energy(q_viewer, viewer)


def _share_energy(leader: "Viewer", follower: "Viewer") -> None:
    if leader.dims.ndim == follower.dims.ndim == 3:
        step = follower.dims.range[0].step
        # The follower rounds to its own slices, and must not answer with what it made of it.
        if abs(leader.dims.point[0] - follower.dims.point[0]) > 0.51 * step:
            follower.dims.set_point(0, leader.dims.point[0])


def _close(viewer: "Viewer") -> None:
    q_viewer = _open.pop(viewer, None)
    if q_viewer is not None:
        q_viewer.close()
