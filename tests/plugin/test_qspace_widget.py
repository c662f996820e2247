import csv
import re

import numpy as np
import pytest

pytest.importorskip("napari")
from napari.layers import Layer
from napari.utils.theme import get_theme
from qtpy.QtWidgets import QFileDialog, QLabel

from napari_qpi_kernel.bridge import KEY, map_to_layer
from napari_qpi_kernel.qspace_overlays import BRAGG, ZONE, cut_layer, line_of
from napari_qpi_kernel.qspace_viewer import q_viewer_of
from qpi_kernel.maps import make_map
from qpi_kernel.simulate import crop_kernel
from tests.plugin.hands import drag, q_viewers

WAIT = {"timeout": 60_000}


@pytest.fixture
def add_kernel(simulated):
    """Add the true kernel at all energies, with a spread, as an extraction would."""

    def add(viewer, name="Ag"):
        kernel = crop_kernel(simulated.kernel, 14.0)
        spread = kernel.copy(data=np.full_like(kernel.values, 0.02))
        beside = {"offset_nm": (5.0, 40.0)}
        twin = map_to_layer(spread, f"{name} [kernel spread]", kind="kernel spread", **beside)
        viewer.add_layer(Layer.create(*twin))
        data = map_to_layer(kernel, f"{name} [kernel]", kind="kernel", **beside)
        return viewer.add_layer(Layer.create(*data))

    return add


@pytest.fixture
def shown(make_napari_viewer, qtbot, add_map, add_kernel, open_qspace):
    """Show a kernel and its raw map in the q viewer."""
    viewer = make_napari_viewer()
    viewer.window._qt_window.resize(1280, 720)
    raw = add_map(viewer, bias=None)
    kernel = add_kernel(viewer)
    dock = open_qspace(viewer)
    dock.transform.layers.choose(kernel)
    dock.transform.beside.choose(raw)
    dock.transform.show_button.click()
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    return viewer, dock, q_viewer_of(viewer)


def take_curves(dock, qtbot):
    before = dock._curves
    dock.curves.take.click()
    qtbot.waitUntil(lambda: dock._curves is not before and not dock.job.busy, **WAIT)
    return dock._curves


def test_a_map_is_shown_in_its_own_viewer(make_napari_viewer, qtbot, add_map, open_qspace):
    viewer = make_napari_viewer()
    layer = add_map(viewer, bias=None)
    dock = open_qspace(viewer)
    dock.transform.part.setCurrentText("Im F")
    dock.transform.form.widgets["window"].value = "hann"
    dock.transform.show_button.click()
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    (q_viewer,) = q_viewers()
    (transformed,) = q_viewer.layers
    assert transformed.name == "Ag Im F · hann"
    assert transformed.metadata[KEY]["window"] == "hann"
    assert transformed.axis_labels == ("bias", "qy", "qx")
    units = [str(unit) for unit in transformed.units]
    assert units == ["millivolt", "1 / nanometer", "1 / nanometer"]
    assert transformed.scale[-1] == pytest.approx(2 * np.pi / 30, rel=1e-3)
    assert list(viewer.layers) == [layer]

    q_viewer.close()
    dock.transform.show_button.click()
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    (q_viewer,) = q_viewers()
    assert len(q_viewer.layers) == 1


def test_nothing_to_show_is_said(make_napari_viewer, open_qspace):
    dock = open_qspace(make_napari_viewer())
    assert not dock.transform.show_button.isEnabled()
    assert not dock.curves.take.isEnabled()
    assert not dock.lattice.bragg.isEnabled()
    assert not dock.pairs.show_button.isEnabled()
    assert "+E and -E" in dock.pairs.text.text()
    assert "Open a map" in dock.job.status.text()


def test_the_raw_map_covers_the_left_half_and_a_symmetry_is_in_the_name(shown, qtbot):
    viewer, dock, q_viewer = shown
    kernel, raw = q_viewer.layers
    assert kernel.name == "Ag [kernel] log|F|"
    assert raw.name == "Ag [left half] log|F|"
    assert raw.extent.world[1][-1] < 0.2
    assert kernel.extent.world[1][-1] > 5
    dock.transform.form.widgets["symmetry"].value = "C4v"
    dock.transform.form.widgets["mirror_deg"].value = 15.0
    dock.transform.show_button.click()
    qtbot.waitUntil(lambda: not dock.job.busy, **WAIT)
    assert len(q_viewer.layers) == 4
    badged = [layer for layer in q_viewer.layers if "symmetrised C4v" in layer.name]
    assert [layer.visible for layer in badged] == [True, True]
    assert not kernel.visible
    assert badged[0].metadata[KEY]["symmetrised"] == "C4v (mirror at 15 deg)"
    assert list(viewer.layers)[-1].name == "Ag [kernel]"


def test_both_viewers_share_the_energy(shown):
    viewer, _, q_viewer = shown
    viewer.dims.set_point(0, -20.0)
    assert q_viewer.dims.point[0] == pytest.approx(-20.0)
    assert q_viewer.canvas.overlays.text.text == "E = -20.0 mV"
    q_viewer.dims.set_point(0, 30.0)
    assert viewer.dims.point[0] == pytest.approx(30.0)
    assert q_viewer.canvas.overlays.text.text == "E = 30.0 mV"


