"""What the pages tell the reader to type runs, and what they name exists.

Blocks of a page share one folder and one Python, in the order of the page; a block with a title is
a file to write first.
"""

import ast
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from qpi_kernel import read
from qpi_kernel.cli import app, main
from qpi_kernel.evaluate import EvaluateSettings, markdown
from qpi_kernel.extract.normal_equations import normal_equations
from qpi_kernel.learn.build import ModelRecipe
from qpi_kernel.learn.model import SHIPPED
from qpi_kernel.maps import pixel_nm
from qpi_kernel.progress import drain
from qpi_kernel.qspace import ring_radius
from qpi_kernel.read import select_didv
from qpi_kernel.settings import load, to_dict
from qpi_kernel.simulate import simulate_kernel, simulate_map
from tests.library.read.writers import grid_bytes

needs_model = pytest.mark.skipif(
    not SHIPPED.is_file(), reason="the trained model is not part of this checkout"
)
ROOT = Path(__file__).parents[2]
TUTORIAL = "docs/tutorial-own-material.md"
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
)
BLOCK = re.compile(r'^```(\w+)(?: title="([\w.-]+)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)
# As many steps as a test has time for; nothing else of the recipe changes.
SHORTER = {
    r"_steps = \d+": "_steps = 1",
    r"count = \d+": "count = 8",
    r"\[training\]": "[training]\nbatch = 4",
    r"\A": "calibration_batches = 1\n",
}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page):
    return BLOCK.findall(text_of(page))


def run_commands(text, capsys):
    for line in text.splitlines():
        assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err


def code(page):
    """Return what a page sets as code, a line each."""
    text = text_of(page)
    return [*re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text), *"\n".join(
        block for _, _, block in blocks(page)
    ).splitlines()]  # fmt: skip


def options_of(command):
    arguments = app[command].assemble_argument_collection(parse_docstring=False)
    return {name for argument in arguments for name in argument.names}


@needs_model
def test_the_python_of_the_readme_runs():
    names = {}
    for language, _, text in blocks("README.md"):
        if language == "python":
            exec(text, names)
    assert names["assessment"].verdict in {"good", "doubtful", "untrusted"}
    assert names["result"].kernel.dims == ("bias", "y", "x")
    assert Path("result/kernel.tif").exists()


@needs_model
def test_the_command_line_of_the_readme_runs(capsys):
    for _, _, text in blocks("README.md"):
        if text.startswith("qpi-kernel"):
            run_commands(text, capsys)
    assert Path("again/kernel.tif").read_bytes() == Path("result/kernel.tif").read_bytes()


@needs_model
def test_the_other_pages_run_on_a_grid(capsys):
    biases = [-12.0, 20.0]
    known = simulate_map("ag111", bias_mV=biases, size_nm=30, pixels=80, scatterers=9, seed=1)
    curves = known.didv.values.transpose(1, 2, 0)[:, :, None]
    channels, pitch = "LI Demod 1 X (A)", pixel_nm(known.didv)[0]
    content = grid_bytes(curves, channels, (-0.012, 0.02), pitch_nm=(pitch, pitch))
    Path("Grid_017.3ds").write_bytes(content)
    # Of those that need a measurement or a result; the demo has a test of its own.
    for page in ("docs/index.md", "docs/preprocessing.md", "docs/tutorial-napari.md"):
        for language, _, text in blocks(page):
            if language == "python":
                exec(text, {})
            elif not text.startswith(("python -m venv", "qpi-kernel demo")):
                run_commands(text, capsys)
    assert json.loads(Path("again/recipe.json").read_text())["settings"]["all_biases"]


def test_every_command_on_the_pages_is_known():
    own = {"--help", "--version", "--debug"}
    every = own.union(*(options_of(name) for name in app if not name.startswith("-")))
    wrong = []
    for page in PAGES:
        for line in code(page):
            command = re.search(r"\bqpi-kernel ([a-z][\w-]*)", line)
            if command and command[1] not in app:
                wrong.append(f"{page}: {line}")
            known = own | options_of(command[1]) if command and command[1] in app else every
            if re.match(r"qpi-kernel|-", line):
                named = re.findall(r"(?<!\S)--[a-z][\w.-]*", line)
                wrong += [f"{page}: {option} in {line}" for option in named if option not in known]
    assert wrong == []


def test_every_script_and_target_on_the_pages_exists():
    scripts, targets = set(), set()
    for page in PAGES:
        for line in code(page):
            scripts |= set(re.findall(r"\b((?:benchmarks|docs/scripts|configs)/[\w-]+\.\w+)", line))
            scripts |= {
                f"{module.replace('.', '/')}.py"
                for module in re.findall(r"python -m (benchmarks\.\w+)", line)
            }
            targets |= set(re.findall(r"^make ([a-z][\w-]*)", line))
    assert scripts
    assert [script for script in sorted(scripts) if not (ROOT / script).is_file()] == []
    rules = re.findall(r"^([a-z][\w-]*):", text_of("Makefile"), re.MULTILINE)
    assert targets <= set(rules)


