"""The scrolling column of a dock."""

from typing import Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QScrollArea, QWidget

SETTLE_MS = 50


class Column(QScrollArea):
    """Scrolls down only: what is inside says how narrow the dock may become."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.NoFrame)
        self._aim: QWidget | None = None

    def show_top_of(self, widget: QWidget) -> None:
        """Scroll down to the top of `widget` as soon as its new texts have found their place."""
        self._aim = widget
        QTimer.singleShot(SETTLE_MS, self._scroll)

    def _scroll(self) -> None:
        if self._aim is not None:
            self.verticalScrollBar().setValue(self._aim.y())

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Follow the contents, whose width changes with their texts and the style sheet."""
        if watched is self.widget() and event.type() in (QEvent.LayoutRequest, QEvent.Show):
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(self.widget().minimumSizeHint().width() + bar)
        handled: bool = super().eventFilter(watched, event)
        return handled
