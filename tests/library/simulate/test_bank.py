import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from qpi_kernel.cli import main
from qpi_kernel.errors import QpiError
from qpi_kernel.progress import drain
from qpi_kernel.settings import from_dict, load, save
from qpi_kernel.simulate import bank
from qpi_kernel.simulate.bank import BankSettings, iter_make_bank, load_bank, ripple_wavelength_px
from qpi_kernel.simulate.families import TRAINED, draw_kernel

CONFIGS = Path(__file__).parents[3] / "configs"
RECIPE = BankSettings(families=("parabolic", "warped"), count=5, size=64, seed=7)


def contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


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


def test_other_programs_can_read_a_bank(tmp_path):
    group = zarr.open_group(drain(iter_make_bank(RECIPE, tmp_path / "bank")), mode="r")
    assert group.metadata.zarr_format == 3
    assert from_dict(BankSettings, dict(group.attrs)["recipe"]) == RECIPE
    names = dict(group.attrs)["families"]
    assert [names[number] for number in group["family"][:]] == list(3 * RECIPE.families)[:5]
    wavelength = ripple_wavelength_px(np.asarray(group["kernels"][2], float))
    assert group["wavelength_px"][2] == pytest.approx(wavelength, rel=1e-3)


def test_the_bytes_of_a_bank_do_not_depend_on_the_number_of_workers(tmp_path):
    alone = drain(iter_make_bank(LONG, tmp_path / "alone"))
    together = drain(iter_make_bank(LONG, tmp_path / "together", workers=2))
    assert contents(alone) == contents(together)


LONG = BankSettings(families=("clusters", "vacancy"), count=4 * bank.CHUNK + 3, size=64, seed=9)
MAKE = """
import sys
from qpi_kernel.progress import drain
from qpi_kernel.settings import load
from qpi_kernel.simulate.bank import BankSettings, iter_make_bank
if __name__ == "__main__":
    drain(iter_make_bank(load(BankSettings, sys.argv[1]), sys.argv[2], workers=int(sys.argv[3])))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_bank_is_finished_without_doing_again_what_is_done(tmp_path, workers):
    script, recipe, folder = tmp_path / "make.py", tmp_path / "recipe.toml", tmp_path / "bank"
    script.write_text(MAKE, encoding="utf-8")
    save(LONG, recipe)
    making = subprocess.Popen([sys.executable, script, recipe, folder, str(workers)])
    first = folder / "kernels" / "c" / "0" / "0" / "0"
    deadline = time.monotonic() + 120
    while not first.exists() and making.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(making.pid, signal.SIGKILL)
    assert making.wait() == -signal.SIGKILL
    kept = first.stat().st_mtime_ns
    with pytest.raises(QpiError, match="not finished"):
        load_bank(folder)
    drain(iter_make_bank(LONG, folder))
    assert first.stat().st_mtime_ns == kept
    whole = drain(iter_make_bank(LONG, tmp_path / "whole"))
    assert contents(folder) == contents(whole)


def test_a_bank_that_was_cancelled_is_finished_later(tmp_path):
    making = iter_make_bank(LONG, tmp_path / "bank")
    assert next(making).fraction == pytest.approx(bank.CHUNK / LONG.count)
    making.close()
    with pytest.raises(QpiError, match="4 of 5 chunks are missing"):
        load_bank(tmp_path / "bank")
    assert len(list(iter_make_bank(LONG, tmp_path / "bank"))) == 4
    assert len(load_bank(tmp_path / "bank")[1]) == LONG.count


def test_a_finished_bank_costs_nothing_more(tmp_path):
    folder = drain(iter_make_bank(RECIPE, tmp_path / "bank"))
    assert list(iter_make_bank(RECIPE, folder)) == []


def test_a_bank_of_another_recipe_is_kept(tmp_path):
    folder = drain(iter_make_bank(RECIPE, tmp_path / "bank"))
    before = contents(folder)
    other = BankSettings(families=("parabolic",), count=5, size=64, seed=8)
    with pytest.raises(QpiError, match="a bank of another recipe is there"):
        drain(iter_make_bank(other, folder))
    assert contents(folder) == before


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(QpiError, match="holds other files"):
        drain(iter_make_bank(RECIPE, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_command_makes_a_bank(tmp_path, capsys):
    save(RECIPE, tmp_path / "recipe.toml")
    words = ["bank", "--recipe", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "bank")]
    assert main([*words, "--workers", "1"]) == 0
    assert "wrote 5 kernels of 2 families" in capsys.readouterr().out
    assert len(load_bank(tmp_path / "bank")[0]) == 5


@pytest.mark.parametrize("wavelength", [5.0, 12.0, 20.0])
def test_the_wavelength_of_ripples_is_measured(wavelength):
    axis = np.arange(128) - 64
    distance = np.hypot(axis[:, None], axis[None, :])
    ripples = np.cos(2 * np.pi * distance / wavelength) / np.sqrt(distance + 1)
    assert ripple_wavelength_px(ripples) == pytest.approx(wavelength, rel=0.12)


def test_unknown_families_are_named(tmp_path):
    with pytest.raises(QpiError, match="unknown families fractal; known: parabolic"):
        drain(iter_make_bank(BankSettings(families=("fractal",)), tmp_path / "bank"))
    assert not (tmp_path / "bank").exists()


def test_a_bank_needs_a_worker(tmp_path):
    with pytest.raises(QpiError, match="at least 1 worker"):
        drain(iter_make_bank(RECIPE, tmp_path / "bank", workers=0))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(QpiError, match="cannot be written"):
        drain(iter_make_bank(RECIPE, tmp_path / "file"))


@pytest.mark.parametrize("recipe", [{"count": 0}, {"size": 8}, {"families": []}])
def test_a_recipe_for_no_kernels_is_refused(recipe):
    with pytest.raises(QpiError, match="setting"):
        from_dict(BankSettings, recipe)


@pytest.mark.parametrize("damage", ["[]", "{}", "not json"])
@pytest.mark.parametrize("file", ["zarr.json", "kernels/zarr.json"])
def test_a_damaged_bank_is_refused(tmp_path, damage, file):
    folder = drain(iter_make_bank(RECIPE, tmp_path / "bank"))
    (folder / file).write_text(damage, encoding="utf-8")
    with pytest.raises(QpiError, match="no kernel bank"):
        load_bank(folder)


def test_a_cut_chunk_is_refused(tmp_path):
    folder = drain(iter_make_bank(RECIPE, tmp_path / "bank"))
    (folder / "kernels" / "c" / "0" / "0" / "0").write_bytes(b"half")
    with pytest.raises(QpiError, match="no kernel bank"):
        load_bank(folder)


def test_the_large_bank_draws_from_every_family_that_models_may_learn_from():
    recipe = load(BankSettings, CONFIGS / "bank-large.toml")
    assert recipe.families == TRAINED
    assert recipe.count >= 50_000
    assert recipe.count % len(recipe.families) == 0
