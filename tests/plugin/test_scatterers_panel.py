import numpy as np
import pytest

pytest.importorskip("napari")
from napari.layers import Points
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from tests.plugin.hands import click


def test_scatterers_go_to_csv_and_back(
    make_napari_viewer, qtbot, add_map, open_dock, tmp_path, monkeypatch
):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    dock.scatterers.layers.choose(viewer.add_points([[3.0, 4.0], [5.0, 6.5]], name="mine"))
    path = str(tmp_path / "points.csv")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (path, ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (path, ""))
    click(qtbot, dock.scatterers.save)
    click(qtbot, dock.scatterers.load)
    loaded = viewer.layers["Ag [scatterers]"]
    assert isinstance(loaded, Points)
    np.testing.assert_allclose(loaded.data, [[3.0, 4.0], [5.0, 6.5]])
    (tmp_path / "points.csv").write_text("a,b\n1,2\n")
    click(qtbot, dock.scatterers.load)
    assert len(viewer.layers) == 3


def test_tagging_nothing_asks_for_a_selection(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    points = viewer.add_points([[15.0, 15.0]], name="mine")
    dock.scatterers.layers.choose(points)
    points.selected_data = set()
    click(qtbot, dock.scatterers.tag)
    assert "select some" in notification_manager.records[-1].message
    assert dock.job.status.text() == notification_manager.records[-1].message
    assert dock.scatterers.scatterers().species.tolist() == [0]
