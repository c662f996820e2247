"""A physicist's day, from the file of the instrument to a recipe that repeats it.

One test goes through it with mouse and keys where there is something to hit, and keeps a picture of
every step in `screenshots`. Its steps stand in `day_morning` and `day_afternoon`.
"""

import json

import numpy as np
import pytest

pytest.importorskip("napari")
from qtpy.QtWidgets import QFileDialog

from napari_qpi_kernel.bridge import KEY
from qpi_kernel.simulate import simulate_map
from tests.library.read.writers import grid_bytes
from tests.plugin import day_afternoon as afternoon
from tests.plugin import day_morning as morning
from tests.plugin.day_morning import MISSING_ROWS, NAME
from tests.plugin.hands import Day

SIZE_NM, PIXELS = 40.0, 256
BIASES_MV = np.linspace(-50.0, 50.0, 21)
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
    morning.the_dock_says_what_computes(day)
    morning.the_sample_takes_three_clicks(day)
    morning.a_grid_is_dropped(day, path)
    morning.the_energy_reads_in_millivolts(day)
    morning.the_map_is_prepared(day)
    morning.a_region_is_drawn_and_typed(day)
    morning.scatterers_are_found_and_edited(day)
    morning.the_kernel_is_extracted_while_the_view_pans(day)
    morning.the_result_says_how_far_to_trust_it(day)
    morning.a_point_is_moved_and_the_kernel_extracted_again(day)
    afternoon.methods_are_compared(day)
    afternoon.all_energies_are_extracted(day)
    afternoon.q_space_gives_a_band(day)
    afternoon.a_theory_lies_over_the_data(day)
    afternoon.a_symmetry_shows_in_the_name(day)
    afternoon.everything_is_exported(day)
    afternoon.a_figure_is_saved(day)
    afternoon.many_files_wait_in_a_queue(day, path)
    afternoon.the_recipe_repeats_it(day, path)

    assert {f"{NAME} [{kind}]" for kind in KINDS} <= {layer.name for layer in viewer.layers}
    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left >= FILES
    assert not [name for name in left if ".part" in name]
    told = json.loads((tmp_path / "result" / "assessment.json").read_text(encoding="utf-8"))
    assert told["verdict"] == day.layer("kernel 2").metadata[KEY]["assessment"]["verdict"]
    assert told["verdict"] != "untrusted"