@needs_model
def test_the_tutorial_runs(capsys):
    names = {}
    for language, title, text in blocks(TUTORIAL):
        if title:
            for long, short in SHORTER.items() if language == "toml" else ():
                text = re.sub(long, short, text)
            Path(title).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(text, names)
        else:
            run_commands(text, capsys)
    shipped, own = map(float, re.findall(r"(0\.\d+)$", capsys.readouterr().out, re.MULTILINE))
    # One step does not spoil what the model knew.
    assert shipped > 0.9
    assert own > 0.9


def test_the_recipe_of_the_tutorial_is_the_one_in_configs(tmp_path):
    (recipe,) = [text for _, title, text in blocks(TUTORIAL) if title == "fine-tune.toml"]
    file = tmp_path / "fine-tune.toml"
    file.write_text(recipe, encoding="utf-8")
    assert to_dict(load(ModelRecipe, file)) == to_dict(
        load(ModelRecipe, ROOT / "configs" / "fine-tune.toml")
    )


def test_the_table_of_checks_names_tests_that_exist():
    page = text_of("docs/product-checks.md")
    assert re.findall(r"^\| (\d+)", page, re.MULTILINE) == [str(i) for i in range(1, 26)]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    functions = {
        path: {
            node.name for node in ast.parse(text_of(path)).body if isinstance(node, ast.FunctionDef)
        }
        for path, _ in named
    }
    assert [f"{path}::{name}" for path, name in named if name not in functions[path]] == []


def test_the_tables_of_the_model_card_are_those_of_its_scenes():
    page = text_of("docs/model-card.md")
    sha256 = re.search(r"sha256 \| `(\w{8})", page)[1]
    scenes = text_of(f"docs/evaluation/scenes-{sha256}-{EvaluateSettings().seed}.jsonl")
    tables = markdown([json.loads(line) for line in scenes.splitlines()]).splitlines()
    assert [row for row in tables if row.startswith("|") and row not in page] == []


def test_the_data_card_lists_every_family_on_its_side():
    from qpi_kernel.simulate.families import HELD_OUT, TRAINED

    table = text_of("docs/data-card.md").split("## Families")[1].split("## Ranges")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    trained, held_out = (
        {name.strip() for row in rows for name in row[column].split(",") if name.strip()}
        for column in (2, 3)
    )
    assert trained == set(TRAINED)
    assert held_out == set(HELD_OUT)


def test_the_reasons_of_a_verdict_are_explained_with_their_borders():
    from qpi_kernel import assessment

    page = text_of("docs/when-not-to-trust.md")
    for share in (assessment.SHARP, assessment.BLURRED, assessment.FITS, assessment.WRONG):
        assert f"{share:.0%}".replace("%", " %") in page
    for share in (assessment.REPEATED, assessment.COPIED, assessment.WHOLE, assessment.DECIDED):
        assert f"{share:.0%}".replace("%", " %") in page
    for number in (assessment.UNSURE, assessment.SURE, assessment.CHANCE):
        assert f" {number:g}" in page
    assert f"{assessment.CLEAN:g} times the noise" in page
    assert f"{assessment.STRANGE:g} times further" in page
    assert assessment.FEW == 4


def test_the_format_of_the_contributors_page_reads(monkeypatch):
    format_, _, _ = (
        text for language, _, text in blocks("CONTRIBUTING.md") if language == "python"
    )
    names = {"__name__": "grey_table"}
    exec(format_, names)
    monkeypatch.setattr(read, "READERS", (names["READER"], *read.READERS))
    file = Path("map.grey")
    file.write_text("GREY 3 2 6.0 4.0 -12.5\n1\n2\n3\n4\n5\n6\n")
    didv = select_didv(read.read_file(file))
    np.testing.assert_array_equal(didv.values[0], [[4, 5, 6], [1, 2, 3]])
    assert pixel_nm(didv) == pytest.approx((2.0, 2.0))
    assert didv["bias"].item() == -12.5
    file.write_text("GREY 3 2 6.0 4.0 -12.5\n1\n")
    with pytest.raises(read.ReadError, match="and 1 values; save it again"):
        read.read_file(file)


def test_the_material_of_the_contributors_page_shows_its_ring():
    _, entry, _ = (text for language, _, text in blocks("CONTRIBUTING.md") if language == "python")
    names = {}
    exec(entry, names)
    axis = 0.1 * np.arange(-64, 65)
    kernel = simulate_kernel(names["material"], bias_mV=[0.0], y_nm=axis, x_nm=axis)
    one_bin = 2 * np.pi / 12.9
    assert ring_radius(kernel)[0] == pytest.approx(names["material"].ring_q(0.0), abs=one_bin)


def test_the_method_of_the_contributors_page_finds_a_kernel():
    _, _, method = (text for language, _, text in blocks("CONTRIBUTING.md") if language == "python")
    names = {}
    exec(method, names)
    draw = torch.Generator().manual_seed(0)
    places, weights = 48 * torch.rand(10, 2, generator=draw), torch.ones(10)
    axis = torch.arange(17.0) - 8
    r = torch.hypot(axis[:, None], axis[None, :]) + 1
    true = (torch.cos(r) / r)[None, None]
    mask = torch.ones(48, 48)
    empty = normal_equations(torch.zeros(1, 48, 48), mask, 17, places, weights, 0)
    problem = normal_equations(empty.forward(true), mask, 17, places, weights, 0)
    found = drain(names["tikhonov"](problem, 1e-3))
    assert torch.linalg.norm(found - true) < 0.1 * torch.linalg.norm(true)
