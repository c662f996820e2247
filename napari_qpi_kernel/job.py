"""One piece of long work in a thread, with progress, Cancel and errors the user can read."""

from collections.abc import Generator
from threading import Event
from typing import Any

from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QObject, Signal
from superqt.utils import GeneratorWorker

from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Progress, Steps


class Job(QObject):
    """A generator of `Progress` at work in a thread.

    The signals arrive in the main thread. After `cancel` the job is silent: it says ``ended`` at
    once, whatever its thread still does until the next step, so that the user never waits. It also
    stops when its parent is destroyed, as happens when the window closes.

    Parameters
    ----------
    steps : generator of Progress
        The work; its body runs in the thread, so slow imports belong there.
    parent : QObject
        What the job works for.
    """

    progressed = Signal(float, str)
    stepped = Signal(object)
    returned = Signal(object)
    failed = Signal(str)
    ended = Signal()

    def __init__(self, steps: Steps[Any], parent: QObject) -> None:
        super().__init__(parent)
        self._over = False
        self.error: Exception | None = None
        self._stop = Event()
        self._worker = GeneratorWorker(_guarded, steps, self._stop)
        self._worker.yielded.connect(self._on_progress)
        self._worker.returned.connect(self._on_returned)
        self._worker.errored.connect(self._on_error)
        self._worker.finished.connect(self._on_finished)
        parent.destroyed.connect(self._stop.set)

    def start(self) -> "Job":
        """Start the thread."""
        self._worker.start()
        return self

    def cancel(self) -> None:
        """Stop at the next step of the generator, and be silent from now on."""
        self._stop.set()
        self._end()

    def _on_progress(self, step: Progress) -> None:
        if not self._over:
            self.progressed.emit(step.fraction, step.message)
            self.stepped.emit(step)

    def _on_returned(self, result: Any) -> None:
        if not self._over:
            self.returned.emit(result)
            self._end()

    def _on_error(self, error: Exception) -> None:
        if not self._over:
            self.error = error
            self.failed.emit(report(error))
            self._end()

    def _on_finished(self, _: None = None) -> None:
        self._end()
        self.deleteLater()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self.ended.emit()


def report(error: Exception) -> str:
    """Show an error as a notification and return the line that tells it.

    The user's mistakes are one sentence; the traceback of our own is kept behind a button.
    """
    if isinstance(error, QpiError):
        show_error(str(error))
        return str(error)
    notification_manager.receive_error(type(error), error, error.__traceback__)
    return f"{type(error).__name__}: {error} (please report this)"


def _guarded(steps: Steps[Any], stop: Event) -> Generator[Progress, None, Any]:
    """Run `steps` until it ends or `stop` is set, and close it in its own thread.

    The worker's own abort would leave the generator suspended, with files and memory still held.
    """
    try:
        while not stop.is_set():
            yield next(steps)
    except StopIteration as done:
        return done.value
    except RuntimeError as error:
        # superqt swallows RuntimeErrors without a signal.
        raise QpiError(f"the computation failed: {error}") from error
    finally:
        steps.close()
    return None
