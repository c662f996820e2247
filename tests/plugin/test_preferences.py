import shutil

import pytest

pytest.importorskip("napari")
from napari_qpi_kernel.preferences import preferences
from qpi_kernel.learn.model import SHIPPED
from qpi_kernel.pipeline import PipelineSettings
from tests.plugin.hands import HANG_MS, click, extract, wait_until_idle


@pytest.fixture
def prefer():
    """Change preferences for one test."""
    mine = preferences()
    before = mine.model_dump()
    yield mine
    mine.update(before)


def test_device_and_colormap_are_those_preferred(
    make_napari_viewer, qtbot, add_map, open_dock, prefer
):
    prefer.device, prefer.colormap = "cpu", "PiYG"
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer, method="average")
    assert dock.settings.device.currentText() == "cpu"
    extract(qtbot, dock)
    assert {viewer.layers[f"Ag [{kind}]"].colormap.name for kind in ("kernel", "residual")} == {
        "PiYG"
    }


def test_a_batch_without_the_dock_takes_device_and_model_preferred(make_napari_viewer, prefer):
    viewer = make_napari_viewer()
    dock = viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "Batch")[1]
    assert dock._request().settings() == PipelineSettings(all_biases=True)
    prefer.device, prefer.model = "cpu", "mine.safetensors"
    asked = dock._request().settings()
    assert (asked.device, asked.extract.model) == ("cpu", "mine.safetensors")
    assert "Preferences" in dock.source.summary.text()
    dock.source.source.setCurrentIndex(1)
    assert dock._request().extract is None


def test_a_model_of_ones_own_is_told_used_and_recorded(
    make_napari_viewer, qtbot, add_map, open_dock, prefer, simulated, tmp_path
):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    line = dock.settings.machine
    prefer.model = str(tmp_path / "mine.safetensors")
    qtbot.waitUntil(lambda: "mine.safetensors" in line.text(), timeout=HANG_MS)
    dock.scatterers.add(simulated.scatterers)
    click(qtbot, dock.settings.extract)
    wait_until_idle(qtbot, dock)
    assert "mine.safetensors: the model cannot be loaded" in dock.job.status.text()

    shutil.copy(SHIPPED, prefer.model)
    extract(qtbot, dock)
    asked = dock.results.outcome.recipe["settings"]["extract"]
    assert asked["model"] == prefer.model
    prefer.model = ""
    qtbot.waitUntil(lambda: "model qpi-kernel" in line.text(), timeout=HANG_MS)
    assert dock.settings.value().model is None