def test_curves_maxima_and_a_band_with_errors(shown, qtbot, simulated):
    viewer, dock, _ = shown
    fields = dock.curves.form.widgets
    fields["band"].value = "parabola"
    fields["lowest_per_nm"].value = 1.0
    fields["highest_per_nm"].value = 4.0
    curves = take_curves(dock, qtbot)
    found = curves.found
    np.testing.assert_allclose(found.dispersion.q_per_nm, simulated.ring_q, atol=0.05)
    assert np.all(found.dispersion.error_per_nm > 0)
    assert dock.curves.result.text().startswith("m* = 0.")
    assert " ± " in dock.curves.result.text()
    assert curves.beside is not None
    plot = dock.curves.plot
    assert not plot.isHidden()
    first, image = plot.figure.axes
    text = get_theme(viewer.theme).text.as_hex()
    assert {label.get_color() for label in first.get_xticklabels()} == {text}
    assert first.get_title() == f"E = {dock._shown_bias():.1f} mV"
    viewer.dims.set_point(0, 30.0)
    assert first.get_title() == "E = 30.0 mV"
    assert list(image.lines[-1].get_ydata()) == [30.0, 30.0]
    assert image.get_xlabel() == "q (1/nm)"


def test_a_click_on_the_image_goes_to_that_energy(shown, qtbot):
    viewer, dock, _ = shown
    take_curves(dock, qtbot)
    dock.curves.plot.energy_wanted.emit(-19.0)
    assert viewer.dims.point[0] == pytest.approx(-20.0)


def test_the_curve_follows_a_line_that_is_dragged(shown, qtbot):
    _, dock, q_viewer = shown
    dock.curves.form.widgets["direction"].value = "line"
    assert not dock.curves.draw_line.isHidden()
    dock.curves.draw_line.click()
    qtbot.waitUntil(lambda: dock._curves is not None and not dock.job.busy, **WAIT)
    layer = cut_layer(q_viewer)
    start, end = line_of(layer)
    assert start == (0.0, 0.0)
    assert end[0] > 1.0
    assert layer.mode == "direct"
    before = dock._curves
    drag(qtbot, q_viewer, end, (1.0, 1.5))
    qtbot.waitUntil(lambda: dock._curves is not before, **WAIT)
    np.testing.assert_allclose(line_of(layer)[1], (1.0, 1.5), atol=0.05)
    labels = " ".join(each.text() for each in q_viewer.window._qt_window.findChildren(QLabel))
    told = re.search(r"\|q\| = ([\d.]+) 1/nm, λ = ([\d.]+) nm", labels)
    q, wavelength = (float(number) for number in told.groups())
    assert q == pytest.approx(np.hypot(1.0, 1.5), abs=0.05)
    assert q * wavelength == pytest.approx(2 * np.pi, rel=0.01)
    profile = dock._curves.found.profile
    assert profile["q"].values[-1] == pytest.approx(np.hypot(*line_of(layer)[1]))


def test_a_line_that_was_not_drawn_is_asked_for(make_napari_viewer, qtbot, add_kernel, open_qspace):
    viewer = make_napari_viewer()
    kernel = add_kernel(viewer)
    dock = open_qspace(viewer)
    dock.transform.layers.choose(kernel)
    dock.curves.form.widgets["direction"].value = "line"
    dock.curves.take.click()
    qtbot.waitUntil(lambda: "draw one" in dock.job.status.text(), **WAIT)
    dock.curves.draw_line.click()
    assert "first" in dock.job.status.text()


def test_zone_and_bragg_peaks_check_the_size_of_a_map(shown, qtbot):
    viewer, dock, q_viewer = shown
    axis = 0.05 * np.arange(160)
    lattice = np.cos(2 * np.pi * axis / 0.35)
    values = lattice[:, None] + lattice[None, :] + 0.1 * np.sin(np.arange(160**2)).reshape(160, 160)
    didv = make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    dock.transform.beside.choose(viewer.add_layer(Layer.create(*map_to_layer(didv, "atoms"))))
    dock.lattice.form.widgets["lattice_nm"].value = 0.36
    dock.lattice.zone.click()
    qtbot.waitUntil(lambda: ZONE in [layer.name for layer in q_viewer.layers], **WAIT)
    corners = q_viewer.layers[ZONE].data[0]
    np.testing.assert_allclose(np.abs(corners), np.pi / 0.36, rtol=1e-6)
    dock.lattice.bragg.click()
    qtbot.waitUntil(lambda: bool(dock.lattice.text.text()), **WAIT)
    assert "say 0.350" in dock.lattice.text.text()
    assert "2.8 % too small" in dock.lattice.text.text()
    assert len(q_viewer.layers[BRAGG].data) == 4
    assert abs(dock.lattice.form.value().rotation_deg) < 0.2


def test_curves_are_exported_with_a_figure(shown, qtbot, tmp_path, monkeypatch):
    _, dock, _ = shown
    take_curves(dock, qtbot)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    dock.curves.export.click()
    qtbot.waitUntil(lambda: "files written" in dock.job.status.text(), **WAIT)
    with (tmp_path / "dispersion.csv").open(encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 4
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "figure"), ""))
    dock.curves.figure.click()
    qtbot.waitUntil(lambda: "Figure saved" in dock.job.status.text(), **WAIT)
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_kernel_and_transform_become_a_figure(shown, qtbot, tmp_path, monkeypatch):
    _, dock, _ = shown
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "f.pdf"), ""))
    dock.transform.figure.click()
    qtbot.waitUntil(lambda: "Figure saved" in dock.job.status.text(), **WAIT)
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")


def test_removing_the_layer_ends_the_curves(shown, qtbot):
    viewer, dock, _ = shown
    take_curves(dock, qtbot)
    for layer in list(viewer.layers):
        viewer.layers.remove(layer)
    qtbot.wait(400)
    assert not dock.curves.take.isEnabled()
    assert "Open a map" in dock.job.status.text()


def test_the_dock_stays_narrow(shown):
    _, dock, _ = shown
    assert dock.minimumSizeHint().width() < 340
