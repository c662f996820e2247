"""A watch on Qt's event loop."""

import time

from qtpy.QtCore import QTimer

TICK_MS = 5


class Ticks:
    """A timer that notes how long the main thread worked, and slept, between two of its ticks.

    The turns that show the result of a job are counted apart; with the last of them it is `over`.
    """

    def __init__(self, bar):
        self._bar = bar
        self.work_ms, self.gap_ms, self.showing_ms, self.over = [], [], [], False
        self._timer = QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)

    def __enter__(self):
        self._last = time.thread_time(), time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_):
        self._timer.stop()

    def _tick(self):
        now = time.thread_time(), time.perf_counter()
        work, gap = (1e3 * (at - then) for at, then in zip(now, self._last, strict=True))
        self._last = now
        if self._bar.showing or not (self._bar.busy or self.over):
            self.showing_ms.append(work)
            self.over = not self._bar.busy
        elif not self.over:
            self.work_ms.append(work)
            self.gap_ms.append(gap)
