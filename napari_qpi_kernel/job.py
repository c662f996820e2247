"""One piece of long work in a thread, with progress, Cancel and errors the user can read."""

from collections.abc import Callable, Generator, Iterator
from functools import cache
from threading import Event, Thread, main_thread
from typing import Any, TypeVar

from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QObject, QThreadPool, QTimer, Signal
from superqt.utils import GeneratorWorker

from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Progress, Steps

T = TypeVar("T")
# Work of the main thread: each `yield` lets the window live before it goes on.
Turns = Generator[None, None, T]
# Gets a result in the main thread; what takes long there is a generator of turns.
Show = Callable[[Any], Turns[None] | None]
OVER = object()
# Between two turns, for mouse, keys and paint.
REST_MS = 10
# With jobs that are at work when Python ends; a first import of torch is the longest step.
PATIENCE_MS = 60_000

_ending = Event()


class Job(QObject):
    """A generator of `Progress` at work in a thread.

    The signals arrive in the main thread. After `cancel` the job is silent: it says ``ended`` at
    once, whatever its thread still does until the next step, so that the user never waits. It also
    stops when its parent is destroyed, as happens when the window closes. A job has ended when its
    result is shown.

    Parameters
    ----------
    steps : generator of Progress
        The work; its body runs in the thread, so slow imports belong there.
    show : Show
        Gets what they return.
    parent : QObject
        What the job works for.
    """

    progressed = Signal(float, str)
    stepped = Signal(object)
    failed = Signal(str)
    ended = Signal()

    def __init__(self, steps: Steps[Any], show: Show, parent: QObject) -> None:
        super().__init__(parent)
        self._show = show
        self._turns: Iterator[None] = iter(())
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(REST_MS)
        self._clock.timeout.connect(self._take_turn)
        self._over = False
        self.error: Exception | None = None
        self._stop = Event()
        self._worker = GeneratorWorker(_guarded, steps, self._stop)
        self._worker.yielded.connect(self._on_progress)
        self._worker.returned.connect(self._on_returned)
        self._worker.errored.connect(self._on_error)
        self._worker.finished.connect(self._on_finished)
        parent.destroyed.connect(self._stop.set)

    @property
    def showing(self) -> bool:
        """Whether the work is done and its result is being shown, turn by turn."""
        active: bool = self._clock.isActive()
        return active

    def start(self) -> "Job":
        """Start the thread."""
        _end_before_python()
        self._worker.start()
        return self

    def cancel(self) -> bool:
        """Stop at the next step and be silent from now on, unless the result is just shown."""
        if self.showing:
            return False
        self._stop.set()
        self._end()
        return True

    def _on_progress(self, step: Progress) -> None:
        if not self._over:
            self.progressed.emit(step.fraction, step.message)
            self.stepped.emit(step)

    def _on_returned(self, result: Any) -> None:
        if not self._over:
            turns = self._show(result)
            if turns is None:
                self._end()
            else:
                self._turns = turns
                self._clock.start()

    def _take_turn(self) -> None:
        try:
            over = next(self._turns, OVER) is OVER
        finally:
            # After a turn that failed comes the last: its generator is exhausted.
            self._clock.start()
        if over:
            self._clock.stop()
            self._end()
            self.deleteLater()

    def _on_error(self, error: Exception) -> None:
        if not self._over:
            self.error = error
            self.failed.emit(report(error))
            self._end()

    def _on_finished(self, _: None = None) -> None:
        if not self.showing:
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


@cache
def _end_before_python() -> None:
    """Let no job outlive the main thread: napari sees to that only where its event loop has run.

    A thread that Python knows of is waited for before `atexit`. What a job imports later than that
    cannot clean up after itself any more, and HDF5 then ends the process with a fault.
    """

    def wait() -> None:
        main_thread().join()
        _ending.set()
        QThreadPool.globalInstance().waitForDone(PATIENCE_MS)

    Thread(target=wait, name="end of jobs").start()


def _guarded(steps: Steps[Any], stop: Event) -> Generator[Progress, None, Any]:
    """Run `steps` until it ends, `stop` is set or Python ends, and close it in its own thread.

    The worker's own abort would leave the generator suspended, with files and memory still held.
    """
    try:
        while not (stop.is_set() or _ending.is_set()):
            yield next(steps)
    except StopIteration as done:
        return done.value
    except RuntimeError as error:
        # superqt swallows RuntimeErrors without a signal.
        raise QpiError(f"the computation failed: {error}") from error
    finally:
        steps.close()
    return None
