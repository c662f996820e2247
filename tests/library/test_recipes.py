"""Recipes repeat results, tell them apart and say what differs."""

import json

import numpy as np
import pytest

from qpi_kernel import Scatterers, run, save_scatterers, simulate_map, write_map
from qpi_kernel.cli import main
from qpi_kernel.errors import QpiError
from qpi_kernel.export.plain_values import to_json
from qpi_kernel.learn.model import SHIPPED
from qpi_kernel.pipeline import PipelineSettings, plan
from qpi_kernel.recipe_differences import differences
from qpi_kernel.recipes import (
    check_model,
    find_input,
    identity,
    load_recipe,
    load_settings,
    settings_of,
)
from qpi_kernel.settings import from_dict, save, to_dict

needs_model = pytest.mark.skipif(not SHIPPED.is_file(), reason="no trained model in this checkout")
SMALL = {"window_nm": 8.0, "samples": 4}
# Methods, energies, regions, positions, seeds and preparations, ten in all.
RECORDED = {
    "average": {"extract": {"method": "average"}},
    "average all": {"bias_mV": None, "all_biases": True, "extract": {"method": "average"}},
    "wiener": {"extract": {"method": "wiener"}, "seed": 7},
    "wiener flat": {"extract": {"method": "wiener", "refine": False, "background_degree": 0}},
    "wiener all": {"bias_mV": None, "all_biases": True, "extract": {"method": "wiener"}},
    "region": {"region_nm": [0.0, 0.0, 14.0, 16.0], "extract": {"method": "wiener"}},
    "prepared": {
        "prepare": {"despike": True, "level_degree": 2, "level_rows": True},
        "extract": {"method": "wiener", "window_nm": 6.0},
    },
    "deconvolved": {"scatterers_file": None, "extract": {"method": "sbd"}},
    "learned": {"extract": {"method": "aligned"}},
    "learned, blind": {"scatterers_file": None, "seed": 3, "extract": {"method": "aligned"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    known = simulate_map(
        "ag111", bias_mV=[-20.0, 20.0], size_nm=20.0, pixels=64, scatterers=6, snr=50.0, seed=4
    )
    write_map(known.didv, folder / "map.npz")
    inside = known.scatterers.xy_nm.min(1) > 0
    save_scatterers(Scatterers(known.scatterers.xy_nm[inside]), folder / "points.csv")
    return folder


def settings_with(folder, **more):
    values = {"device": "cpu", "bias_mV": 20.0, "scatterers_file": str(folder / "points.csv")}
    values |= more
    values["extract"] = SMALL | values.get("extract", {})
    return from_dict(PipelineSettings, values)


@needs_model
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_recipe_gives_the_same_kernel(name, folder):
    first = run(folder / "map.npz", settings_with(folder, **RECORDED[name]))
    recipe = json.loads(to_json(first.recipe))
    settings, scatterers = settings_of(recipe)
    check_model(recipe)
    again = run(find_input(recipe, folder / "recipe.json"), settings, scatterers=scatterers)
    kernel = first.extraction.kernel.values
    assert np.abs(again.extraction.kernel.values - kernel).max() < 1e-4 * np.abs(kernel).max()
    assert identity(again.recipe) == identity(recipe)


def recipe_with(folder, **more):
    return plan("map.npz", 64 * "a", settings_with(folder, **more))


def test_what_determines_a_result_determines_its_identity(folder):
    plain = recipe_with(folder, extract={"method": "sbd"})
    same = [
        plain | {"version": "9.9"},
        plain | {"input": {"file": "other name", "sha256": 64 * "a", "path": "../map"}},
        json.loads(to_json(plain)),
    ]
    points = Scatterers([[1.0, 2.0]])
    settings = settings_with(folder, extract={"method": "sbd"})
    others = [
        plain | {"input": {"file": "map.npz", "sha256": 64 * "b"}},
        plain | {"model": {"name": "m", "sha256": 64 * "c"}},
        plan("map.npz", 64 * "a", settings, points),
        recipe_with(folder, extract={"method": "sbd"}, seed=1),
        recipe_with(folder, extract={"method": "sbd", "window_nm": 9.0}),
    ]
    assert {identity(recipe) for recipe in same} == {identity(plain)}
    assert len({identity(recipe) for recipe in [plain, *others]}) == 1 + len(others)


def test_differences_in_words(folder, tmp_path, capsys):
    first = recipe_with(folder, extract={"method": "sbd"})
    assert differences(first, json.loads(to_json(first))) == []
    second = recipe_with(folder, extract={"method": "average"}, bias_mV=-20.0)
    second |= {"input": {"file": "other.npz", "sha256": 64 * "b"}, "version": "0.0.1"}
    second |= {"model": {"name": "mine", "sha256": 64 * "c"}}
    first |= {"version": "0.0.2"}
    for name, recipe in (("a", first), ("b", second)):
        (tmp_path / name).write_text(json.dumps(recipe))
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "measurement: map.npz (sha256 aaaaaaaaaaaa...) in the first,"
        " other.npz (sha256 bbbbbbbbbbbb...) in the second",
        "bias_mV: 20.0 in the first, -20.0 in the second",
        "extract.method: sbd in the first, average in the second",
        "model: none in the first, mine (sha256 cccccccccccc...) in the second",
        "version of qpi-kernel: 0.0.2 in the first, 0.0.1 in the second",
    ]
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "a")]) == 0
    assert "both give the same result" in capsys.readouterr().out
    renamed = first | {"input": {"file": "copy.npz", "sha256": 64 * "a"}}
    assert differences(first, renamed) == [
        "the same measurement under two names: map.npz and copy.npz"
    ]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([[0, 0], [3, 4.5]], "the 2 given positions differ by up to 0.5 nm"),
        ([[0, 0]], "2 given positions in the first, 1 given positions in the second"),
        (None, "2 given positions in the first, found in the second"),
        ([[0, 0], [3, 4]], "of other weight or species"),
    ],
)
def test_differences_of_positions(second, words):
    first = {"scatterers": {"xy_nm": [[0, 0], [3, 4]], "weight": [1, 1], "species": [0, 0]}}
    given = None if second is None else {"xy_nm": second, "weight": [1, 2], "species": [0, 0]}
    (sentence,) = differences(first, {"scatterers": given})
    assert words in sentence


