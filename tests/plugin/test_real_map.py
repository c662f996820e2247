"""The main job in napari on a real image: from the file to the kernel as TIFF."""

import time

import numpy as np
import pytest

pytest.importorskip("napari")
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QFileDialog

from napari_qpi_kernel.bridge import KEY
from qpi_kernel.read import read_file, select_didv
from tests.plugin.hands import HANG_MS, click, extract, q_viewers, wait_until_idle

NAME = "A200621.160730 topography"
KINDS = ("kernel", "kernel spread", "reconstruction", "residual")
PIXEL_NM = 21.52566 / 512


def test_cu111_from_file_to_tiff(
    make_napari_viewer, qtbot, data_dir, open_dock, screenshot, tmp_path, monkeypatch
):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1440, 900)
    viewer.open(data_dir / "cu111" / "A200621.160730.dat", plugin="napari-qpi-kernel")
    dock = open_dock(viewer)

    click(qtbot, dock.maps.draw)
    corners = [[2.0, 0.5], [2.0, 16.5], [21.0, 16.5], [21.0, 0.5]]
    viewer.layers[f"{NAME} [region]"].add_rectangles(np.array(corners))
    qtbot.waitUntil(lambda: dock.maps.size.width_nm.text() == "16.00 nm")
    click(qtbot, dock.scatterers.find)
    wait_until_idle(qtbot, dock)
    points = viewer.layers[f"{NAME} [scatterers]"]
    assert 10 <= len(points.data) <= 22
    screenshot(viewer, "cu111_points")

    extract(qtbot, dock)
    screenshot(viewer, "cu111_result")
    (q_viewer,) = q_viewers()
    screenshot(q_viewer, "cu111_q_space")
    for kind in KINDS:
        layer = viewer.layers[f"{NAME} [{kind}]"]
        assert layer.scale == pytest.approx([PIXEL_NM] * 2, rel=1e-4)
        assert [str(unit) for unit in layer.units] == ["nanometer"] * 2
    fft = q_viewer.layers[f"{NAME} [kernel FFT]"]
    assert [str(unit) for unit in fft.units] == ["1 / nanometer"] * 2
    facts = viewer.layers[f"{NAME} [kernel]"].metadata[KEY]
    assert facts["recipe"]["settings"]["extract"]["method"] == "aligned"
    assert facts["assessment"]["verdict"] in ("good", "doubtful")

    click(qtbot, dock.settings.extract)
    qtbot.waitUntil(lambda: dock.job.bar.value() > 10, timeout=HANG_MS)
    start = time.perf_counter()
    click(qtbot, dock.job.cancel_button)
    assert dock.settings.extract.isEnabled()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=HANG_MS)
    # The product's promise, not a benchmark: two steps of the solver take a tenth of it.
    assert time.perf_counter() - start < 1.0
    assert f"{NAME} [kernel 2]" not in viewer.layers

    path = tmp_path / "kernel.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    click(qtbot, dock.results.tiff)
    wait_until_idle(qtbot, dock)
    saved = select_didv(read_file(path))
    np.testing.assert_array_equal(saved.values[0], viewer.layers[f"{NAME} [kernel]"].data)
    assert np.diff(saved["x"].values) == pytest.approx(PIXEL_NM, rel=1e-4)


def test_fese_scatterers_found_in_the_topography(make_napari_viewer, qtbot, data_dir, open_dock):
    viewer = make_napari_viewer()
    viewer.open(data_dir / "fese" / "FeSe_topography.sxm", plugin="napari-qpi-kernel")
    dock = open_dock(viewer)
    (topography,) = [each for each in viewer.layers if each.name.endswith("topography")]
    assert dock.maps.layer != topography
    click(qtbot, dock.scatterers.find)
    wait_until_idle(qtbot, dock)
    in_map = dock.scatterers.scatterers()
    dock.scatterers.source.choose(topography)
    click(qtbot, dock.scatterers.find)
    wait_until_idle(qtbot, dock)
    in_topography = dock.scatterers.scatterers()
    assert len(in_topography) > 0
    assert in_topography.xy_nm.shape != in_map.xy_nm.shape or not np.allclose(
        in_topography.xy_nm, in_map.xy_nm
    )
