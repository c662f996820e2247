"""The foot of a dock: Cancel, the bar and the status line of one job at a time."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_qpi_kernel.job import Job, report
from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Steps


class JobBar(QWidget):
    """Runs one job at a time and shows how far it is."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._job: Job | None = None
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop at once; nothing is added")
        self.cancel_button.clicked.connect(self.cancel)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextSelectableByMouse)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        for widget in (self.cancel_button, self.bar, self.status):
            column.addWidget(widget)
        self._show_state()

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None

    def run(self, ask: Callable[[], Steps[Any]], done: Callable[[Any], None], what: str) -> None:
        """Run the steps that `ask` returns in the thread and hand their result to `done`."""
        try:
            steps = ask()
        except QpiError as error:
            self.status.setText(report(error))
            return
        job = Job(steps, self)
        self._job = job
        self.bar.setValue(0)
        job.progressed.connect(self._show_progress)
        job.returned.connect(done)
        job.failed.connect(self.status.setText)
        job.ended.connect(self._on_ended)
        self.status.setText(what)
        self._show_state()
        job.start()

    def cancel(self) -> None:
        """Stop what is running; the dock is free at once."""
        if self._job is not None:
            job, self._job = self._job, None
            job.cancel()
            self.status.setText("Cancelled.")

    def _show_progress(self, fraction: float, message: str) -> None:
        self.bar.setValue(round(1000 * fraction))
        self.status.setText(f"{message[:1].upper()}{message[1:]} …")

    def _on_ended(self) -> None:
        self._job = None
        self._show_state()

    def _show_state(self) -> None:
        self.bar.setVisible(self.busy)
        self.cancel_button.setVisible(self.busy)
        self.changed.emit()
