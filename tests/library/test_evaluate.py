import numpy as np
import pytest

from qpi_kernel.cli import main
from qpi_kernel.evaluate import METHODS, Score, iter_evaluate, markdown, similarity
from qpi_kernel.learn.model import load_model
from qpi_kernel.progress import drain
from qpi_kernel.simulate.bank import BankSettings, iter_make_bank, load_bank

UNSEEN = tuple(load_model().card["held_out"])


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("held_out")
    recipe = BankSettings(families=UNSEEN, count=8, size=128, seed=2)
    return load_bank(drain(iter_make_bank(recipe, folder)))


def test_similarity_leaves_out_core_size_and_offset():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(63, 63))
    other = 3 * kernel + 2
    other[31, 31] = 1e6
    assert similarity(kernel, other) == pytest.approx(1)
    assert similarity(kernel, -kernel) == pytest.approx(-1)
    assert abs(similarity(kernel, rng.normal(size=(63, 63)))) < 0.1


def test_the_learned_kernel_beats_average_and_best_ridge_on_unseen_families(held_out):
    scores = drain(iter_evaluate(*held_out, snrs=(1.0,), scenes=4))
    assert {score.family for score in scores} == set(UNSEEN)
    for family in UNSEEN:
        median = {s.method: np.median(s.similarity) for s in scores if s.family == family}
        assert median["aligned"] > median["best-lambda ridge"] > median["average"]


def test_the_table_holds_every_method():
    values = np.array([0.5, 0.6, 0.7])
    table = markdown([Score("rashba", 2.0, method, values) for method in METHODS])
    head, _, row = table.splitlines()
    assert head.count("|") == row.count("|") == len(METHODS) + 3
    assert row.startswith("| rashba | 2 | 0.600 (0.52 to 0.68) |")


def test_models_names_what_is_installed(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert "qpi-kernel-v1" in printed
    assert "rashba, triangular" in printed
