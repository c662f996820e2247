"""Real napari on a display, Xvfb for one; skipped with a reason where there is none."""

import importlib.util
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

# Their assertions tell as much as those of tests.
pytest.register_assert_rewrite(
    *(f"tests.plugin.{name}" for name in ("day_morning", "day_afternoon"))
)

HERE = Path(__file__).parent
SCREENSHOTS = HERE.parents[1] / "screenshots"


def why_not():
    if importlib.util.find_spec("napari") is None:
        return "napari is not installed"
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return "no display: run under xvfb-run"
    return ""


def pytest_collection_modifyitems(items):
    reason = why_not()
    for item in items:
        if reason and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def simulated():
    """A small map of Ag(111) with the truth beside it."""
    from qpi_kernel.simulate import simulate_map

    return simulate_map(
        "ag111", bias_mV=[-20.0, 5.0, 30.0], size_nm=30.0, pixels=80, scatterers=7, snr=20.0, seed=2
    )


@pytest.fixture
def add_map(simulated):
    """Add the simulated map to a viewer, one energy or all of them."""
    from napari.layers import Layer

    from napari_qpi_kernel.bridge import map_to_layer

    def add(viewer, *, bias=1, name="Ag", didv=None):
        didv = simulated.didv if didv is None else didv
        if bias is not None:
            didv = didv.isel(bias=slice(bias, bias + 1))
        return viewer.add_layer(Layer.create(*map_to_layer(didv, name)))

    return add


@pytest.fixture
def open_dock(qtbot):
    """Open the dock "Extract kernel"; few draws of the posterior, for the sake of time."""

    def open_it(viewer, method="aligned"):
        _, dock = viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "Extract kernel")
        dock.settings.form.widgets["method"].value = method
        dock.settings.more.widgets["samples"].value = 4
        return dock

    return open_it


@pytest.fixture
def open_qspace(qtbot):
    """Open the dock "q-space"."""

    def open_it(viewer):
        return viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "q-space")[1]

    return open_it


@pytest.fixture
def batch_here(client, monkeypatch):
    """Let batches run here; returns what they ask for: workers, scheduler and device of each."""

    @contextmanager
    def give(*asked):
        given.append(asked)
        yield client

    given = []
    monkeypatch.setattr("qpi_kernel.batch.connected", give)
    return given


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """Keep the state of the docks in a folder of the test's own."""
    folder = tmp_path / "user data"
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: folder)
    return folder


@pytest.fixture(autouse=True)
def threads_end():
    """Let no thread of one test reach into the next."""
    yield
    from qtpy.QtCore import QThreadPool

    assert QThreadPool.globalInstance().waitForDone(60_000)


@pytest.fixture
def screenshot(qtbot):
    """Save what a viewer or a widget shows, for people to look at."""
    from qtpy.QtWidgets import QWidget

    def save(shown, name):
        SCREENSHOTS.mkdir(exist_ok=True)
        qtbot.wait(300)
        path = str(SCREENSHOTS / f"{name}.png")
        if isinstance(shown, QWidget):
            shown.grab().save(path)
        else:
            shown.screenshot(path, canvas_only=False, flash=False)

    return save
