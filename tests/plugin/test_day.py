"""A physicist's day, from the file of the instrument to a recipe that repeats it.

One test goes through it with mouse and keys where there is something to hit, and keeps a picture of
every step in `screenshots`.
"""

import csv
import json
import re

import numpy as np
import pytest

pytest.importorskip("napari")
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from superqt import QCollapsible

from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.qspace_overlays import cut_layer, line_of
from napari_qpi_kernel.qspace_viewer import q_viewer_of
from qpi_kernel.cli import main
from qpi_kernel.export import write_map
from qpi_kernel.extract import METHODS
from qpi_kernel.read import read_file, select_didv
from qpi_kernel.simulate import simulate_map
from tests.library.read.writers import grid_bytes
from tests.plugin.hands import PLUGIN, Day, click_at, drag, drop, drop_on, point_at, press

SIZE_NM, PIXELS = 40.0, 256
BIASES_MV = np.linspace(-50.0, 50.0, 21)
MISSING_ROWS = 4
NAME = "Grid_017 dI/dV"
KINDS = ("kernel", "kernel spread", "reconstruction", "residual", "kernel 2", "kernel 3")
FILES = {
    "points.csv",
    "figure.svg",
    "curves/dispersion.csv",
    "result/kernel.tif",
    "result/methods.txt",
    "result/recipe.json",
    "many/summary.csv",
    "again/kernel.tif",
}
MASS = 0.4  # of the surface state of Ag(111), in electron masses


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """An unfinished Nanonis grid of Ag(111) with a topograph, and the truth in it."""
    truth = simulate_map(
        "ag111", bias_mV=BIASES_MV, size_nm=SIZE_NM, pixels=PIXELS, scatterers=14, snr=10.0, seed=4
    )
    axis = SIZE_NM / PIXELS * np.arange(PIXELS)
    x_nm, y_nm = truth.scatterers.xy_nm.T
    far = (axis - y_nm[:, None])[:, :, None] ** 2 + (axis - x_nm[:, None])[:, None, :] ** 2
    z_nm = 0.08 * np.exp(-far / (2 * 0.4**2)).sum(0) + 0.01 * axis
    lock_in = 1e-12 * np.moveaxis(20 + truth.didv.values, 0, -1)
    current = np.cumsum(lock_in, -1)
    curves = np.stack([current, lock_in, 0.1 * lock_in, lock_in], axis=2)
    content = grid_bytes(
        curves,
        sweep=(BIASES_MV[0] / 1e3, BIASES_MV[-1] / 1e3),
        angle=30.0,
        pitch_nm=(SIZE_NM / PIXELS,) * 2,
        z_m=1e-9 * z_nm,
        complete=PIXELS * (PIXELS - MISSING_ROWS),
    )
    path = tmp_path_factory.mktemp("day") / "Grid_017.3ds"
    path.write_bytes(content)
    return path, truth


def test_the_day(
    make_napari_viewer, qtbot, open_dock, batch_here, screenshot, grid, tmp_path, monkeypatch
):
    def answer(path):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(path))

    path, truth = grid
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 720)

    def shot(name, of=viewer):
        screenshot(of, f"day_{name}")

    day = Day(viewer, open_dock(viewer), qtbot, tmp_path, truth, shot, answer)
    the_dock_says_what_computes(day)
    the_sample_takes_three_clicks(day)
    a_grid_is_dropped(day, path)
    the_energy_reads_in_millivolts(day)
    the_map_is_prepared(day)
    a_region_is_drawn_and_typed(day)
    scatterers_are_found_and_edited(day)
    the_kernel_is_extracted_while_the_view_pans(day)
    the_result_says_how_far_to_trust_it(day)
    a_point_is_moved_and_the_kernel_extracted_again(day)
    methods_are_compared(day)
    all_energies_are_extracted(day)
    q_space_gives_a_band(day)
    a_theory_lies_over_the_data(day)
    a_symmetry_shows_in_the_name(day)
    everything_is_exported(day)
    a_figure_is_saved(day)
    many_files_wait_in_a_queue(day, path)
    the_recipe_repeats_it(day, path)

    assert {f"{NAME} [{kind}]" for kind in KINDS} <= {layer.name for layer in viewer.layers}
    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left >= FILES
    assert not [name for name in left if ".part" in name]
    told = json.loads((tmp_path / "result" / "assessment.json").read_text(encoding="utf-8"))
    assert told["verdict"] == day.layer("kernel 2").metadata[KEY]["assessment"]["verdict"]
    assert told["verdict"] != "untrusted"


