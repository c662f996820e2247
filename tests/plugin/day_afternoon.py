"""The second half of the day: what is made of kernels, and what is kept."""

import csv

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.qspace_overlays import cut_layer, line_of
from napari_qpi_kernel.qspace_viewer import q_viewer_of
from qpi_kernel.cli import main
from qpi_kernel.export import write_map
from qpi_kernel.extract import METHODS
from qpi_kernel.read import read_file, select_didv
from tests.plugin.day_morning import NAME
from tests.plugin.hands import drag, drop_on

MASS = 0.4  # of the surface state of Ag(111), in electron masses


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
    assert kernel.metadata[KEY]["bias_mV"] == pytest.approx(day.truth.didv["bias"].values)
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
    (item,) = results.results.findItems(f"{NAME} [kernel 2]", Qt.MatchStartsWith)
    results.results.setCurrentItem(item)
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
