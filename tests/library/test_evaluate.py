import json

import numpy as np
import pytest

from qpi_kernel import QpiError, Scatterers, make_map
from qpi_kernel.cli import main
from qpi_kernel.evaluate import (
    EvaluateSettings,
    f1_score,
    iter_evaluate,
    markdown,
    similarity,
    write_report,
)
from qpi_kernel.evaluate.measures import coverage, kernel_measures
from qpi_kernel.evaluate.scenes import JITTER_PX, PIXEL_NM, draw_scene
from qpi_kernel.progress import drain

ONE_SCENE = EvaluateSettings(scenes=1, snrs=(2.0,), overlaps=("medium",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def rows(folder):
    return drain(iter_evaluate(ONE_SCENE, folder))


@pytest.fixture(scope="module")
def scene():
    return draw_scene("rashba", 2.0, "medium", (3,))


def test_similarity_leaves_out_core_size_and_offset():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(63, 63))
    other = 3 * kernel + 2
    other[31, 31] = 1e6
    assert similarity(kernel, other) == pytest.approx(1)
    assert similarity(kernel, -kernel) == pytest.approx(-1)
    assert abs(similarity(kernel, rng.normal(size=(63, 63)))) < 0.1


def test_scatterers_are_paired_once_within_reach():
    axis = np.arange(20.0)
    didv = make_map(
        np.random.default_rng(0).normal(size=(20, 20)), bias_mV=[0], y_nm=axis, x_nm=axis
    )
    true = Scatterers([[5.0, 5.0], [10.0, 10.0], [15.0, 3.0], [-4.0, 5.0]])
    assert f1_score(true, true, didv, 1.0) == 1
    # Two at one true scatterer: one of them is wrong. The one outside the map does not count.
    found = Scatterers([[5.0, 5.9], [5.5, 5.0], [10.0, 10.0], [40.0, 3.0]])
    assert f1_score(found, true, didv, 1.0) == pytest.approx(2 * 2 / (3 + 3))
    assert f1_score(found, true, didv, 0.1) == pytest.approx(2 * 1 / (3 + 3))
    # The nearer partner must not be taken if that leaves another without one.
    chain = Scatterers([[6.0, 5.0], [5.0, 5.0]])
    assert f1_score(chain, Scatterers([[5.4, 5.0], [6.8, 5.0]]), didv, 1.0) == 1
    assert f1_score(Scatterers(np.zeros((0, 2))), true, didv, 1.0) == 0


def test_a_scene_has_the_truth_beside_the_map(scene):
    assert scene.didv.shape == (1, 128, 128)
    assert scene.truth.shape == (1, 63, 63)
    assert scene.truth["x"].values[31] == 0
    offset = scene.told.xy_nm - scene.true.xy_nm
    assert np.sqrt(np.mean(np.sum(offset**2, axis=1))) == pytest.approx(
        JITTER_PX * PIXEL_NM, rel=0.4
    )
    again = draw_scene("rashba", 2.0, "medium", (3,))
    np.testing.assert_array_equal(again.didv.values, scene.didv.values)


def test_the_truth_scores_best(scene):
    measured = kernel_measures(scene.truth, scene.truth)
    assert measured["similarity"] == pytest.approx(1)
    assert measured["log_q"] == pytest.approx(1)
    assert measured["ring_error"] == 0
    noise = np.random.default_rng(1).normal(size=scene.truth.shape)
    random = scene.truth.copy(data=noise.astype(np.float32))
    worse = kernel_measures(random, scene.truth)
    assert abs(worse["similarity"]) < 0.2
    assert worse["log_q"] < 0.6
    assert kernel_measures(-scene.truth, scene.truth)["similarity"] == pytest.approx(1)
    assert kernel_measures(-scene.truth, scene.truth)["signed_similarity"] < 0.5


def test_nine_tenths_of_normal_errors_are_covered(scene):
    rng = np.random.default_rng(2)
    spread = scene.truth.copy(data=np.full(scene.truth.shape, 0.3, np.float32))
    error = (0.3 * rng.normal(size=scene.truth.shape)).astype(np.float32)
    assert coverage(scene.truth + error, spread, scene.truth) == pytest.approx(0.9, abs=0.02)


def test_every_method_is_tried_on_an_unseen_family(rows):
    (row,) = rows
    assert (row["family"], row["snr"], row["overlap"]) == ("rashba", 2.0, "medium")
    methods = row["methods"]
    known = ("aligned", "prior alone", "wiener", "ridge", "ridge, exact positions", "average")
    assert {*known, "aligned, blind", "sbd, blind", "shuffled", "noise"} == set(methods)
    assert methods["aligned"]["similarity"] > methods["average"]["similarity"]
    assert methods["sbd, blind"]["seconds"] > 0
    for name in ("aligned, blind", "sbd, blind"):
        assert 0 <= methods[name]["f1"] <= 1
    assert 0 < methods["aligned"]["coverage"] <= 1


def test_what_is_done_is_not_done_again(rows, folder):
    (file,) = folder.glob("scenes-*.jsonl")
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"family": "rash')  # a run that was cut while it wrote
    steps = iter_evaluate(ONE_SCENE, folder)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == rows


def test_the_report_has_tables_and_a_figure(rows, folder):
    write_report(rows, folder)
    text = (folder / "evaluation.md").read_text(encoding="utf-8")
    assert text == markdown(rows)
    value = rows[0]["methods"]["aligned"]["similarity"]
    assert f"| 2 | medium | {value:.3f} ({value:.2f} to {value:.2f})" in text
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert len(tables) == 6
    less = value - rows[0]["methods"]["prior alone"]["similarity"]
    assert f"| 2 | medium | {less:.3f} ({less:.2f} to {less:.2f})" in text
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert json.loads((folder / "evaluation.json").read_text(encoding="utf-8")) == rows
    assert (folder / "evaluation.png").stat().st_size > 10_000


def test_unknown_scenes_are_refused(tmp_path):
    with pytest.raises(QpiError, match="unknown overlap 'huge'; known: low, medium, high"):
        drain(iter_evaluate(EvaluateSettings(overlaps=("huge",)), tmp_path))


def test_models_names_what_is_installed(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert "qpi-kernel-v3" in printed
    assert "held out  rashba, rashba_hole, triangular" in printed