def the_dock_says_what_computes(day):
    day.wait(lambda: "model" in day.dock.settings.machine.text())
    assert not day.viewer.canvas.overlays.scale_bar.visible
    day.shot("01_dock")


def the_sample_takes_three_clicks(day):
    day.viewer.open_sample(PLUGIN, "ag111")
    day.run(day.dock.scatterers.find)
    day.run(day.dock.settings.extract)
    assert day.dock.results.outcome.assessment.verdict == "good"
    assert day.viewer.layers["Ag(111) [true kernel]"].visible
    day.shot("02_sample")
    day.viewer.layers.clear()


def a_grid_is_dropped(day, path):
    drop(day.viewer, path)
    maps = day.dock.maps
    day.wait(lambda: maps.layer is not None)
    assert [layer.name for layer in day.viewer.layers] == ["Grid_017 topography", NAME]
    assert maps.channels.count() == 5
    assert maps.channels.currentText() == "LI Demod 1 X (A)"
    assert np.isnan(maps.layer.data[:, -MISSING_ROWS:]).all()
    facts = maps.facts.facts.text()
    for words in (
        "lock-in X",
        "21 energies, -50 to 50 mV",
        "set point 20 mV, 100 pA",
        "angle 30°",
        "grid unfinished: 64512 of 65536 points",
    ):
        assert words in facts
    assert maps.size.width_nm.text() == "40.00 nm"
    day.shot("03_grid")


def the_energy_reads_in_millivolts(day):
    viewer, maps = day.viewer, day.dock.maps
    viewer.dims.set_point(0, 0.0)
    press(day.bot, viewer, Qt.Key_Right)
    assert maps.energy.text() == "E = 5.0 mV"
    assert viewer.canvas.overlays.text.text == "E = 5.0 mV"

    def told():
        point_at(day.bot, viewer, (10.0, 20.0))
        return re.fullmatch(r"x = (9.9|10.0)\d nm, y = .+ nm: .+ nS", maps.facts.here.text())

    day.wait(told)
    day.shot("04_energy")


def the_map_is_prepared(day):
    settings, before = day.dock.settings, day.dock.maps.layer.data.copy()
    details = next(each for each in settings.findChildren(QCollapsible))
    day.click(details.toggleButton())
    settings.prepare.widgets["level_rows"].value = True
    settings.prepare.widgets["level_degree"].value = 1
    day.run(settings.show_prepared)
    assert day.layer("prepared").data.shape == before.shape
    np.testing.assert_array_equal(day.dock.maps.layer.data, before)
    day.shot("05_prepared")
    day.click(details.toggleButton())


def a_region_is_drawn_and_typed(day):
    maps = day.dock.maps
    day.click(maps.draw)
    drag(day.bot, day.viewer, (8.0, 8.0), (32.0, 32.0))
    day.wait(lambda: maps.region_nm is not None)
    assert maps.region_nm == pytest.approx((8, 8, 32, 32), abs=0.3)
    for edge in (maps.size.width_nm, maps.size.height_nm):
        day.type_into(edge, "30")
    assert maps.region_nm == pytest.approx((5, 5, 35, 35), abs=0.3)
    day.wait(lambda: "30 × 30 nm" in day.dock.settings.gauge.text())
    assert "out of range" not in day.dock.settings.gauge.text()
    day.shot("06_region")


def scatterers_are_found_and_edited(day):
    viewer, bot, panel = day.viewer, day.bot, day.dock.scatterers
    day.run(panel.find)
    points = day.layer("scatterers")
    number = len(points.data)
    viewer.layers.selection.active = points
    press(bot, viewer, Qt.Key_3)
    click_at(bot, viewer, points.data[0][::-1])
    press(bot, viewer, Qt.Key_Delete)
    assert len(points.data) == number - 1
    press(bot, viewer, Qt.Key_2)
    click_at(bot, viewer, (14.0, 24.0))
    assert len(points.data) == number
    np.testing.assert_allclose(points.data[-1], (24.0, 14.0), atol=0.1)

    press(bot, viewer, Qt.Key_3)
    panel.species.setValue(1)
    day.click(panel.tag)
    assert panel.scatterers().species.tolist() == [0] * (number - 1) + [1]
    day.shot("07_points")
    day.answer(day.folder / "points.csv")
    day.click(panel.save)
    day.click(panel.load)
    np.testing.assert_allclose(panel.scatterers().xy_nm, points.data[:, ::-1])
    assert panel.scatterers().species.max() == 1
    viewer.layers.remove(panel.layer)
    panel.layers.choose(points)
    panel.species.setValue(0)
    day.click(panel.tag)


