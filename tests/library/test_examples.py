"""The notebooks run, cell by cell, and their kernels are those of the truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from qpi_kernel.learn.model import SHIPPED

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.skipif(
    not SHIPPED.is_file(), reason="the trained model is not part of this checkout"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    def run_it(name):
        monkeypatch.chdir(tmp_path)
        notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
        names = {}
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                assert not cell["outputs"], "notebooks are kept without their outputs"
                exec("".join(cell["source"]), names)
        return names

    return run_it


def test_read_and_extract(run):
    names = run("read-and-extract")
    assert names["similarity"] > 0.9
    assert names["ring"] == pytest.approx(names["known"], rel=0.1)
    assert Path("result/recipe.json").exists()


def test_theory_over_data(run):
    names = run("theory-over-data")
    similarity = names["similarity"]
    assert np.all(similarity["ag111"] > 0.9)
    assert np.all(similarity["cu111"] < 0.5)
    assert names["fit"].values["mass_me"] == pytest.approx(0.4, rel=0.1)


def test_batch(run):
    pytest.importorskip("dask")
    names = run("batch")
    assert len(names["summary"]) == 2
    assert {row["verdict"] for row in names["summary"]} <= {"good", "doubtful", "untrusted"}
