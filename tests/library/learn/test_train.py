import pytest
import torch

from qpi_kernel.errors import QpiError
from qpi_kernel.learn.train import (
    TrainSettings,
    build_vae,
    iter_train_aligner,
    iter_train_vae,
)
from qpi_kernel.progress import drain
from qpi_kernel.settings import from_dict, to_dict

CPU = torch.device("cpu")


def same_weights(first, second):
    return all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def interrupted(steps, after):
    for _ in range(after):
        next(steps)
    steps.close()


def test_the_vae_trains_and_says_how_far_it_is(bank, recipe, tmp_path):
    steps = iter_train_vae(recipe, bank, tmp_path, CPU)
    progress = [next(steps) for _ in range(3)]
    assert [step.fraction for step in progress] == pytest.approx([1 / 3, 2 / 3, 1])
    assert "error" in progress[0].message
    with pytest.raises(StopIteration) as done:
        next(steps)
    trained = done.value.value
    assert not trained.training
    assert not same_weights(trained, build_vae(recipe))


def test_a_resumed_vae_equals_an_uninterrupted_one(bank, recipe, tmp_path):
    whole = drain(iter_train_vae(recipe, bank, tmp_path / "whole", CPU))
    interrupted(iter_train_vae(recipe, bank, tmp_path / "parts", CPU), after=2)
    resumed = iter_train_vae(recipe, bank, tmp_path / "parts", CPU)
    assert next(resumed).fraction == 1
    assert same_weights(whole, drain(resumed))


def test_a_resumed_aligner_equals_an_uninterrupted_one(bank, recipe, tmp_path):
    vae = build_vae(recipe)
    whole = drain(iter_train_aligner(recipe, bank, vae, tmp_path / "whole", CPU))
    interrupted(iter_train_aligner(recipe, bank, vae, tmp_path / "parts", CPU), after=1)
    resumed = drain(iter_train_aligner(recipe, bank, vae, tmp_path / "parts", CPU))
    assert same_weights(whole, resumed)
    assert same_weights(vae, build_vae(recipe)), "the VAE is frozen"


def test_a_finished_training_is_not_repeated(bank, recipe, tmp_path):
    trained = drain(iter_train_vae(recipe, bank, tmp_path, CPU))
    again = iter_train_vae(recipe, bank, tmp_path, CPU)
    with pytest.raises(StopIteration) as done:
        next(again)
    assert same_weights(trained, done.value.value)


def test_another_recipe_does_not_go_on_with_this_training(bank, recipe, tmp_path):
    interrupted(iter_train_vae(recipe, bank, tmp_path, CPU), after=1)
    other = from_dict(TrainSettings, {**to_dict(recipe), "seed": recipe.seed + 1})
    with pytest.raises(QpiError, match="begun with another seed"):
        next(iter_train_vae(other, bank, tmp_path, CPU))


def test_a_damaged_or_foreign_checkpoint_is_refused(bank, recipe, tmp_path):
    interrupted(iter_train_vae(recipe, bank, tmp_path, CPU), after=1)
    checkpoint = tmp_path / "vae.safetensors"
    whole = checkpoint.read_bytes()
    for damage in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        checkpoint.write_bytes(damage)
        with pytest.raises(QpiError, match=r"vae\.safetensors: the checkpoint does not fit"):
            next(iter_train_vae(recipe, bank, tmp_path, CPU))
    checkpoint.write_bytes(whole)
    wider = TrainSettings(vae_steps=3, batch=2, vae_width=32)
    with pytest.raises(QpiError, match="does not fit this training"):
        next(iter_train_vae(wider, bank, tmp_path, CPU))


def test_a_folder_that_cannot_be_written_is_named(bank, recipe, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(QpiError, match="cannot be written"):
        next(iter_train_vae(recipe, bank, tmp_path / "file", CPU))


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"vae_steps": 0}, {"vae_width": 20}, {"learning_rate": 0.0}]
)
def test_a_recipe_that_cannot_train_is_refused(wrong):
    with pytest.raises(QpiError, match=next(iter(wrong))):
        from_dict(TrainSettings, wrong)
