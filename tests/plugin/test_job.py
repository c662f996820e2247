import subprocess
import sys
import threading

import pytest

pytest.importorskip("napari")
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, QTimer

from napari_qpi_kernel.job import Job
from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Progress

SCRIPT = """
import time
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication
from napari_qpi_kernel.job import Job
from qpi_kernel.progress import Progress

def steps():
    try:
        while True:
            yield Progress(0.5, "working")
            time.sleep(0.2)
    finally:
        print("closed")

application, owner, seen = QApplication([]), QObject(), []
job = Job(steps(), print, owner)
job.progressed.connect(lambda *_: seen.append(True))
job.start()
while not seen:
    application.processEvents()
"""


@pytest.fixture
def heard():
    return {"progress": [], "returned": [], "failed": [], "ended": 0}


@pytest.fixture
def start(qtbot, heard):
    owners = []

    def begin(steps, show=None):
        owners.append(QObject())
        job = Job(steps, show or heard["returned"].append, owners[-1])
        job.progressed.connect(lambda fraction, message: heard["progress"].append(fraction))
        job.failed.connect(heard["failed"].append)
        job.ended.connect(lambda: heard.update(ended=heard["ended"] + 1))
        job.start()
        return job, owners[-1]

    return begin


def test_progress_and_result_arrive_in_order(qtbot, start, heard):
    def steps():
        yield Progress(0.1, "begin")
        yield Progress(0.9, "end")
        return 42

    start(steps())
    qtbot.waitUntil(lambda: heard["ended"] == 1)
    assert heard["progress"] == [0.1, 0.9]
    assert heard["returned"] == [42]
    assert heard["failed"] == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (QpiError("the map is empty: open another"), "the map is empty: open another"),
        (RuntimeError("cuFFT is lost"), "the computation failed: cuFFT is lost"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_errors_become_one_line_and_a_notification(qtbot, start, heard, error, words):
    def steps():
        yield Progress(0.1, "begin")
        raise error

    before = len(notification_manager.records)
    start(steps())
    qtbot.waitUntil(lambda: heard["ended"] == 1)
    assert len(heard["failed"]) == 1
    assert words in heard["failed"][0]
    assert heard["returned"] == []
    assert len(notification_manager.records) == before + 1


def endless(closed, gate):
    try:
        while True:
            gate.wait(0.01)
            yield Progress(0.5, "working")
    finally:
        closed.set()


def test_cancel_ends_at_once_and_closes_the_generator(qtbot, start, heard):
    closed = threading.Event()
    job, _ = start(endless(closed, threading.Event()))
    qtbot.waitUntil(lambda: len(heard["progress"]) > 2)
    job.cancel()
    assert heard["ended"] == 1
    qtbot.waitUntil(closed.is_set)
    seen = len(heard["progress"])
    qtbot.wait(50)
    assert len(heard["progress"]) == seen
    assert heard["returned"] == heard["failed"] == []
    assert heard["ended"] == 1


def test_a_job_stops_with_its_owner(qtbot, start, heard):
    closed = threading.Event()
    _, owner = start(endless(closed, threading.Event()))
    qtbot.waitUntil(lambda: len(heard["progress"]) > 2)
    owner.deleteLater()
    qtbot.waitUntil(closed.is_set)
    assert heard["returned"] == []


def test_a_result_is_shown_in_turns_of_the_event_loop(qtbot, start, heard):
    def steps():
        yield Progress(0.1, "begin")
        return "ab"

    happened = []

    def show(result):
        for part in result:
            happened.append(part)
            QTimer.singleShot(0, lambda: happened.append("life"))
            assert not heard["ended"]
            yield

    job, _ = start(steps(), show)
    qtbot.waitUntil(lambda: job.showing)
    assert not job.cancel()
    qtbot.waitUntil(lambda: heard["ended"] == 1)
    assert happened == ["a", "life", "b", "life"]


def test_a_turn_that_fails_is_the_last(qtbot, start, heard):
    def steps():
        yield Progress(0.1, "begin")

    def show(_):
        yield
        raise ZeroDivisionError("by zero")

    with qtbot.capture_exceptions() as raised:
        start(steps(), show)
        qtbot.waitUntil(lambda: heard["ended"] == 1)
    assert [kind for kind, *_ in raised] == [ZeroDivisionError]


def test_a_script_that_ends_in_the_middle_of_a_job_ends_well():
    outcome = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout == "closed\n"
