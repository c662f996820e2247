import numpy as np
import pytest

pytest.importorskip("napari")

from napari_qpi_kernel.gauge import readings_html
from qpi_kernel.extract.validity import Reading


@pytest.fixture
def read(qtbot):
    """Wait for the gauge of a dock to show some words."""

    def wait(dock, words):
        qtbot.waitUntil(lambda: words in dock.settings.gauge.text(), timeout=20_000)
        return dock.settings.gauge.text()

    return wait


def test_the_gauge_follows_window_points_and_map(make_napari_viewer, add_map, open_dock, read):
    viewer = make_napari_viewer()
    layer = add_map(viewer, bias=None)
    dock = open_dock(viewer)
    assert dock.settings.gauge.text() == ""
    assert "Scatterers" not in read(dock, "(auto)")

    dock.settings.form.widgets["window_nm"].value = 60
    assert "out of range" in read(dock, "larger than the region")
    dock.settings.form.widgets["window_nm"].value = 0
    read(dock, "(auto)")

    points = viewer.add_points([[5.0, 6.0], [20.0, 8.0], [90.0, 8.0]], name="mine", units="nm")
    dock.scatterers.layers.choose(points)
    read(dock, "2 in the region")
    points.add([[12.0, 12.0], [25.0, 25.0]])
    read(dock, "4 in the region")

    viewer.layers.remove(layer)
    assert dock.settings.gauge.text() == ""


def test_the_gauge_reads_only_what_has_changed(make_napari_viewer, qtbot, add_map, open_dock, read):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    read(dock, "in range")
    dock.settings.gauge.setText("shown")
    dock.maps.refresh()
    dock.scatterers.refresh()
    qtbot.wait(600)
    assert dock.settings.gauge.text() == "shown"


def test_a_map_that_cannot_be_read_is_told_in_the_gauge(
    make_napari_viewer, add_map, open_dock, read, simulated
):
    from napari.utils.notifications import notification_manager

    viewer = make_napari_viewer()
    add_map(viewer, didv=simulated.didv.copy(data=np.ones_like(simulated.didv.values)))
    before = len(notification_manager.records)
    text = read(open_dock(viewer), "the map is constant")
    assert "out of range" in text
    assert len(notification_manager.records) == before


def test_a_layer_that_cannot_be_used_is_told_in_the_gauge(
    make_napari_viewer, add_map, open_dock, read
):
    viewer = make_napari_viewer()
    layer = add_map(viewer)
    dock = open_dock(viewer)
    read(dock, "in range")
    layer.rotate = 30
    dock.maps.show_region((5.0, 5.0, 25.0, 25.0))
    assert read(dock, "rotated") == "layer Ag: it is rotated or sheared; reset its transform first"


def test_what_is_out_of_range_is_told_with_the_reason():
    text = readings_html([Reading("Pixel", "0.1 nm"), Reading("Window", "1 nm", "it is < 8 px")])
    assert text.count("in range") == text.count("out of range") == 1
    assert "it is &lt; 8 px" in text
