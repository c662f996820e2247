import numpy as np
import pytest

pytest.importorskip("napari")
from napari.layers import Layer
from qtpy.QtCore import Qt

from napari_qpi_kernel.bridge import KEY, map_to_layer
from qpi_kernel.simulate import crop_kernel
from qpi_kernel.simulate.materials import MATERIALS

WAIT = {"timeout": 60_000}


@pytest.fixture
def open_dock(qtbot):
    def open_it(viewer):
        _, dock = viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "Simulate")
        choose(dock, "ag111")
        return dock

    return open_it


def choose(dock, material):
    names = [dock.material.materials.itemData(i).name for i in range(len(MATERIALS))]
    dock.material.materials.setCurrentIndex(names.index(material))


def fill(dock, **values):
    for name, value in values.items():
        form = dock.scene.form if name in dock.scene.form.widgets else dock.material.form
        form.widgets[name].value = value


def click(qtbot, dock, button):
    qtbot.mouseClick(button, Qt.LeftButton)
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)


def test_theory_over_data(make_napari_viewer, qtbot, open_dock, screenshot, simulated):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    dock = open_dock(viewer)
    fill(dock, first_mV=-20.0, last_mV=20.0, energies=3, size_nm=24.0, pixels=64, scatterers=5)
    click(qtbot, dock, dock.scene.simulate)
    assert [layer.name for layer in viewer.layers] == [
        "ag111", "ag111 [true kernel]", "ag111 [true scatterers]"
    ]  # fmt: skip
    assert viewer.layers["ag111"].data.shape == (3, 64, 64)
    assert viewer.layers["ag111"].scale == pytest.approx([20.0, 0.375, 0.375])

    kernel = crop_kernel(simulated.kernel, 12.0)
    data = map_to_layer(kernel, "Ag [kernel]", kind="kernel", offset_nm=(5.0, 50.0))
    dock.theory.kernels.choose(viewer.add_layer(Layer.create(*data)))
    click(qtbot, dock, dock.theory.compare)
    theory, rest = viewer.layers["Ag [kernel] [theory]"], viewer.layers["Ag [kernel] [difference]"]
    assert theory.data.shape == kernel.shape
    assert theory.scale == pytest.approx(viewer.layers["Ag [kernel]"].scale)
    np.testing.assert_allclose(theory.data + rest.data, kernel.values, atol=1e-5)
    facts = theory.metadata[KEY]
    assert np.min(facts["correlation"]) > 0.999
    assert facts["theory"]["scatterer"] == "scalar"
    assert "1.00" in dock.theory.result.text()
    assert rest.extent.world[0][-1] > theory.extent.world[1][-1]
    screenshot(viewer, "simulate")


def test_a_map_like_a_layer(make_napari_viewer, open_dock, add_map):
    viewer = make_napari_viewer()
    layer = add_map(viewer, bias=None)
    dock = open_dock(viewer)
    dock.scene.like.choose(layer)
    asked = dock.settings()
    assert asked.biases_mV == [-20.0, 5.0, 30.0]
    assert (asked.pixels, asked.size_nm) == (80, pytest.approx(30.0))


def test_scatterers_and_energies_follow_the_material(make_napari_viewer, open_dock):
    viewer = make_napari_viewer()
    dock = open_dock(viewer)
    for name, material in MATERIALS.items():
        choose(dock, name)
        offered = [dock.material.scatterers.itemText(i) for i in range(len(material.scatterers))]
        assert offered == list(material.scatterers)
        assert all(material.holds_at(bias / 1e3) for bias in dock.settings().biases_mV)


def test_mistakes_are_told_and_the_dock_lives(make_napari_viewer, qtbot, open_dock):
    viewer = make_napari_viewer()
    dock = open_dock(viewer)
    fill(dock, first_mV=-900.0)
    click(qtbot, dock, dock.scene.simulate)
    assert "-900 mV lies outside" in dock.job.status.text()
    assert dock.scene.simulate.isEnabled()
    assert not dock.theory.compare.isEnabled()
    assert len(viewer.layers) == 0


def test_cancel_adds_nothing(make_napari_viewer, qtbot, open_dock):
    viewer = make_napari_viewer()
    dock = open_dock(viewer)
    fill(dock, first_mV=0.0, energies=500, last_mV=50.0, size_nm=24.0, pixels=64, scatterers=5)
    qtbot.mouseClick(dock.scene.simulate, Qt.LeftButton)
    dock.job.cancel_button.click()
    assert dock.job.status.text() == "Cancelled."
    assert dock.scene.simulate.isEnabled()
    qtbot.wait(300)
    assert len(viewer.layers) == 0
