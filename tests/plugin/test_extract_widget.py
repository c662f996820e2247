import json

import numpy as np
import pytest

pytest.importorskip("napari")
import torch
from qtpy.QtWidgets import QFileDialog

from napari_qpi_kernel.bridge import KEY
from qpi_kernel.extract.grids import make_grids
from qpi_kernel.read import read_file, select_didv
from tests.plugin.hands import HANG_MS, click, extract, names, q_viewers, wait_until_idle

KINDS = ("kernel", "kernel spread", "reconstruction", "residual", "scatterers")


def top_of(widget, dock):
    return widget.mapTo(dock, widget.rect().topLeft()).y()


def test_a_day_with_it(
    make_napari_viewer, qtbot, add_map, open_dock, screenshot, tmp_path, monkeypatch
):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    add_map(viewer, bias=None)
    dock = open_dock(viewer)
    assert dock.problem() == ""
    assert viewer.scene.camera.orientation2d == ("up", "right")

    viewer.dims.set_point(0, 30.0)
    assert dock.maps.energy.text() == "E = 30.0 mV"
    assert viewer.canvas.overlays.text.text == "E = 30.0 mV"

    click(qtbot, dock.maps.draw)
    region = viewer.layers["Ag [region]"]
    region.add_rectangles(np.array([[4.0, 3.0], [4.0, 27.0], [26.0, 27.0], [26.0, 3.0]]))
    qtbot.waitUntil(lambda: dock.maps.size.width_nm.text() == "24.00 nm")
    assert dock.maps.size.height_nm.text() == "22.00 nm"
    assert dock.maps.place.text() == "x 3.00 to 27.00, y 4.00 to 26.00 nm, 64 × 59 px"

    click(qtbot, dock.scatterers.find)
    wait_until_idle(qtbot, dock)
    found = viewer.layers["Ag [scatterers]"]
    assert len(found.data) > 0
    assert dock.scatterers.layer == found
    found.selected_data = {0}
    found.remove_selected()
    found.add([[15.0, 15.0]])
    qtbot.waitUntil(lambda: dock.scatterers.count.text().startswith(f"{len(found.data)} "))
    screenshot(viewer, "points")

    click(qtbot, dock.settings.extract)
    assert not dock.settings.extract.isEnabled()
    wait_until_idle(qtbot, dock)
    assert {f"Ag [{kind}]" for kind in KINDS} <= set(names(viewer))
    screenshot(viewer, "result")
    qtbot.waitUntil(lambda: top_of(dock.results, dock) < dock.height() / 2, timeout=HANG_MS)
    for kind in KINDS[:4]:
        layer = viewer.layers[f"Ag [{kind}]"]
        assert layer.scale == pytest.approx([0.375, 0.375])
        assert [str(unit) for unit in layer.units] == ["nanometer", "nanometer"]
        assert layer.axis_labels == ("y", "x")
        facts = json.loads(json.dumps(layer.metadata[KEY]))
        assert facts["bias_mV"] == [30.0]
        assert facts["recipe"]["settings"]["region_nm"] == pytest.approx([3, 4, 27, 26])
        assert facts["assessment"]["verdict"] == dock.results.outcome.assessment.verdict
    world = viewer.layers["Ag [reconstruction]"].extent.world
    assert np.all(world[0] > [3.5, 2.5])
    assert np.all(world[1] < [26.5, 27.5])

    map_right = viewer.layers["Ag"].extent.world[1][-1]
    kernel, spread = viewer.layers["Ag [kernel]"], viewer.layers["Ag [kernel spread]"]
    for layer in (kernel, spread):
        assert layer.visible
        assert layer.extent.world[0][-1] > map_right
    assert spread.extent.world[0][-1] > kernel.extent.world[1][-1]
    assert dock.results.outcome.assessment.verdict in dock.results.verdict.text()

    (q_viewer,) = q_viewers()
    fft = q_viewer.layers["Ag [kernel FFT]"]
    assert [str(unit) for unit in fft.units] == ["1 / nanometer"] * 2
    side = kernel.data.shape[0] * 0.375
    assert fft.scale == pytest.approx([2 * np.pi / side] * 2, rel=1e-3)
    screenshot(q_viewer, "q_space")

    path = tmp_path / "kernel.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    click(qtbot, dock.results.tiff)
    wait_until_idle(qtbot, dock)
    saved = select_didv(read_file(path))
    np.testing.assert_array_equal(saved.values[0], kernel.data)
    assert np.diff(saved["x"].values) == pytest.approx(0.375)

    figure = tmp_path / "figure.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(figure), ""))
    click(qtbot, dock.results.figure)
    wait_until_idle(qtbot, dock)
    assert "Figure saved" in dock.job.status.text()
    assert figure.stat().st_size > 50_000

    folder = tmp_path / "result"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(folder))
    click(qtbot, dock.results.folder)
    wait_until_idle(qtbot, dock)
    assert {"kernel.tif", "kernel.gsf", "recipe.json", "figure.png"} <= {
        file.name for file in folder.iterdir()
    }

    extract(qtbot, dock)
    assert "Ag [kernel 2]" in names(viewer)
    np.testing.assert_array_equal(viewer.layers["Ag [kernel]"].data, kernel.data)
    assert viewer.layers["Ag [kernel 2]"].extent.world[1][0] < kernel.extent.world[0][0]
    assert dock.results.results.count() == 2
    assert len(q_viewers()) == 1


