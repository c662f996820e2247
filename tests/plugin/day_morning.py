"""The first half of the day: from the file to a kernel that can be trusted."""

import re

import numpy as np
import pytest
from qtpy.QtCore import Qt
from superqt import QCollapsible

from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.qspace_viewer import q_viewer_of
from tests.plugin.hands import PLUGIN, click_at, close_notifications, drag, drop, point_at, press

MISSING_ROWS = 4
NAME = "Grid_017 dI/dV"


def the_dock_says_what_computes(day):
    day.wait(lambda: "model" in day.dock.settings.machine.text())
    assert not day.viewer.canvas.overlays.scale_bar.visible
    day.shot("01_dock")


def the_sample_takes_three_clicks(day):
    day.viewer.open_sample(PLUGIN, "ag111")
    day.run(day.dock.scatterers.find)
    day.run(day.dock.settings.extract)
    assert day.dock.results.outcome.assessment.verdict == "good"
    assert day.viewer.layers["Ag(111) [true kernel]"].visible
    day.shot("02_sample")
    day.viewer.layers.clear()


def a_grid_is_dropped(day, path):
    drop(day.viewer, path)
    maps = day.dock.maps
    day.wait(lambda: maps.layer is not None)
    assert [layer.name for layer in day.viewer.layers] == ["Grid_017 topography", NAME]
    assert maps.channels.count() == 5
    assert maps.channels.currentText() == "LI Demod 1 X (A)"
    assert np.isnan(maps.layer.data[:, -MISSING_ROWS:]).all()
    facts = maps.facts.facts.text()
    for words in (
        "lock-in X",
        "21 energies, -50 to 50 mV",
        "set point 20 mV, 100 pA",
        "angle 30°",
        "grid unfinished: 64512 of 65536 points",
    ):
        assert words in facts
    assert maps.size.width_nm.text() == "40.00 nm"
    day.wait(lambda: not maps.layers.visibleRegion().isEmpty())
    close_notifications(day.bot, day.viewer)
    day.shot("03_grid")


def the_energy_reads_in_millivolts(day):
    viewer, maps = day.viewer, day.dock.maps
    viewer.dims.set_point(0, 0.0)
    press(day.bot, viewer, Qt.Key_Right)
    assert maps.energy.text() == "E = 5.0 mV"
    assert viewer.canvas.overlays.text.text == "E = 5.0 mV"

    def told():
        point_at(day.bot, viewer, (10.0, 20.0))
        return re.fullmatch(r"x = (9.9|10.0)\d nm, y = .+ nm: .+ nS", maps.facts.here.text())

    day.wait(told)
    day.shot("04_energy")


def the_map_is_prepared(day):
    panel, before = day.dock.prepare, day.dock.maps.layer.data.copy()
    steps = panel.findChild(QCollapsible)
    day.click(steps.toggleButton())
    panel.form.widgets["level_rows"].value = True
    day.run(panel.show_prepared)
    assert day.layer("prepared").data.shape == before.shape
    np.testing.assert_array_equal(day.dock.maps.layer.data, before)
    day.shot("05_prepared")
    day.click(steps.toggleButton())


def a_region_is_drawn_and_typed(day):
    maps = day.dock.maps
    day.click(maps.draw)
    drag(day.bot, day.viewer, (8.0, 8.0), (32.0, 32.0))
    day.wait(lambda: maps.region_nm is not None)
    assert maps.region_nm == pytest.approx((8, 8, 32, 32), abs=0.3)
    for edge in (maps.size.width_nm, maps.size.height_nm):
        day.type_into(edge, "30")
    assert maps.region_nm == pytest.approx((5, 5, 35, 35), abs=0.3)
    day.wait(lambda: "30 × 30 nm" in day.dock.settings.gauge.text())
    assert "out of range" not in day.dock.settings.gauge.text()
    day.shot("06_region")


