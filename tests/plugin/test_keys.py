"""The keys that the docks list, pressed over the picture of the real viewer."""

import pytest

pytest.importorskip("napari")
from qtpy.QtCore import Qt

from napari_qpi_kernel.qspace_viewer import q_viewer_of
from qpi_kernel.progress import Progress
from tests.plugin.hands import PLUGIN, canvas_of

HANG_MS = 240_000


@pytest.fixture
def window(make_napari_viewer, qtbot, add_map):
    """A viewer with a map, which has the keyboard."""
    viewer = make_napari_viewer(show=True)
    add_map(viewer)
    window = viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=HANG_MS)
    return viewer


@pytest.fixture
def open_and_press(qtbot, window):
    """Open a dock, and return it with a hand that presses Ctrl+Shift and a key."""

    def press(key):
        qtbot.keyClick(canvas_of(window), key, Qt.ControlModifier | Qt.ShiftModifier)

    def open_it(name):
        _, dock = window.window.add_plugin_dock_widget(PLUGIN, name)
        # Keys of what is not seen do nothing.
        qtbot.waitUntil(dock.isVisible, timeout=HANG_MS)
        return dock, press

    return open_it


def test_keys_find_extract_and_cancel(window, qtbot, open_and_press):
    dock, press = open_and_press("Extract kernel")
    press(Qt.Key_F)
    assert dock.job.busy
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)
    assert len(window.layers["Ag [scatterers]"].data) > 0
    press(Qt.Key_E)
    assert dock.job.status.text() == "Extracting the kernel …"
    press(Qt.Key_X)
    assert dock.job.status.text() == "Cancelled."
    assert not dock.job.busy
    press(Qt.Key_X)
    assert [layer.name for layer in window.layers] == ["Ag", "Ag [scatterers]"]


def test_keys_show_the_transform_and_take_curves(window, qtbot, open_and_press):
    dock, press = open_and_press("q-space")
    press(Qt.Key_K)
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)
    assert dock._curves.name == "Ag"
    press(Qt.Key_Y)
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)
    assert [layer.name for layer in q_viewer_of(window).layers] == ["Ag log|F|"]


def test_the_key_of_simulate(window, qtbot, open_and_press):
    dock, press = open_and_press("Simulate")
    dock.scene.form.widgets["pixels"].value = 32
    dock.scene.form.widgets["scatterers"].value = 2
    press(Qt.Key_M)
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)
    material = dock.material.materials.currentData().name
    assert window.layers[material].data.shape[-2:] == (32, 32)
    assert f"{material} [true kernel]" in window.layers


def test_the_key_of_batch_starts_only_what_can_start(qtbot, open_and_press, monkeypatch, tmp_path):
    asked = []

    def steps(request):
        asked.append(request.files)
        yield Progress(0.5, "half")
        return []

    monkeypatch.setattr("napari_qpi_kernel.batch_widget.iter_batch_request", steps)
    dock, press = open_and_press("Batch")
    press(Qt.Key_B)
    assert not dock.job.busy
    dock.files.add([str(tmp_path / "Grid.3ds")])
    dock.running.out.setText(str(tmp_path))
    press(Qt.Key_B)
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)
    assert asked == [(str(tmp_path / "Grid.3ds"),)]
