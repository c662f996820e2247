"""The scrolling column of a dock."""

from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QScrollArea


class Column(QScrollArea):
    """Scrolls down only: what is inside says how narrow the dock may become."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.NoFrame)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Follow the contents, whose width changes with their texts and the style sheet."""
        if watched is self.widget() and event.type() in (QEvent.LayoutRequest, QEvent.Show):
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(self.widget().minimumSizeHint().width() + bar)
        handled: bool = super().eventFilter(watched, event)
        return handled