def scatterers_are_found_and_edited(day):
    viewer, bot, panel = day.viewer, day.bot, day.dock.scatterers
    day.run(panel.find)
    points = day.layer("scatterers")
    number = len(points.data)
    viewer.layers.selection.active = points
    press(bot, viewer, Qt.Key_3)
    for left_out in (3, 0):
        click_at(bot, viewer, points.data[left_out][::-1])
        press(bot, viewer, Qt.Key_Delete)
    assert len(points.data) == number - 2
    press(bot, viewer, Qt.Key_2)
    click_at(bot, viewer, (14.0, 24.0))
    assert len(points.data) == number - 1
    np.testing.assert_allclose(points.data[-1], (24.0, 14.0), atol=0.1)

    press(bot, viewer, Qt.Key_3)
    panel.species.setValue(1)
    day.click(panel.tag)
    assert panel.scatterers().species.tolist() == [0] * (number - 2) + [1]
    day.shot("07_points")
    day.answer(day.folder / "points.csv")
    day.click(panel.save)
    day.click(panel.load)
    np.testing.assert_allclose(panel.scatterers().xy_nm, points.data[:, ::-1])
    assert panel.scatterers().species.max() == 1
    viewer.layers.remove(panel.layer)
    panel.layers.choose(points)
    panel.species.setValue(0)
    day.click(panel.tag)


def the_kernel_is_extracted_while_the_view_pans(day):
    viewer, camera = day.viewer, day.viewer.scene.camera
    viewer.layers.selection.active = day.dock.maps.layer
    day.click(day.dock.settings.extract)
    day.wait(lambda: day.dock.job.bar.value() > 0)
    before = np.array(camera.center)
    drag(day.bot, viewer, (20.0, 20.0), (24.0, 20.0))
    assert day.dock.job.busy
    np.testing.assert_allclose(camera.center - before, (0, 0, -4), atol=0.3)
    day.shot("08_extracting")
    day.wait(lambda: not day.dock.job.busy)


def the_result_says_how_far_to_trust_it(day):
    facts = day.layer("kernel").metadata[KEY]
    assert facts["bias_mV"] == [5.0]
    assert facts["assessment"]["verdict"] == "doubtful"
    assert any("residual" in reason for reason in facts["assessment"]["reasons"])
    for kind in ("prepared 2", "reconstruction", "residual"):
        assert day.layer(kind).metadata[KEY]["attrs"]["units"] == "nS"
    day.shot("09_result")
    q_viewer = q_viewer_of(day.viewer)
    q_viewer.window.resize(900, 700)
    day.shot("09_q_space", q_viewer)


def a_point_is_moved_and_the_kernel_extracted_again(day):
    """A scatterer left out stands out of the residual; the wrong point is dragged onto it."""
    viewer, points, residual = day.viewer, day.layer("scatterers"), day.layer("residual")
    residual.visible = True
    worst = np.unravel_index(np.nanargmax(np.abs(residual.data)), residual.data.shape)
    y, x = residual.data_to_world(worst)
    known = day.truth.scatterers.xy_nm
    gap = np.hypot(*(known - (x, y)).T)
    assert gap.min() < 1.0  # its first ring outshines the core
    left_out = known[np.argmin(gap)]
    viewer.layers.selection.active = points
    press(day.bot, viewer, Qt.Key_3)
    drag(day.bot, viewer, points.data[-1][::-1], left_out)
    np.testing.assert_allclose(points.data[-1], left_out[::-1], atol=0.2)
    day.shot("10_residual")
    before = day.layer("kernel").data.copy()
    day.run(day.dock.settings.extract)
    np.testing.assert_array_equal(day.layer("kernel").data, before)
    first, second = (
        day.layer(kind).metadata[KEY]["assessment"]["numbers"] for kind in ("kernel", "kernel 2")
    )
    assert second["explained_structure"][0] > first["explained_structure"][0] + 0.1
    assert second["residual_over_noise"][0] < first["residual_over_noise"][0]
    day.shot("10_again")
