"""Many files from the dock: what is asked for, what the table shows, what a double click opens."""

import numpy as np
import pytest

pytest.importorskip("napari")
from qtpy.QtWidgets import QFileDialog

from napari_qpi_kernel.bridge import KEY
from qpi_kernel.batch_summary import WAITING, BatchItem, BatchProgress
from qpi_kernel.export import write_map
from qpi_kernel.pipeline import PipelineSettings
from qpi_kernel.settings import from_dict, save
from tests.plugin.hands import drop_on
from tests.plugin.test_extract_widget import click, names

WAIT = {"timeout": 240_000}
SETTINGS = {"extract": {"method": "average", "window_nm": 10.0, "samples": 4}, "device": "cpu"}


@pytest.fixture
def files(simulated, tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for name in ("first", "second"):
        didv = simulated.didv.isel(bias=slice(1, 3))
        noisy = didv + 0.05 * rng.normal(size=didv.shape).astype(np.float32)
        paths.append(str(write_map(noisy.assign_attrs(didv.attrs), tmp_path / f"{name}.npz")))
    (tmp_path / "broken.3ds").write_bytes(b"junk")
    return [*paths, str(tmp_path / "broken.3ds")]


@pytest.fixture
def open_batch(qtbot):
    def open_it(viewer):
        return viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "Batch")[1]

    return open_it


def cells(dock, column):
    table = dock.files.table
    return [table.item(row, column).text() for row in range(table.rowCount())]


def run(qtbot, dock):
    click(qtbot, dock.running.start)
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)


def test_a_batch_from_files_to_layers(
    make_napari_viewer,
    qtbot,
    open_batch,
    open_dock,
    files,
    batch_here,
    screenshot,
    tmp_path,
    monkeypatch,
):
    settings = tmp_path / "settings.toml"
    save(from_dict(PipelineSettings, SETTINGS | {"bias_mV": 5.0}), settings)
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)
    dock = open_batch(viewer)
    assert "measurements" in dock.running.reason.text()
    drop_on(dock.files.table, *files, tmp_path / "notes.docx")
    assert "notes.docx" in dock.job.status.text()
    assert cells(dock, 2) == ["not started"] * 3
    assert "folder" in dock.running.reason.text()
    out = tmp_path / "out"
    dock.running.out.setText(str(out))
    dock.source.source.setCurrentIndex(1)
    assert "file of settings" in dock.running.reason.text()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(settings), ""))
    click(qtbot, dock.source.browse)
    assert dock.source.energies.currentData() == "stated"
    run(qtbot, dock)
    assert batch_here == [(None, None, "cpu")]
    verdicts = cells(dock, 2)
    assert set(verdicts[:2]) <= {"good", "doubtful", "untrusted"}
    assert verdicts[2] == "error"
    assert cells(dock, 1) == ["5"] * 3
    assert "2 of 3 results" in dock.job.status.text()
    dock.files.table.selectRow(2)
    assert "broken.3ds" in dock.files.about.text()
    screenshot(viewer, "batch")

    table = dock.files.table
    table.itemDoubleClicked.emit(table.item(2, 0))
    table.itemDoubleClicked.emit(table.item(0, 0))
    qtbot.waitUntil(lambda: "is open" in dock.job.status.text(), **WAIT)
    layer = viewer.layers["first 5 mV [kernel]"]
    assert viewer.canvas.overlays.scale_bar.visible
    assert layer.metadata[KEY]["assessment"]["verdict"] == verdicts[0]
    assert layer.metadata[KEY]["recipe"]["settings"]["extract"]["method"] == "average"
    assert {f"first 5 mV [{kind}]" for kind in ("prepared", "residual", "scatterers")} <= set(
        names(viewer)
    )
    screenshot(viewer, "batch_opened")

    # The next day: the folder alone brings the table back, and nothing is made twice.
    again = open_batch(make_napari_viewer())
    again.running.out.setText(str(out))
    again.running.out.editingFinished.emit()
    qtbot.waitUntil(lambda: again.files.table.rowCount() == 3, **WAIT)
    qtbot.waitUntil(lambda: not again.job.busy, **WAIT)
    assert cells(again, 2) == verdicts
    assert again.files.files == files
    made = {path: path.stat().st_mtime_ns for path in out.glob("*/recipe.json")}
    assert len(made) == 2
    again.source.source.setCurrentIndex(1)
    again.source.path.setText(str(settings))
    again.source.energies.setCurrentIndex(again.source.energies.findData("stated"))
    run(qtbot, again)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/recipe.json")} == made


def test_the_settings_are_those_of_the_dock_extract_kernel(
    make_napari_viewer, open_batch, open_dock, files
):
    viewer = make_napari_viewer()
    dock = open_batch(viewer)
    assert "defaults" in dock.source.summary.text()
    assert dock._request().settings() == PipelineSettings(all_biases=True)
    extract = open_dock(viewer, method="wiener")
    extract.prepare.form.widgets["despike"].value = True
    extract.settings.device.setCurrentText("cpu")
    dock._show_settings()
    assert "Method wiener" in dock.source.summary.text()
    dock.files.add(files)
    dock.source.energies.setCurrentIndex(dock.source.energies.findData("nearest"))
    dock.source.bias_mV.setValue(-7.5)
    dock.source.find_in.setCurrentText("topography")
    dock.running.workers.setValue(3)
    request = dock._request()
    asked = request.settings()
    assert (asked.extract, asked.prepare) == (
        extract.settings.value(), extract.prepare.value()
    )  # fmt: skip
    assert asked.prepare.despike
    assert (asked.bias_mV, asked.all_biases, asked.find_in) == (-7.5, False, "topography")
    assert (request.workers, request.files) == (3, tuple(files))
    dock.running.scheduler.setText("tcp://there:8786")
    assert dock._request().workers is None


def test_cancel_keeps_what_is_known(
    make_napari_viewer, qtbot, open_batch, files, monkeypatch, tmp_path
):
    def steps(request):
        items = tuple(BatchItem(file, error=WAITING) for file in request.files)
        while True:
            yield BatchProgress(0.1, "0 of 3", items)

    monkeypatch.setattr("napari_qpi_kernel.batch_widget.iter_batch_request", steps)
    dock = open_batch(make_napari_viewer())
    dock.files.add(files)
    dock.running.out.setText(str(tmp_path))
    click(qtbot, dock.running.start)
    qtbot.waitUntil(lambda: cells(dock, 2) == ["in the queue"] * 3, **WAIT)
    assert not dock.running.start.isEnabled()
    dock.job.cancel_button.click()
    assert dock.job.status.text() == "Cancelled."
    assert dock.running.start.isEnabled()
    dock.files.table.selectRow(1)
    click(qtbot, dock.files.remove)
    assert dock.files.files == [files[0], files[2]]
