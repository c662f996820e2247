import json

import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.progress import drain
from qpi_kernel.settings import from_dict
from qpi_kernel.simulate.bank import BankSettings, iter_make_bank, load_bank
from qpi_kernel.simulate.families import draw_kernel

RECIPE = BankSettings(families=("parabolic", "warped"), count=5, size=64, seed=7)


def test_a_bank_holds_what_its_recipe_says(tmp_path):
    folder = drain(iter_make_bank(RECIPE, tmp_path / "bank"))
    kernels, families = load_bank(folder)
    assert kernels.shape == (5, 64, 64)
    assert kernels.dtype == np.float16
    assert families == ["parabolic", "warped", "parabolic", "warped", "parabolic"]
    norms = np.linalg.norm(np.asarray(kernels, float), axis=(1, 2))
    np.testing.assert_allclose(norms, 64.0, rtol=1e-2)
    third = 64 * draw_kernel("warped", np.random.default_rng([7, 3]), 64)
    np.testing.assert_allclose(kernels[3], third, atol=1e-2)
    recipe = json.loads((folder / "bank.json").read_text(encoding="utf-8"))["recipe"]
    assert from_dict(BankSettings, recipe) == RECIPE
    assert {path.name for path in folder.iterdir()} == {"kernels.npy", "bank.json"}


def test_an_interrupted_bank_leaves_nothing_behind(tmp_path):
    making = iter_make_bank(RECIPE, tmp_path)
    next(making)
    making.close()
    assert not (tmp_path / "kernels.npy").exists()
    assert list(tmp_path.glob(".kernels*")) == []
    with pytest.raises(QpiError, match="no kernel bank"):
        load_bank(tmp_path)


def test_unknown_families_are_named(tmp_path):
    with pytest.raises(QpiError, match="unknown families fractal; known: parabolic"):
        drain(iter_make_bank(BankSettings(families=("fractal",)), tmp_path / "bank"))
    assert not (tmp_path / "bank").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(QpiError, match="cannot be written"):
        drain(iter_make_bank(RECIPE, tmp_path / "file"))


@pytest.mark.parametrize("recipe", [{"count": 0}, {"size": 8}, {"families": []}])
def test_a_recipe_for_no_kernels_is_refused(recipe):
    with pytest.raises(QpiError, match="setting"):
        from_dict(BankSettings, recipe)


@pytest.mark.parametrize("damage", ["[]", "{}", "not json", '{"families": ["parabolic"]}'])
def test_a_damaged_bank_is_refused(tmp_path, damage):
    drain(iter_make_bank(RECIPE, tmp_path))
    (tmp_path / "bank.json").write_text(damage, encoding="utf-8")
    with pytest.raises(QpiError, match="no kernel bank"):
        load_bank(tmp_path)


def test_kernels_of_another_form_are_refused(tmp_path):
    drain(iter_make_bank(RECIPE, tmp_path))
    np.save(tmp_path / "kernels.npy", np.zeros((5, 64)))
    with pytest.raises(QpiError, match="no kernel bank"):
        load_bank(tmp_path)
    (tmp_path / "kernels.npy").write_bytes(b"\x93NUMPY garbage")
    with pytest.raises(QpiError, match="no kernel bank"):
        load_bank(tmp_path)
