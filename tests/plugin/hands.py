"""What hands do in a napari window: keys, clicks, drags and drops, at places of the world."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QDockWidget, QScrollArea, QWidget

from napari_qpi_kernel.qspace_viewer import TITLE

PLUGIN = "napari-qpi-kernel"
HANG_MS = 400_000  # only against hanging for ever
PAUSE_MS = 60  # napari draws and picks between two events of a hand


@dataclass
class Day:
    """Where the work is done, and by which hands."""

    viewer: Any
    dock: Any
    bot: Any
    folder: Path
    truth: Any
    shot: Callable[..., None]
    answer: Callable[[Path], None]

    def click(self, button):
        """Click a button, after going to its tab and scrolling to it as anybody would."""
        column, tab = (_around(button, kind) for kind in (QScrollArea, QDockWidget))
        tab.raise_()

        def in_view():
            column.ensureWidgetVisible(button)
            return button.visibleRegion().contains(button.rect().center())

        self.wait(in_view)
        assert button.isEnabled(), button.toolTip()
        self.bot.mouseClick(button, Qt.LeftButton)

    def wait(self, until):
        self.bot.waitUntil(until, timeout=HANG_MS)

    def run(self, button, dock=None):
        """Click and wait until the work is done."""
        self.click(button)
        self.wait(lambda: not (dock or self.dock).job.busy)

    def type_into(self, field, text):
        field.selectAll()
        self.bot.keyClicks(field, text)
        self.bot.keyClick(field, Qt.Key_Return)

    def open_dock(self, name):
        """Open another dock as a tab beside the first."""
        return self.viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)[1]

    def layer(self, kind):
        """Return the layer of a result or a part of the map that is worked on."""
        return self.viewer.layers[f"{self.dock.maps.layer.name} [{kind}]"]


def click(qtbot, button):
    """Click a button that is on."""
    assert button.isEnabled(), button.toolTip()
    qtbot.mouseClick(button, Qt.LeftButton)


def wait_until_idle(qtbot, dock):
    """Wait until a dock has done what it was asked for."""
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)


def extract(qtbot, dock):
    """Click Extract and wait for the result."""
    click(qtbot, dock.settings.extract)
    wait_until_idle(qtbot, dock)


def names(viewer):
    """Return the names of the layers."""
    return [layer.name for layer in viewer.layers]


def q_viewers():
    """Return all q viewers, hidden ones too."""
    return [each for each in list(napari.Viewer._instances) if each.title == TITLE]


def shown_windows():
    """Return the viewers that can be seen."""
    return [each for each in list(napari.Viewer._instances) if each.window._qt_window.isVisible()]


def canvas_of(viewer):
    return _inside(viewer, "CanvasBackendDesktop")


def point_at(qtbot, viewer, place):
    """Move the mouse to (x, y) in world units, from a place beside it."""
    canvas, pixel = canvas_of(viewer), _pixel(viewer, place)
    for step in (pixel + QPoint(5, 5), pixel):
        qtbot.mouseMove(canvas, step)
        qtbot.wait(PAUSE_MS)


def click_at(qtbot, viewer, place, keys=Qt.NoModifier):
    """Click at (x, y) in world units."""
    canvas, pixel = canvas_of(viewer), _pixel(viewer, place)
    qtbot.mouseMove(canvas, pixel)
    qtbot.wait(PAUSE_MS)
    qtbot.mouseClick(canvas, Qt.LeftButton, keys, pixel)
    qtbot.wait(PAUSE_MS)


def drag(qtbot, viewer, start, end):
    """Drag the mouse from one (x, y) to another."""
    canvas = canvas_of(viewer)
    middle = tuple(0.5 * (a + b) for a, b in zip(start, end, strict=True))
    qtbot.mouseMove(canvas, _pixel(viewer, start))
    qtbot.wait(PAUSE_MS)
    qtbot.mousePress(canvas, Qt.LeftButton, pos=_pixel(viewer, start))
    path = [_pixel(viewer, place) for place in (middle, end)]
    for pixel in path:
        qtbot.wait(PAUSE_MS)
        qtbot.mouseMove(canvas, pixel)
    qtbot.wait(PAUSE_MS)
    qtbot.mouseRelease(canvas, Qt.LeftButton, pos=path[-1])
    qtbot.wait(PAUSE_MS)


def press(qtbot, viewer, key):
    """Press a key over the picture."""
    qtbot.keyClick(canvas_of(viewer), key)
    qtbot.wait(PAUSE_MS)


def close_notifications(qtbot, viewer):
    """Close what napari told; it goes by itself, but not in tests."""
    for told in _all_inside(viewer, "NapariQtNotification"):
        qtbot.mouseClick(told.close_button, Qt.LeftButton)


def drop(viewer, *paths):
    """Drop files onto the picture."""
    drop_on(_inside(viewer, "QtViewer"), *paths)


def drop_on(widget, *paths):
    """Drop files onto a widget."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(Path(path))) for path in paths])
    place = QPointF(50, 50)
    widget.dropEvent(QDropEvent(place, Qt.CopyAction, mime, Qt.LeftButton, Qt.NoModifier))


def _inside(viewer, kind):
    return _all_inside(viewer, kind)[0]


def _all_inside(viewer, kind):
    widgets = viewer.window._qt_window.findChildren(QWidget)
    return [each for each in widgets if type(each).__name__ == kind]


def _pixel(viewer, place):
    """Return where (x, y) is drawn; y points up."""
    canvas, camera = canvas_of(viewer), viewer.scene.camera
    right = (place[0] - camera.center[-1]) * camera.zoom
    up = (place[1] - camera.center[-2]) * camera.zoom
    return QPoint(round(canvas.width() / 2 + right), round(canvas.height() / 2 - up))


def _around(widget, kind):
    """Return the widget of a kind in which another one lies."""
    while not isinstance(widget, kind):
        widget = widget.parentWidget()
    return widget
