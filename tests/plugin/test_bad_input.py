"""What cannot be used ends in one sentence that says what to do, and the dock goes on."""

import numpy as np
import pytest

pytest.importorskip("napari")
from napari.errors import ReaderPluginError
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt

from qpi_kernel.export import write_map
from tests.plugin.hands import drop

HANG_MS = 400_000


def run(qtbot, dock, button):
    qtbot.mouseClick(button, Qt.LeftButton)
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)


@pytest.mark.parametrize("share_missing", [1.0, 0.99])
def test_a_map_without_measured_points_is_refused(
    make_napari_viewer, qtbot, add_map, open_dock, simulated, share_missing
):
    viewer = make_napari_viewer()
    missing = np.random.default_rng(0).random(simulated.didv.shape) < share_missing
    add_map(viewer, didv=simulated.didv.where(~missing))
    dock = open_dock(viewer, method="average")
    before = len(notification_manager.records)
    run(qtbot, dock, dock.settings.extract)
    assert [layer.name for layer in viewer.layers] == ["Ag"]
    assert len(notification_manager.records) == before + 1
    assert "please report" not in dock.job.status.text()
    assert dock.job.status.text()
    assert dock.settings.extract.isEnabled()


def test_a_region_drawn_on_a_stack_counts(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer, bias=None)
    dock = open_dock(viewer, method="average")
    corners = np.array([[4.0, 3.0], [4.0, 27.0], [26.0, 27.0], [26.0, 3.0]])
    shapes = viewer.add_shapes(
        [np.insert(corners, 0, 5.0, axis=1)], name="mine", units=("mV", "nm", "nm")
    )
    dock.maps.regions.choose(shapes)
    assert dock.maps.region_nm == (3.0, 4.0, 27.0, 26.0)
    run(qtbot, dock, dock.settings.extract)
    assert viewer.layers["Ag [reconstruction]"].data.shape == pytest.approx((59, 64), abs=1)


def test_a_damaged_file_is_told_and_the_next_one_opens(
    make_napari_viewer, qtbot, open_dock, simulated, tmp_path
):
    viewer = make_napari_viewer(show=True)
    dock = open_dock(viewer)
    good = write_map(simulated.didv, tmp_path / "good.nc")
    damaged = tmp_path / "damaged.nc"
    damaged.write_bytes(good.read_bytes()[:2000])
    with pytest.raises(ReaderPluginError, match="damaged"):
        drop(viewer, damaged)
    assert notification_manager.records[-1].message.endswith("copy it again")
    assert len(viewer.layers) == 0
    drop(viewer, good)
    qtbot.waitUntil(lambda: dock.maps.layer is not None, timeout=HANG_MS)
    assert dock.problem() == ""


def test_tagging_nothing_asks_for_a_selection(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    points = viewer.add_points([[15.0, 15.0]], name="mine")
    dock.scatterers.layers.choose(points)
    points.selected_data = set()
    qtbot.mouseClick(dock.scatterers.tag, Qt.LeftButton)
    assert "select some" in notification_manager.records[-1].message
    assert dock.scatterers.scatterers().species.tolist() == [0]
