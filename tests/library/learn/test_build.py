from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from qpi_kernel.learn.build import EVALUATION, ModelRecipe, iter_build_model
from qpi_kernel.learn.model import SHIPPED, load_model
from qpi_kernel.progress import drain
from qpi_kernel.settings import from_dict, load, to_dict
from qpi_kernel.simulate.bank import BankSettings
from qpi_kernel.simulate.families import HELD_OUT

CPU = torch.device("cpu")
CONFIGS = Path(__file__).parents[3] / "configs"


def test_a_recipe_makes_a_model_and_resumes(recipe, tmp_path):
    tiny = BankSettings(families=("parabolic", "elliptic"), count=8, size=128)
    whole = ModelRecipe(
        name="tiny", bank=tiny, validation=tiny, training=recipe, calibration_batches=1
    )
    assert from_dict(ModelRecipe, to_dict(whole)) == whole
    path = drain(iter_build_model(whole, tmp_path, CPU))
    assert path == tmp_path / "tiny.safetensors"
    model = load_model(path)
    assert model.card["families"] == ["parabolic", "elliptic"]
    assert set(model.card["held_out"]) == set(HELD_OUT)
    assert np.all(np.diff(model.noise_bins.numpy()) >= 0)
    made = (tmp_path / "vae.safetensors").stat().st_mtime_ns
    assert drain(iter_build_model(whole, tmp_path, CPU)) == path
    assert (tmp_path / "vae.safetensors").stat().st_mtime_ns == made
    again = load_model(path)
    assert torch.equal(again.error_spectrum, model.error_spectrum)
    for first, second in zip(again.aligner.parameters(), model.aligner.parameters(), strict=True):
        assert torch.equal(first, second)


def test_the_shipped_model_never_saw_what_it_is_judged_on():
    card = load_model(SHIPPED).card
    assert not set(card["families"]) & set(card["held_out"])
    assert not set(card["families"]) & set(EVALUATION.families)
    assert EVALUATION.families == HELD_OUT


def test_the_recipe_of_the_shipped_model_is_kept():
    recipe, card = to_dict(load(ModelRecipe, CONFIGS / "v3.toml")), load_model(SHIPPED).card
    for part in ("bank", "validation"):
        assert recipe[part] == card[part]
    assert {**card["training"], **recipe["training"]} == card["training"]
    assert card["start"]["name"] == load(ModelRecipe, CONFIGS / "v2.toml").name


def test_the_recipes_from_nothing_are_whole():
    cpu, gpu = (load(ModelRecipe, CONFIGS / f"{place}.toml") for place in ("cpu", "gpu"))
    assert cpu == replace(ModelRecipe(), name=cpu.name)
    # Its bank is made before, by another command.
    assert gpu.bank == load(BankSettings, CONFIGS / "bank-large.toml")
    for recipe in (cpu, gpu):
        assert set(recipe.bank.families).isdisjoint(HELD_OUT)
        assert recipe.training.start_from is None
        assert recipe.validation.seed != recipe.bank.seed
