"""How a dock is laid out: rows in a column that scrolls."""

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

FIELDS = (QComboBox, QAbstractSpinBox)
SETTLE_MS = 50
# Rows that arrive later than their neighbours (the gauge, from its thread) move what was in view.
FOLLOW_MS = 2000
KEYS_MARGINS_PX = (10, 0, 0, 0)


class Column(QScrollArea):
    """Scrolls down only: what is inside says how narrow the dock may become."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.NoFrame)
        self._aim: QWidget | None = None
        self._follow = QTimer(self)
        self._follow.setSingleShot(True)
        self._follow.setInterval(FOLLOW_MS)
        self._follow.timeout.connect(self._let_go)
        self.verticalScrollBar().rangeChanged.connect(lambda *_: self._scroll())

    def show_top(self) -> None:
        """Scroll up to the first row."""
        self._let_go()
        self.verticalScrollBar().setValue(0)

    def show_top_of(self, widget: QWidget) -> None:
        """Scroll down to the top of `widget`, again while the column still changes its height."""
        self._aim = widget
        self._follow.start()
        QTimer.singleShot(SETTLE_MS, self._scroll)

    def _scroll(self) -> None:
        if self._aim is not None:
            self.verticalScrollBar().setValue(self._aim.y())

    def _let_go(self) -> None:
        self._aim = None

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Follow the contents, whose width changes with their texts and the style sheet.

        The wheel over a field scrolls: it must not change settings that pass under the mouse.
        """
        if event.type() == QEvent.Wheel and isinstance(watched, FIELDS):
            event.ignore()
            return True
        if watched is self.widget() and event.type() in (QEvent.LayoutRequest, QEvent.Show):
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(self.widget().minimumSizeHint().width() + bar)
        handled: bool = super().eventFilter(watched, event)
        return handled


def row(*widgets: QWidget) -> QWidget:
    """Return widgets side by side."""
    side_by_side = QWidget()
    layout = QHBoxLayout(side_by_side)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return side_by_side


def lay_out(
    dock: QWidget, panels: Sequence[QWidget], foot: QWidget, keys: Mapping[str, QAbstractButton]
) -> Column:
    """Fill a dock: panels in a column that scrolls, and a foot below it that stays in view.

    Parameters
    ----------
    dock : QWidget
    panels : sequence of QWidget
        From the top to the bottom.
    foot : QWidget
        What stays in view.
    keys : mapping
        Buttons by the keys that click them from anywhere in the window; listed below the panels.
    """
    inside = QWidget()
    rows = QVBoxLayout(inside)
    for panel in panels:
        rows.addWidget(panel)
    names = []
    for sequence, button in keys.items():
        shortcut = QShortcut(QKeySequence(sequence), dock)
        # A button that is off does not click.
        shortcut.activated.connect(button.click)
        shown = shortcut.key().toString(QKeySequence.NativeText)
        names.append(f"{shown}: {button.text().rstrip('…')}")
    told = QLabel("Keys\n" + "\n".join(names))
    told.setToolTip("Press them anywhere in the window of the map")
    told.setContentsMargins(*KEYS_MARGINS_PX)
    rows.addWidget(told)
    rows.addStretch()
    column = Column()
    column.setWidget(inside)
    for kind in FIELDS:
        for field in inside.findChildren(kind):
            field.installEventFilter(column)
    layout = QVBoxLayout(dock)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(column)
    layout.addWidget(foot)
    return column


def offer(button: QAbstractButton, reason: str) -> None:
    """Let a button be clicked, or say in its tooltip why it cannot be now."""
    note = button.property("note") or button.toolTip()
    button.setProperty("note", note)
    button.setEnabled(not reason)
    button.setToolTip(f"{note}\nNot now: {reason}" if reason else note)