def the_kernel_is_extracted_while_the_view_pans(day):
    viewer, camera = day.viewer, day.viewer.scene.camera
    viewer.layers.selection.active = day.dock.maps.layer
    day.click(day.dock.settings.extract)
    day.wait(lambda: day.dock.job.bar.value() > 0)
    before = np.array(camera.center)
    drag(day.bot, viewer, (20.0, 20.0), (24.0, 20.0))
    assert day.dock.job.busy
    np.testing.assert_allclose(camera.center - before, (0, 0, -4), atol=0.3)
    day.shot("08_extracting")
    day.wait(lambda: not day.dock.job.busy)


def the_result_says_how_far_to_trust_it(day):
    facts = day.layer("kernel").metadata[KEY]
    assert facts["bias_mV"] == [5.0]
    assert facts["assessment"]["verdict"] == "doubtful"
    assert any("residual" in reason for reason in facts["assessment"]["reasons"])
    for kind in ("prepared 2", "reconstruction", "residual"):
        assert day.layer(kind).metadata[KEY]["attrs"]["units"] == "nS"
    day.shot("09_result")
    q_viewer = q_viewer_of(day.viewer)
    q_viewer.window.resize(900, 700)
    day.shot("09_q_space", q_viewer)


def a_point_is_moved_and_the_kernel_extracted_again(day):
    """The scatterer left out stands out of the residual; the wrong point is dragged onto it."""
    viewer, points, residual = day.viewer, day.layer("scatterers"), day.layer("residual")
    residual.visible = True
    worst = np.unravel_index(np.nanargmax(np.abs(residual.data)), residual.data.shape)
    y, x = residual.data_to_world(worst)
    known = day.truth.scatterers.xy_nm
    gap = np.hypot(*(known - (x, y)).T)
    assert gap.min() < 1.0  # its first ring outshines the core
    left_out = known[np.argmin(gap)]
    viewer.layers.selection.active = points
    press(day.bot, viewer, Qt.Key_3)
    drag(day.bot, viewer, points.data[-1][::-1], left_out)
    np.testing.assert_allclose(points.data[-1], left_out[::-1], atol=0.2)
    day.shot("10_residual")
    before = day.layer("kernel").data.copy()
    day.run(day.dock.settings.extract)
    np.testing.assert_array_equal(day.layer("kernel").data, before)
    first, second = (
        day.layer(kind).metadata[KEY]["assessment"]["numbers"] for kind in ("kernel", "kernel 2")
    )
    assert second["explained_structure"][0] > first["explained_structure"][0] + 0.1
    assert second["residual_over_noise"][0] < first["residual_over_noise"][0]
    day.shot("10_again")


def methods_are_compared(day):
    day.run(day.dock.results.compare)
    view = day.viewer.window.dock_widgets["Compare methods"]
    methods = [view.table.item(row, 0).text() for row in range(view.table.rowCount())]
    assert methods == list(METHODS)
    day.shot("11_compare", view)
    day.viewer.window.remove_dock_widget(view)


def all_energies_are_extracted(day):
    day.click(day.dock.maps.all_energies)
    day.dock.settings.form.widgets["method"].value = "average"
    day.run(day.dock.settings.extract)
    kernel = day.layer("kernel 3")
    assert kernel.metadata[KEY]["bias_mV"] == pytest.approx(BIASES_MV.tolist())
    day.shot("12_all_energies")


def q_space_gives_a_band(day):
    viewer, dock = day.viewer, day.open_dock("q-space")
    dock.transform.layers.choose(day.layer("kernel 3"))
    dock.transform.beside.choose(viewer.layers[NAME])
    day.run(dock.transform.show_button, dock)
    q_viewer = q_viewer_of(viewer)
    fields = dock.curves.form.widgets
    fields["direction"].value = "line"
    day.click(dock.curves.draw_line)
    _, end = line_of(cut_layer(q_viewer))
    drag(day.bot, q_viewer, end, (0.0, end[0]))
    np.testing.assert_allclose(line_of(cut_layer(q_viewer))[1], (0.0, end[0]), atol=0.1)
    day.shot("13_line", q_viewer)
    fields["direction"].value = "all"
    fields["band"].value = "parabola"
    day.run(dock.curves.take, dock)
    fit = dock._curves.found.fit
    assert fit.values["mass_me"] == pytest.approx(MASS, rel=0.2)
    day.answer(day.folder / "curves")
    day.run(dock.curves.export, dock)
    assert (day.folder / "curves" / "dispersion.csv").exists()
    dock._column.show_top_of(dock.curves)
    day.shot("13_band")


