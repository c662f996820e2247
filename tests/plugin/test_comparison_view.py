import pytest

pytest.importorskip("napari")
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_qpi_kernel.comparison_view import ComparisonView
from qpi_kernel.extract import METHODS

WAIT = {"timeout": 240_000}


def test_one_click_compares_all_methods(
    make_napari_viewer, qtbot, add_map, open_dock, screenshot, simulated, tmp_path, monkeypatch
):
    viewer = make_napari_viewer(show=True)
    add_map(viewer)
    dock = open_dock(viewer)
    dock.scatterers.add(simulated.scatterers)
    qtbot.mouseClick(dock.results.compare, Qt.LeftButton)
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    view = viewer.window.dock_widgets["Compare methods"]
    assert isinstance(view, ComparisonView)
    trials = view._comparison.trials
    methods = [view.table.item(row, 0).text() for row in range(view.table.rowCount())]
    assert methods == list(METHODS)
    verdicts = [view.table.item(row, 1).text() for row in range(len(methods))]
    assert verdicts == [trial.assessment.verdict for trial in trials]
    screenshot(view, "compare")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path))
    qtbot.mouseClick(view.save, Qt.LeftButton)
    qtbot.waitUntil(lambda: (tmp_path / "comparison.csv").exists(), **WAIT)
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