@needs_model
def test_another_model_or_input_is_refused_unless_told(folder, tmp_path, capsys):
    words = ["--bias", "20", "--method", "average", "--window", "8", "--device", "cpu"]
    assert main(["extract", str(folder / "map.npz"), "--out", str(tmp_path / "a"), *words]) == 0
    recipe = load_recipe(tmp_path / "a" / "recipe.json")
    recipe["model"]["sha256"] = 64 * "0"
    changed = tmp_path / "a" / "changed.json"
    changed.write_text(json.dumps(recipe))
    capsys.readouterr()
    assert main(["run", str(changed), "--out", str(tmp_path / "b")]) == 1
    assert "made with the model" in capsys.readouterr().err
    recipe["input"]["sha256"] = 64 * "0"
    with pytest.raises(QpiError, match="its sha256 differs"):
        find_input(recipe, changed)
    changed.write_text(json.dumps(recipe))
    assert main(["run", str(changed), "--out", str(tmp_path / "b"), "--anyway"]) == 0
    told = differences(recipe, load_recipe(tmp_path / "b" / "recipe.json"))
    assert [sentence.split(":")[0] for sentence in told] == ["measurement", "model"]


def test_settings_come_from_recipes_and_from_files_of_settings(tmp_path):
    settings = from_dict(PipelineSettings, {"bias_mV": 5.0, "extract": {"method": "average"}})
    recipe = tmp_path / "recipe.json"
    points = {"xy_nm": [[1.0, 2.0]], "weight": [1.0], "species": [0]}
    recipe.write_text(to_json({"settings": to_dict(settings), "scatterers": points}))
    assert load_settings(recipe) == settings
    for name in ("own.toml", "own.json"):
        save(settings, tmp_path / name)
        assert load_settings(tmp_path / name) == settings
    recipe.write_text('{"settings": {"bias": 3}}')
    with pytest.raises(QpiError, match="setting bias"):
        load_settings(recipe)