def a_theory_lies_over_the_data(day):
    dock = day.open_dock("Simulate")
    materials = dock.material.materials
    names = [materials.itemData(i).name for i in range(materials.count())]
    materials.setCurrentIndex(names.index("ag111"))
    dock.theory.kernels.choose(day.layer("kernel 2"))
    day.run(dock.theory.compare, dock)
    theory = day.viewer.layers[f"{NAME} [kernel 2] [theory]"]
    kernel = day.layer("kernel 2")
    assert theory.scale == pytest.approx(kernel.scale)
    assert np.min(theory.metadata[KEY]["correlation"]) > 0.8
    day.shot("14_theory")


def a_symmetry_shows_in_the_name(day):
    dock = day.viewer.window.dock_widgets["q-space (napari-qpi-kernel)"]
    dock.transform.form.widgets["symmetry"].value = "C4"
    day.run(dock.transform.show_button, dock)
    names = [layer.name for layer in q_viewer_of(day.viewer).layers]
    assert any("symmetrised C4" in name for name in names)
    assert f"{NAME} [kernel 3] log|F|" in names
    day.shot("15_symmetry", q_viewer_of(day.viewer))


def everything_is_exported(day):
    results, folder = day.dock.results, day.folder / "result"
    results.results.setCurrentIndex(results.results.findText(f"{NAME} [kernel 2]"))
    day.answer(folder)
    day.run(results.folder)
    names = {file.name for file in folder.iterdir()}
    assert {"kernel.tif", "kernel.gsf", "scatterers.csv", "recipe.json", "methods.txt"} <= names
    for name in ("kernel.tif", "kernel.gsf"):
        saved = select_didv(read_file(folder / name))
        np.testing.assert_array_equal(saved.values[0], day.layer("kernel 2").data)
    day.shot("16_export")


def a_figure_is_saved(day):
    day.answer(day.folder / "figure.svg")
    day.run(day.dock.results.figure)
    assert "svg" in (day.folder / "figure.svg").read_text(encoding="utf-8")[:500]


def many_files_wait_in_a_queue(day, path):
    """The next grid and this one, with the settings of the dock; what is made is not made again."""
    dock, out = day.open_dock("Batch"), day.folder / "many"
    following = write_map(day.truth.didv.isel(bias=slice(8, 13)), day.folder / "Grid_018.nc")
    drop_on(dock.files.table, path, following)
    dock.source.energies.setCurrentIndex(dock.source.energies.findData("nearest"))
    dock.source.bias_mV.setValue(5.0)
    assert "average" in dock.source.summary.text()
    day.type_into(dock.running.out, str(out))
    day.run(dock.running.start, dock)
    table = dock.files.table
    lines = [[table.item(row, column).text() for column in range(3)] for row in (0, 1)]
    assert [line[:2] for line in lines] == [["Grid_017.3ds", "5"], ["Grid_018.nc", "5"]]
    assert {line[2] for line in lines} <= {"good", "doubtful", "untrusted"}
    assert "2 of 2 results" in dock.job.status.text()
    with (out / "summary.csv").open(encoding="utf-8") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == [line[2] for line in lines]
    table.selectRow(0)
    day.shot("17_batch")
    made = {file: file.stat().st_mtime_ns for file in out.glob("*/recipe.json")}
    day.run(dock.running.start, dock)
    assert {file: file.stat().st_mtime_ns for file in out.glob("*/recipe.json")} == made
    assert len(made) == 2


def the_recipe_repeats_it(day, path):
    recipe = day.folder / "result" / "recipe.json"
    again = day.folder / "again"
    assert main(["run", str(recipe), "--file", str(path), "--out", str(again)]) == 0
    kernel, first = (select_didv(read_file(f / "kernel.tif")) for f in (again, recipe.parent))
    np.testing.assert_allclose(kernel, first, rtol=1e-4, atol=1e-4 * float(np.abs(first).max()))
    assert main(["diff", str(recipe), str(again / "recipe.json")]) == 0
