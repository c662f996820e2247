"""What cannot be used ends in one sentence that says what to do, and the dock goes on."""

import numpy as np
import pytest

pytest.importorskip("napari")
from napari.errors import ReaderPluginError
from napari.utils.notifications import notification_manager

from qpi_kernel.export import write_map
from tests.plugin.hands import HANG_MS, click, drop, extract, names, q_viewers, wait_until_idle


@pytest.mark.parametrize("share_missing", [1.0, 0.99])
def test_a_map_without_measured_points_is_refused(
    make_napari_viewer, qtbot, add_map, open_dock, simulated, share_missing
):
    viewer = make_napari_viewer()
    missing = np.random.default_rng(0).random(simulated.didv.shape) < share_missing
    add_map(viewer, didv=simulated.didv.where(~missing))
    dock = open_dock(viewer, method="average")
    before = len(notification_manager.records)
    extract(qtbot, dock)
    assert [layer.name for layer in viewer.layers] == ["Ag"]
    assert len(notification_manager.records) == before + 1
    assert "please report" not in dock.job.status.text()
    assert dock.job.status.text()
    assert dock.settings.extract.isEnabled()


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


def test_extract_is_off_with_the_reason(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    dock = open_dock(viewer)
    assert not dock.settings.extract.isEnabled()
    assert "open a map first" in dock.settings.reason.text()
    add_map(viewer)
    assert dock.settings.extract.isEnabled()

    points = viewer.add_points(ndim=2, name="mine")
    dock.scatterers.layers.choose(points)
    assert "mine holds no points" in dock.settings.reason.text()
    points.add([[15.0, 15.0]])
    qtbot.waitUntil(dock.settings.extract.isEnabled)

    click(qtbot, dock.maps.draw)
    far = np.array([[90.0, 90], [90, 99], [99, 99], [99, 90]])
    viewer.layers["Ag [region]"].add_rectangles(far)
    qtbot.waitUntil(lambda: "outside the map" in dock.settings.reason.text())
    assert not dock.settings.extract.isEnabled()
    viewer.layers.remove("Ag [region]")
    assert dock.settings.extract.isEnabled()


def test_bad_maps_end_in_one_sentence(make_napari_viewer, qtbot, add_map, open_dock, simulated):
    viewer = make_napari_viewer()
    flat = simulated.didv.copy(data=np.ones_like(simulated.didv.values))
    add_map(viewer, didv=flat)
    dock = open_dock(viewer)
    extract(qtbot, dock)
    assert names(viewer) == ["Ag"]
    assert dock.job.status.text()
    assert "Traceback" not in dock.job.status.text()
    assert "please report" not in dock.job.status.text()
    assert dock.settings.extract.isEnabled()


def test_points_far_away_end_in_one_sentence(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    dock.scatterers.layers.choose(viewer.add_points([[900.0, 900.0]], name="far"))
    extract(qtbot, dock)
    assert "lies in the map" in dock.job.status.text()
    assert names(viewer) == ["Ag", "far"]


def test_deleting_the_map_during_a_run_is_harmless(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    click(qtbot, dock.settings.extract)
    viewer.layers.clear()
    wait_until_idle(qtbot, dock)
    assert "Ag [kernel]" in names(viewer)
    assert "open a map first" in dock.settings.reason.text()


def test_closing_the_window_during_a_run_cancels(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    click(qtbot, dock.settings.extract)
    job = dock.job._job
    viewer.close()
    qtbot.waitUntil(job._stop.is_set)
    assert q_viewers() == []
