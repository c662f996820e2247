"""The foot of a dock: bar, Cancel and status line of one job at a time."""

import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_qpi_kernel.job import Job, Show, report
from qpi_kernel.errors import GpuMemoryError, QpiError
from qpi_kernel.progress import Progress, Steps

# Before that the time left is a guess; shorter work needs none.
LEAST_SHARE, LEAST_S = 0.05, 3.0
# What is done sooner would only make the foot flicker.
BAR_DELAY_MS = 250
BUSY = "something else is running: wait until it is done, or cancel it"
CANCEL_KEYS = "Ctrl+Shift+X"


class JobBar(QWidget):
    """Runs one job at a time and shows how far it is.

    Below a scrolling column it stays in view.

    Parameters
    ----------
    use_cpu : callable, optional
        Chooses the CPU in the dock; offered where the memory of the GPU was too small.
    """

    changed = Signal()

    def __init__(self, use_cpu: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._use_cpu = use_cpu
        self._job: Job | None = None
        self._begun = 0.0
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setToolTip("How much of the work is done")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(f"Stop at once; nothing is added ({CANCEL_KEYS})")
        # On only while something runs here, since every dock has it.
        self._cancel_keys = QShortcut(QKeySequence(CANCEL_KEYS), self)
        self._cancel_keys.activated.connect(self.cancel)
        self.cancel_button.clicked.connect(self.cancel)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.on_cpu = QPushButton("Try again on the CPU")
        self.on_cpu.setToolTip("Chooses the device cpu and starts the same again")
        self.on_cpu.clicked.connect(self._again_on_cpu)
        self.on_cpu.hide()
        self._again: Callable[[], None] | None = None
        self._running = QWidget()
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(BAR_DELAY_MS)
        self._delay.timeout.connect(lambda: self._running.setVisible(self.busy))
        row = QHBoxLayout(self._running)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addWidget(self._running)
        column.addWidget(self.status)
        column.addWidget(self.on_cpu)
        self._show_state()

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None

    @property
    def showing(self) -> bool:
        """Whether the result of a job is being shown."""
        return self._job is not None and self._job.showing

    def tell(self, text: str) -> None:
        """Write a line of status."""
        self.status.setText(text)

    def run(
        self,
        ask: Callable[[], Steps[Any]],
        done: Show,
        what: str,
        seen: Callable[[Progress], None] | None = None,
    ) -> None:
        """Run the steps that `ask` returns in the thread.

        Parameters
        ----------
        ask : callable
            Returns the steps; reads the dock before the thread starts.
        done : callable
            Gets their result; see `Show`.
        what : str
            The status until the first of them.
        seen : callable, optional
            Gets each of them.
        """
        try:
            if self.busy:
                raise QpiError(BUSY)
            steps = ask()
        except QpiError as error:
            self.tell(report(error))
            return
        self.on_cpu.hide()
        self._again = lambda: self.run(ask, done, what, seen)
        job = Job(steps, done, self)
        self._job, self._begun = job, time.monotonic()
        self.bar.setValue(0)
        job.progressed.connect(self._show_progress)
        if seen is not None:
            job.stepped.connect(seen)
        job.failed.connect(lambda text: self._on_failed(text, job.error))
        job.ended.connect(self._on_ended)
        self.tell(what)
        self._show_state()
        job.start()

    def cancel(self) -> None:
        """Stop what is running; the dock is free at once."""
        if self._job is not None and self._job.cancel():
            self.tell("Cancelled.")

    def _show_progress(self, fraction: float, message: str) -> None:
        self.bar.setValue(round(1000 * fraction))
        gone = time.monotonic() - self._begun
        known = gone > LEAST_S and fraction > LEAST_SHARE
        left = f" about {_duration(gone * (1 / fraction - 1))} left" if known else ""
        self.tell(f"{message[:1].upper()}{message[1:]} …{left}")

    def _on_failed(self, text: str, error: Exception | None) -> None:
        self.tell(text)
        self.on_cpu.setVisible(isinstance(error, GpuMemoryError) and self._use_cpu is not None)

    def _again_on_cpu(self) -> None:
        if self._use_cpu is not None and self._again is not None:
            self._use_cpu()
            self._again()

    def _on_ended(self) -> None:
        self._job = None
        self._show_state()

    def _show_state(self) -> None:
        self._cancel_keys.setEnabled(self.busy)
        if self.busy:
            self._delay.start()
        else:
            self._running.hide()
        self.changed.emit()


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
