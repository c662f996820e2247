import numpy as np
import pytest
import torch

from qpi_kernel.errors import QpiError
from qpi_kernel.learn.model import load_model, load_networks
from qpi_kernel.learn.recipe import TrainSettings
from qpi_kernel.learn.scenes import weighted_kernels
from qpi_kernel.learn.train import (
    build_aligner,
    build_finder,
    build_vae,
    iter_train_aligner,
    iter_train_finder,
    iter_train_vae,
)
from qpi_kernel.progress import drain
from qpi_kernel.settings import from_dict, to_dict
from qpi_kernel.simulate.families import draw_kernel

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


def test_the_finder_trains_and_resumes(bank, recipe, tmp_path):
    whole = drain(iter_train_finder(recipe, bank, tmp_path / "whole", CPU))
    interrupted(iter_train_finder(recipe, bank, tmp_path / "parts", CPU), after=1)
    resumed = drain(iter_train_finder(recipe, bank, tmp_path / "parts", CPU))
    assert same_weights(whole, resumed)
    assert not same_weights(whole, build_finder(recipe))


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


def test_a_training_starts_from_a_model(bank, recipe, tmp_path):
    start = from_dict(TrainSettings, {**to_dict(recipe), "start_from": "shipped"})
    with pytest.raises(QpiError, match="do not have the widths 16, 16 and 48"):
        build_vae(start)
    card = load_model().card["training"]
    widths = {name: card[name] for name in ("vae_width", "aligner_width", "finder_width")}
    start = from_dict(TrainSettings, {**to_dict(start), **widths})
    decoder, shipped = build_vae(start).decoder, load_model().decoder
    assert same_weights(decoder, shipped)
    assert same_weights(build_aligner(start), load_model().aligner)
    assert same_weights(build_finder(start), load_model().finder)
    missing = from_dict(TrainSettings, {**widths, "start_from": str(tmp_path / "no.safetensors")})
    with pytest.raises(QpiError, match=r"no\.safetensors: the model cannot be loaded"):
        build_vae(missing)


@pytest.mark.parametrize("window", [64, 96, 128])
def test_the_shipped_vae_holds_for_larger_windows(window):
    vae, _, _ = load_networks("shipped", TrainSettings())
    rng = np.random.default_rng(5)
    kernels = np.stack([draw_kernel("parabolic", rng, 128) for _ in range(8)])
    start = 64 - window // 2
    part = slice(start, start + window)
    target = weighted_kernels(torch.as_tensor(kernels[:, part, part]))
    with torch.inference_mode():
        mean, _ = vae.encoder(target[:, None])
        decoded = vae.decoder(mean)
    assert mean.shape[-2:] == (window // 8, window // 8)
    likeness = torch.nn.functional.cosine_similarity(decoded.flatten(1), target.flatten(1))
    assert float(likeness.median()) > 0.9


def test_a_folder_that_cannot_be_written_is_named(bank, recipe, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(QpiError, match="cannot be written"):
        next(iter_train_vae(recipe, bank, tmp_path / "file", CPU))


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"vae_steps": -1}, {"vae_width": 20}, {"learning_rate": 0.0}]
)
def test_a_recipe_that_cannot_train_is_refused(wrong):
    with pytest.raises(QpiError, match=next(iter(wrong))):
        from_dict(TrainSettings, wrong)
