"""The gauge before Extract: the map against the range that the model was trained on."""

from collections.abc import Callable, Hashable, Sequence
from html import escape
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel

from napari_qpi_kernel.extraction import Request, iter_validity_request
from napari_qpi_kernel.job import Job
from qpi_kernel.errors import QpiError

DEBOUNCE_MS = 400
GREEN, RED = "#2ea043", "#ef4444"


class Gauge(QLabel):
    """Readings of the map in a table, each in range or red with the reason.

    They are taken in a thread when the hand rests, and only if something has changed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.RichText)
        self.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.setToolTip(
            "The map at the energy shown, against the range that the model was trained on"
        )
        self._job: Job | None = None
        self._asked: tuple[Hashable, Callable[[], Request]] | None = None
        self._shown: Hashable = None
        self._awake = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self._read)

    def wake(self) -> None:
        """Begin to take readings: the dock is drawn, and slow imports are done."""
        self._awake = True
        self._timer.start()

    def ask(self, key: Hashable, request: Callable[[], Request]) -> None:
        """Take the readings of `request`, unless those of an equal `key` are shown already."""
        self._asked = key, request
        if self._awake and key != self._shown:
            self._timer.start()

    def clear_readings(self) -> None:
        """Show nothing: there is no map to look at."""
        self._stop()
        self._asked = None
        self.clear()

    def _stop(self) -> None:
        self._timer.stop()
        self._shown = None
        if self._job is not None:
            self._job.cancel()

    def _read(self) -> None:
        if self._asked is None or self._asked[0] == self._shown:
            return
        self._stop()
        self._shown, request = self._asked
        try:
            steps = iter_validity_request(request())
        except QpiError as error:
            # A layer that cannot be used, rotated for one: Extract will say so, nobody asked yet.
            self.setText(escape(str(error)))
            return
        self._job = Job(steps, self._show, self)
        self._job.failed.connect(self.setText)
        self._job.ended.connect(self._forget)
        self._job.start()

    def _forget(self) -> None:
        self._job = None

    def _show(self, readings: Sequence[Any]) -> None:
        self.setText(readings_html(readings))


def readings_html(readings: Sequence[Any]) -> str:
    """Return readings (name, text, problem) as a table; what is out of range is red."""
    rows = []
    for reading in readings:
        colour, word = (RED, "out of range") if reading.problem else (GREEN, "in range")
        rows.append(
            f"<tr><td>{escape(reading.name)}&nbsp;&nbsp;</td><td>{escape(reading.text)}&nbsp;</td>"
            f"<td align='right' style='color:{colour}; white-space:nowrap'>{word}</td></tr>"
        )
        if reading.problem:
            rows.append(
                f"<tr><td></td><td colspan='2' style='color:{RED}'>{escape(reading.problem)}</td>"
                "</tr>"
            )
    return f"<table width='100%'>{''.join(rows)}</table>"
