import csv

import numpy as np
import pytest

pytest.importorskip("napari")
from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog

from napari_qpi_kernel.bridge import KEY, map_to_layer
from napari_qpi_kernel.qspace_viewer import q_viewer_of
from qpi_kernel.maps import make_map
from qpi_kernel.qspace import antisymmetric_part, haem

WAIT = {"timeout": 60_000}


def test_pairs_of_energies(make_napari_viewer, qtbot, open_qspace, tmp_path, monkeypatch):
    axis = 0.25 * (np.arange(33) - 16)
    radius = np.hypot(axis[:, None], axis[None, :])
    wave = np.cos(2.0 * radius) * np.exp(-radius / 2)
    even = np.stack([wave, -wave, wave, 2 * wave])
    kernel = make_map(even, bias_mV=[-10.0, -5.0, 5.0, 10.0], y_nm=axis, x_nm=axis)
    viewer = make_napari_viewer()
    data = map_to_layer(kernel, "K [kernel]", kind="kernel")
    viewer.add_layer(Layer.create(*data))
    dock = open_qspace(viewer)
    dock.pairs.form.widgets["radius_per_nm"].value = 1.5
    dock.pairs.show_button.click()
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    assert dock.pairs.save.isEnabled()
    q_viewer = q_viewer_of(viewer)
    expected = antisymmetric_part(kernel)
    shown = next(layer for layer in q_viewer.layers if "ρ₋" in layer.name)
    np.testing.assert_allclose(shown.data, expected.values, rtol=1e-5)
    assert shown.metadata[KEY]["bias_mV"] == [5.0, 10.0]
    assert any("phase-referenced" in layer.name for layer in q_viewer.layers)
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "sum"), ""))
    dock.pairs.save.click()
    qtbot.waitUntil(lambda: (tmp_path / "sum.csv").exists(), **WAIT)
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    with (tmp_path / "sum.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["bias_mV", "rho_minus [a.u.]"]
    sums = haem(kernel, radius=1.5).values
    np.testing.assert_allclose([float(row[1]) for row in rows[1:]], sums, rtol=1e-6)
