"""What is drawn over a transform in the q viewer: the line to cut along, zone and Bragg peaks."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes

from napari_qpi_kernel.bridge import KEY

if TYPE_CHECKING:
    from napari.viewer import Viewer

ZONE, BRAGG, CUT = "Brillouin zone", "Bragg peaks", "cut"
LINE_SHARE = 1 / 100  # line width as a share of the q shown
PER_NM = {"units": ("1/nm", "1/nm"), "axis_labels": ("qy", "qx"), "ndim": 2}


def draw_cut(q_viewer: "Viewer", reach: float) -> Shapes:
    """Add a line from q = 0, both its ends to be dragged; or return the one that is there."""
    layer = cut_layer(q_viewer)
    if layer is None:
        layer = q_viewer.add_shapes(
            [np.array([[0.0, 0.0], [0.0, 0.8 * reach]])],
            shape_type="line",
            name=CUT,
            edge_color="cyan",
            edge_width=reach * LINE_SHARE,
            metadata={KEY: {"kind": CUT}},
            **PER_NM,
        )
    q_viewer.layers.selection.active = layer
    layer.mode = "direct"
    # Only a selected line shows its ends.
    layer.selected_data = {len(layer.data) - 1}
    return layer


def cut_layer(q_viewer: "Viewer") -> Any:
    """Return the layer of the line to cut along, or None."""
    for layer in q_viewer.layers:
        if layer.metadata.get(KEY, {}).get("kind") == CUT:
            return layer
    return None


def line_of(layer: Any) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return both ends (qx, qy) of the last shape of a layer [1/nm]; None if there is none."""
    if layer is None or not len(layer.data):
        return None
    ends = [layer.data_to_world(point)[-2:] for point in np.asarray(layer.data[-1])[[0, -1]]]
    (y0, x0), (y1, x1) = ends
    return (float(x0), float(y0)), (float(x1), float(y1))


def show_zone(q_viewer: "Viewer", corners: Any, bragg: Any, reach: float) -> None:
    """Show the Brillouin zone, with the Bragg peaks of the lattice, in place of an earlier one."""
    active = _remove(q_viewer, ZONE)
    size = 4 * reach * LINE_SHARE
    rings = [_ring(peak, size) for peak in np.asarray(bragg)]
    q_viewer.add_shapes(
        [np.asarray(corners)[:, ::-1], *rings],
        shape_type=["polygon", *["ellipse"] * len(rings)],
        name=ZONE,
        edge_color="lime",
        edge_width=0.6 * reach * LINE_SHARE,
        face_color="transparent",
        metadata={KEY: {"kind": ZONE}},
        **PER_NM,
    )
    q_viewer.layers.selection.active = active


def show_bragg(q_viewer: "Viewer", peaks: Any, reach: float) -> None:
    """Mark the Bragg peaks that were found, and their opposites."""
    active = _remove(q_viewer, BRAGG)
    found = np.asarray(peaks)[:, ::-1]
    q_viewer.add_points(
        np.concatenate([found, -found]),
        name=BRAGG,
        symbol="cross",
        size=6 * reach * LINE_SHARE,
        face_color="orange",
        border_width=0,
        metadata={KEY: {"kind": BRAGG}},
        **PER_NM,
    )
    q_viewer.layers.selection.active = active


def _ring(peak: Any, size: float) -> Any:
    """Return the corners of the box around a ring at (qx, qy)."""
    signs = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    return np.asarray(peak)[::-1] + size * signs


def _remove(q_viewer: "Viewer", kind: str) -> Any:
    """Remove the layers of a kind and return the one that the user works on, to go on there."""
    for layer in list(q_viewer.layers):
        if layer.metadata.get(KEY, {}).get("kind") == kind:
            q_viewer.layers.remove(layer)
    return q_viewer.layers.selection.active
