"""Two viewers, two OpenGL contexts: what one viewer frees must not be the other's.

When layers go, napari frees their textures at once, in whichever context is current. Numbers of
textures repeat from context to context: freed in that of the other viewer, one of its own textures
is gone, and napari aborts when it is drawn again.
"""

from typing import TYPE_CHECKING

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QWidget

from napari_qpi_kernel.layer_choice import follow

if TYPE_CHECKING:
    from napari.viewer import Viewer


def main_window(widget: QWidget) -> QWidget:
    """Return the window of a viewer in which a widget is docked, floating or not."""
    while widget.parentWidget() is not None:
        widget = widget.parentWidget()
    return widget


def free_in_own_context(viewer: "Viewer", docked: QWidget, owner: QWidget) -> None:
    """Make the context of a viewer current whenever its layers go, as long as `owner` lives.

    Parameters
    ----------
    viewer : Viewer
    docked : QWidget
        Any widget in its window.
    owner : QWidget
    """
    canvas = main_window(docked).findChild(QOpenGLWidget)

    def take(_: object) -> None:
        if canvas.isValid():
            canvas.makeCurrent()

    if canvas is not None:
        for event in (viewer.layers.events.removing, viewer.layers.events.begin_batch):
            follow(event, take, owner)
