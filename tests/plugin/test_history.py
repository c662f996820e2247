"""The history of results: a double click brings one back, and the dock as it was."""

import numpy as np
import pytest

pytest.importorskip("napari")
from qtpy.QtCore import Qt

from napari_qpi_kernel.qspace_viewer import q_viewer_of
from qpi_kernel.scatterers import Scatterers
from tests.plugin.hands import extract

BESIDE = ("kernel", "kernel spread")


def double_click(qtbot, dock, row):
    history = dock.results.results
    place = history.visualItemRect(history.item(row)).center()
    # Qt asks for a click before the second one.
    qtbot.mouseClick(history.viewport(), Qt.LeftButton, pos=place)
    qtbot.mouseDClick(history.viewport(), Qt.LeftButton, pos=place)


@pytest.fixture
def two_results(make_napari_viewer, qtbot, add_map, open_dock, simulated):
    """A viewer with two results that differ in all that can be chosen."""
    viewer = make_napari_viewer(show=True)
    add_map(viewer, bias=None)
    dock = open_dock(viewer, method="wiener")
    viewer.dims.set_point(0, -20.0)
    dock.scatterers.add(simulated.scatterers)
    extract(qtbot, dock)
    viewer.dims.set_point(0, 30.0)
    dock.maps.show_region((2.0, 3.0, 27.0, 26.0))
    points = simulated.scatterers
    dock.scatterers.add(Scatterers(points.xy_nm[:-1], points.weight[:-1]))
    dock.settings.form.widgets["method"].value = "average"
    dock.settings.form.widgets["window_nm"].value = 9.0
    dock.prepare.form.widgets["level_rows"].value = True
    extract(qtbot, dock)
    return viewer, dock


def test_a_double_click_brings_back_a_result_and_the_dock(two_results, qtbot, screenshot):
    viewer, dock = two_results
    first, second = (outcome for outcome, _ in dock.results._history)
    assert dock.results.outcome is second
    viewer.layers["Ag [residual 2]"].visible = True
    screenshot(viewer, "history_second")

    for row, outcome, own, other in ((0, first, "", " 2"), (1, second, " 2", "")):
        layers = len(viewer.layers)
        double_click(qtbot, dock, row)
        assert dock.results.outcome is outcome
        assert outcome.assessment.verdict in dock.results.verdict.text()
        for kind in (*BESIDE, "prepared", "residual"):
            assert viewer.layers[f"Ag [{kind}{own}]"].visible
            assert not viewer.layers[f"Ag [{kind}{other}]"].visible
        assert viewer.layers.selection.active == viewer.layers[f"Ag [kernel{own}]"]
        shown = [layer.name for layer in q_viewer_of(viewer).layers if layer.visible]
        assert shown == [f"Ag [kernel FFT{own}]"]
        now = dock._request()
        assert (now.settings, now.prepare) == (outcome.request.settings, outcome.request.prepare)
        assert (now.region_nm, now.bias_mV) == (outcome.request.region_nm, outcome.request.bias_mV)
        np.testing.assert_array_equal(now.scatterers.xy_nm, outcome.request.scatterers.xy_nm)
        # Points and regions that are there are chosen, not drawn once more.
        assert len(viewer.layers) == layers
        visible = {
            name for name in ("Ag [region]", "Ag [scatterers]") if viewer.layers[name].visible
        }
        assert visible == ({"Ag [scatterers]"} if outcome is first else {"Ag [region]"})
        assert "is back" in dock.job.status.text()
        screenshot(viewer, f"history_{row}")

    # Points edited since are kept, hidden below those that were used.
    edited = viewer.layers["Ag [scatterers]"]
    edited.selected_data = {0}
    edited.remove_selected()
    double_click(qtbot, dock, 0)
    assert len(dock.scatterers.layer.data) == len(first.request.scatterers) == len(edited.data) + 1
    assert dock.scatterers.layer.visible
    assert not edited.visible
    assert viewer.layers.selection.active == viewer.layers["Ag [kernel]"]


def test_what_was_removed_comes_back_too(two_results, qtbot, add_map):
    viewer, dock = two_results
    assert "kernel 2" in dock.job.status.text()
    assert "Double click" in dock.results.hint.text()
    other = add_map(viewer, name="other")
    dock.maps.layers.choose(other)
    # What was told of the map before is over.
    assert dock.job.status.text() == ""

    values = viewer.layers["Ag [kernel]"].data.copy()
    for layer in list(viewer.layers):
        if layer.name not in ("Ag", "other") and not layer.name.endswith(" 2]"):
            viewer.layers.remove(layer)
    q_viewer_of(viewer).layers.clear()
    double_click(qtbot, dock, 0)
    np.testing.assert_array_equal(viewer.layers["Ag [kernel]"].data, values)
    assert dock.maps.region_nm is None
    np.testing.assert_array_equal(
        dock.scatterers.scatterers().xy_nm,
        dock.results.outcome.request.scatterers.xy_nm,
    )
    assert q_viewer_of(viewer).layers["Ag [kernel FFT]"].visible
    order = [layer.name for layer in viewer.layers]
    assert order.index("Ag") < order.index("Ag [residual]") < order.index("Ag [kernel]")
    assert dock.maps.layer.name == "Ag"
    assert not other.visible

    before = dock.settings.value()
    viewer.layers.remove("Ag")
    double_click(qtbot, dock, 1)
    assert "its map Ag is not open" in dock.job.status.text()
    assert viewer.layers["Ag [kernel 2]"].visible
    assert dock.settings.value() == before
