import csv

import numpy as np
import pytest

from qpi_kernel.cli import main
from qpi_kernel.comparison import comparison_figure, comparison_table, iter_compare, save_comparison
from qpi_kernel.errors import QpiError
from qpi_kernel.export import write_map
from qpi_kernel.extract import METHODS, ExtractSettings
from qpi_kernel.progress import drain
from qpi_kernel.scatterers import save_scatterers
from qpi_kernel.simulate import simulate_map


@pytest.fixture(scope="module")
def known():
    return simulate_map(
        "ag111", bias_mV=[0.0], size_nm=30.0, pixels=80, scatterers=7, snr=20.0, seed=2
    )


@pytest.fixture(scope="module")
def trials(known):
    settings = ExtractSettings(samples=4)
    return drain(iter_compare(known.didv, known.scatterers, settings, "cpu"))


def test_every_method_tries_the_same_map(trials, known):
    assert tuple(trial.method for trial in trials) == METHODS
    for trial in trials:
        np.testing.assert_array_equal(trial.extraction.didv.values, known.didv.values)
        assert trial.seconds > 0


def test_the_table_holds_the_numbers_of_the_assessments(trials, tmp_path):
    rows = comparison_table(trials)
    for row, trial in zip(rows, trials, strict=True):
        assert row["verdict"] == trial.assessment.verdict
        assert row["explained_structure"] == trial.assessment.numbers["explained_structure"][0]
    with (save_comparison(trials, tmp_path / "new") / "comparison.csv").open() as stream:
        saved = list(csv.DictReader(stream))
    assert [row["method"] for row in saved] == list(METHODS)
    assert [float(row["seconds"]) for row in saved] == [trial.seconds for trial in trials]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "comparison.csv", "comparison.png"
    ]  # fmt: skip


def test_the_figure_shows_the_map_and_every_kernel_with_its_transform(trials):
    panels = comparison_figure(trials).axes
    columns = len(METHODS) + 1
    assert [axes.get_title() for axes in panels[:columns]] == ["map", *METHODS]
    kernels, transforms = panels[1:columns], panels[columns:]
    assert len({axes.images[0].get_clim() for axes in kernels}) == 1
    assert [axes.get_title() for axes in transforms] == [
        "|F| of the map", *(f"|F|, {method}" for method in METHODS)
    ]  # fmt: skip
    assert all(np.isfinite(axes.images[0].get_array()).all() for axes in transforms)


def test_methods_that_refuse_say_why(known):
    tiny = ExtractSettings(window_nm=400.0)
    refused = drain(iter_compare(known.didv, known.scatterers, tiny, "cpu"))
    assert all(trial.extraction is None and trial.problem for trial in refused)
    assert comparison_table(refused)[0]["verdict"].startswith("refused: ")
    with pytest.raises(QpiError, match="no method took the map"):
        comparison_figure(refused)


def test_the_command_prints_the_table_and_writes_it(known, tmp_path, capsys):
    file = write_map(known.didv, tmp_path / "map.npz")
    save_scatterers(known.scatterers.select(known.scatterers.xy_nm.min(1) > 0), tmp_path / "xy.csv")
    words = [str(file), "--scatterers", str(tmp_path / "xy.csv"), "--region", "2,2,28,28"]
    assert main(["compare", *words, "--device", "cpu", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    with (tmp_path / "out" / "comparison.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["method"] for row in rows] == list(METHODS)
    for row in rows:
        line = next(line for line in told.splitlines() if f" {row['method']} " in line)
        assert row["verdict"][:6] in line
    assert (tmp_path / "out" / "comparison.png").stat().st_size > 50_000
    assert main(["compare", str(tmp_path / "none.3ds"), "--out", str(tmp_path / "no")]) == 1
    assert not (tmp_path / "no").exists()
