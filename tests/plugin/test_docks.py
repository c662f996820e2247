"""What all docks have in common: tooltips, units, keys, reasons, and both themes."""

import re

import pytest

pytest.importorskip("napari")
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QShortcut, QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QScrollBar,
    QTableWidget,
)

DOCKS = ("Extract kernel", "q-space", "Simulate", "Batch")
CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)
UNITS = re.compile(r"\[(nm|1/nm|mV|meV|K|px|degrees|°|number)")


@pytest.fixture
def open_one(qtbot):
    def open_it(viewer, name):
        return viewer.window.add_plugin_dock_widget("napari-qpi-kernel", name)[1]

    return open_it


def controls(dock):
    """Every control of a dock, without the parts that Qt and superqt make them of."""
    return [
        each
        for kind in CONTROLS
        for each in dock.findChildren(kind)
        if not isinstance(each.parent(), (QAbstractSpinBox, QComboBox, QScrollBar, QTableWidget))
    ]


def turn_wheel(widget, delta):
    """Turn the wheel over a widget; return whether it took that."""
    place = QPointF(3, 3)
    turned = (QPoint(), QPoint(0, delta), Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False)
    event = QWheelEvent(place, widget.mapToGlobal(place), *turned)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def is_cut(field):
    line = field.findChild(QLineEdit)
    return line.isVisible() and line.fontMetrics().horizontalAdvance(field.text()) > line.width()


def shown(field):
    return field.currentText() if isinstance(field, QComboBox) else field.text()


@pytest.mark.parametrize("name", DOCKS)
def test_every_control_says_what_it_is_for_and_in_which_unit(make_napari_viewer, open_one, name):
    dock = open_one(make_napari_viewer(), name)
    found = controls(dock)
    assert len(found) > 10
    assert [(type(each).__name__, each.objectName()) for each in found if not each.toolTip()] == []
    fields = [each for each in found if isinstance(each, QAbstractSpinBox)]
    suffixed = [each for each in fields if getattr(each, "suffix", str)().strip()]
    assert suffixed
    assert [each.toolTip() for each in suffixed if not UNITS.search(each.toolTip())] == []


@pytest.mark.parametrize("name", DOCKS)
def test_what_is_off_says_why(make_napari_viewer, open_one, name):
    dock = open_one(make_napari_viewer(), name)
    off = [each for each in dock.findChildren(QPushButton) if not each.isEnabled()]
    assert off
    assert [each.text() for each in off if "Not now: " not in each.toolTip()] == []


@pytest.mark.parametrize("name", DOCKS)
def test_keys_are_listed_and_click(make_napari_viewer, open_one, name):
    dock = open_one(make_napari_viewer(), name)
    (told,) = [each for each in dock.findChildren(QLabel) if each.text().startswith("Keys")]
    keys = {each.key().toString(): each for each in dock.findChildren(QShortcut)}
    listed = [line.split(":")[0] for line in told.text().splitlines()[1:]]
    assert listed
    assert set(listed) < set(keys)
    assert not keys["Ctrl+Shift+X"].isEnabled()


def test_keys_of_different_docks_differ(make_napari_viewer, open_one):
    viewer = make_napari_viewer()
    keys = [
        each.key().toString()
        for name in DOCKS
        for each in open_one(viewer, name).findChildren(QShortcut)
        if each.isEnabled()
    ]
    assert len(keys) == len(set(keys)) > 4


@pytest.mark.parametrize("name", DOCKS)
def test_the_wheel_scrolls_and_changes_no_setting(make_napari_viewer, qtbot, open_one, name):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 500)
    dock = open_one(viewer, name)
    column = dock.findChild(QScrollArea)
    bar = column.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    fields = [each for each in controls(dock) if isinstance(each, (QAbstractSpinBox, QComboBox))]
    before = [shown(each) for each in fields]
    for delta in (-120, 120):
        # What a field does not take, Qt hands on to what it lies in.
        assert not [each for each in fields if turn_wheel(each, delta)]
        assert [shown(each) for each in fields] == before
        assert turn_wheel(column.viewport(), delta)
        assert (bar.value() > 0) == (delta < 0)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_docks_in_both_themes(make_napari_viewer, qtbot, open_one, add_map, screenshot, theme):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    viewer.theme = theme
    add_map(viewer, bias=None)
    seen = []
    for name in DOCKS:
        dock = open_one(viewer, name)
        if name == DOCKS[0]:
            dock.maps.size.show_size(1234.56, 1234.56)
        screenshot(viewer, f"dock_{name.split()[0].lower()}_{theme}")
        corner = dock.grab().toImage().pixelColor(3, 3)
        seen.append("dark" if corner.lightness() < 128 else "light")
        # Nothing reaches beyond the dock.
        assert [
            each.text()
            for each in dock.findChildren(QAbstractButton)
            if each.isVisible() and each.width() < each.minimumSizeHint().width() - 2
        ] == []
        assert [each.text() for each in dock.findChildren(QAbstractSpinBox) if is_cut(each)] == []
        viewer.window.remove_dock_widget(dock)
    assert seen == [theme] * len(DOCKS)