def test_cancel_frees_the_dock_at_once(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    click(qtbot, dock.settings.extract)
    qtbot.waitUntil(lambda: dock.job.bar.value() > 0, timeout=HANG_MS)
    click(qtbot, dock.job.cancel_button)
    assert dock.job.status.text() == "Cancelled."
    assert dock.settings.extract.isEnabled()
    before = names(viewer)
    qtbot.wait(500)
    assert names(viewer) == before == ["Ag"]


def test_blind_extraction_shows_what_it_found(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    extract(qtbot, dock)
    points = viewer.layers["Ag [scatterers]"]
    assert points.visible
    assert len(points.data) == len(dock.results.outcome.extraction.scatterers)
    assert dock.results.outcome.recipe["scatterers"] is None


def test_all_energies_give_stacks(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer, bias=None)
    dock = open_dock(viewer)
    dock.maps.all_energies.setChecked(True)
    extract(qtbot, dock)
    kernel = viewer.layers["Ag [kernel]"]
    assert kernel.data.shape[0] == viewer.layers["Ag [prepared]"].data.shape[0] == 3
    assert kernel.metadata[KEY]["bias_mV"] == [-20, 5, 30]
    (q_viewer,) = q_viewers()
    viewer.dims.set_point(0, 5)
    assert viewer.canvas.overlays.text.text == "E = 5.0 mV"
    assert q_viewer.dims.current_step[0] == viewer.dims.current_step[0]
    assert q_viewer.canvas.overlays.text.text == viewer.canvas.overlays.text.text


def test_the_prepared_map_lies_above_the_map_and_below_the_points(
    make_napari_viewer, qtbot, add_map, open_dock, simulated
):
    viewer = make_napari_viewer()
    sloped = simulated.didv + 50 * simulated.didv["y"].values[:, None].astype(np.float32)
    layer = add_map(viewer, bias=None, didv=sloped.assign_attrs(units="nS"))
    before = layer.data.copy()
    dock = open_dock(viewer)
    dock.scatterers.layers.choose(viewer.add_points([[15.0, 15.0], [8.0, 9.0]], name="mine"))
    click(qtbot, dock.prepare.show_prepared)
    wait_until_idle(qtbot, dock)
    prepared = viewer.layers["Ag [prepared]"]
    np.testing.assert_array_equal(layer.data, before)
    assert names(viewer) == ["Ag", "Ag [prepared]", "mine"]
    assert prepared.data.shape == before.shape
    assert np.ptp(prepared.data) < 0.1 * np.ptp(before)
    low, high = prepared.contrast_limits
    assert prepared.data.min() < low < high < prepared.data.max()
    facts = prepared.metadata[KEY]
    assert (facts["kind"], facts["attrs"]["units"]) == ("prepared", "nS")
    assert dock.maps.layers.count() == 1

    extract(qtbot, dock)
    order = names(viewer)
    assert order.index("Ag [prepared 2]") < order.index("Ag [reconstruction]") < order.index("mine")
    second, reconstruction = viewer.layers["Ag [prepared 2]"], viewer.layers["Ag [reconstruction]"]
    assert second.visible
    assert second.contrast_limits == reconstruction.contrast_limits
    residual = viewer.layers["Ag [residual]"]
    np.testing.assert_allclose(reconstruction.data + residual.data, second.data, atol=1e-3)


def test_a_full_gpu_is_tried_again_on_the_cpu_by_one_click(
    make_napari_viewer, qtbot, add_map, open_dock, simulated, monkeypatch
):
    calls = []

    def full_at_first(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return make_grids(*arguments)

    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer, method="average")
    dock.scatterers.add(simulated.scatterers)
    monkeypatch.setattr("qpi_kernel.extract.engine.make_grids", full_at_first)
    extract(qtbot, dock)
    assert "choose the device cpu" in dock.job.status.text()
    assert not dock.job.on_cpu.isHidden()
    click(qtbot, dock.job.on_cpu)
    wait_until_idle(qtbot, dock)
    assert "Ag [kernel]" in names(viewer)
    assert dock.results.outcome.request.device == "cpu"
    assert dock.job.on_cpu.isHidden()


def test_two_viewers_do_not_mix(make_napari_viewer, qtbot, add_map, open_dock):
    first, second = make_napari_viewer(), make_napari_viewer()
    add_map(first, name="one")
    add_map(second, name="two")
    docks = [open_dock(viewer) for viewer in (first, second)]
    assert [dock.maps.layer.name for dock in docks] == ["one", "two"]
    extract(qtbot, docks[1])
    assert names(first) == ["one"]
    assert "two [kernel]" in names(second)


def test_results_are_not_offered_as_maps(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    layer = add_map(viewer)
    dock = open_dock(viewer)
    extract(qtbot, dock)
    assert dock.maps.layers.count() == 1
    layer.name = "renamed"
    assert dock.maps.layers.currentText() == "renamed"
