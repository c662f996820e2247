import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from qpi_kernel.errors import QpiError
from qpi_kernel.learn.model import FORMAT, load_model, save_model
from qpi_kernel.learn.statistics import CHANNELS, SCALARS, Statistics
from qpi_kernel.learn.train import build_aligner, build_finder, build_vae
from qpi_kernel.settings import to_dict

BINS = torch.tensor([-3.0, -2.0, -1.0, 0.0, 1.0])
SPECTRUM = torch.arange(125.0).reshape(5, 25) / 100 + 0.1


@pytest.fixture
def saved(recipe, tmp_path):
    path = tmp_path / "tiny.safetensors"
    card = {"name": "tiny", "training": to_dict(recipe)}
    networks = build_vae(recipe), build_aligner(recipe), build_finder(recipe)
    save_model(path, *networks, BINS, SPECTRUM, card)
    return path


def change(path, edit_header=None, edit_tensors=None):
    """Write a model file again with another header or other tensors."""
    with safe_open(path, "pt") as stream:
        header = stream.metadata()
    changed = path.with_name("changed.safetensors")
    save_file((edit_tensors or dict)(load_file(path)), changed, (edit_header or dict)(header))
    return changed


def test_a_model_comes_back_as_it_was_saved(saved, recipe):
    model = load_model(saved)
    assert model.card["name"] == "tiny"
    assert len(model.sha256) == 64
    for loaded, built in (
        (model.decoder, build_vae(recipe).decoder),
        (model.aligner, build_aligner(recipe)),
    ):
        assert not loaded.training
        for name, value in built.state_dict().items():
            torch.testing.assert_close(loaded.state_dict()[name], value.half().float())
    torch.testing.assert_close(model.noise_bins, BINS)
    torch.testing.assert_close(model.error_spectrum, SPECTRUM)


def test_the_file_holds_half_precision_and_no_code(saved):
    with safe_open(saved, "pt") as stream:
        assert stream.metadata()["format"] == FORMAT
    kinds = {values.dtype for name, values in load_file(saved).items() if "." in name}
    assert kinds == {torch.float16}
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_model_predicts_kernels_and_their_error(saved):
    draw = torch.Generator().manual_seed(1)
    images = torch.randn(3, CHANNELS, 64, 64, generator=draw)
    scalars = torch.tensor([[-9.0, 0.0], [-1.5, 0.0], [9.0, 0.0]])
    assert scalars.shape[1] == SCALARS
    kernels, spectrum = load_model(saved).predict(Statistics(images, scalars, torch.ones(3)))
    assert kernels.shape == (3, 64, 64)
    assert bool(torch.isfinite(kernels).all())
    # Beyond the calibrated range the outermost bin holds, between two bins their mean.
    torch.testing.assert_close(spectrum[0], SPECTRUM[0])
    torch.testing.assert_close(spectrum[1], (SPECTRUM[1] + SPECTRUM[2]) / 2)
    torch.testing.assert_close(spectrum[2], SPECTRUM[4])


def test_a_missing_or_damaged_file_is_refused(saved, tmp_path):
    with pytest.raises(QpiError, match="cannot be loaded"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(QpiError, match="cannot be loaded"):
        load_model(tmp_path)
    whole = saved.read_bytes()
    for name, damage in {
        "empty": b"",
        "text": b"weights",
        "half": whole[: len(whole) // 2],
    }.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(damage)
        with pytest.raises(QpiError, match=f"{name}.safetensors: the model cannot be loaded"):
            load_model(path)


def card_with(value):
    return lambda header: header | {"card": value}


@pytest.mark.parametrize(
    "edit",
    [
        card_with("not json"),
        card_with("[]"),
        card_with("{}"),
        card_with('{"training": {"vae_width": "wide", "aligner_width": 16}}'),
        card_with('{"training": {"vae_width": 16}}'),
        card_with('{"training": {"vae_width": 32, "aligner_width": 16}}'),
        card_with('{"training": {"vae_width": 16, "aligner_width": 16}}'),
        lambda header: {"format": header["format"]},
    ],
)
def test_a_foreign_card_is_refused(saved, edit):
    with pytest.raises(QpiError, match="cannot be loaded"):
        load_model(change(saved, edit_header=edit))


def test_another_format_is_refused(saved):
    with pytest.raises(QpiError, match="expected a model of format 2, found 99"):
        load_model(change(saved, edit_header=lambda header: header | {"format": "99"}))
    with pytest.raises(QpiError, match="found no format"):
        load_model(change(saved, edit_header=lambda header: {"card": header["card"]}))


@pytest.mark.parametrize("missing", ["noise_bins", "error_spectrum", "decoder.head.weight"])
def test_a_missing_tensor_is_refused(saved, missing):
    def without(tensors):
        return {name: value for name, value in tensors.items() if name != missing}

    with pytest.raises(QpiError, match=missing.split(".")[-1]):
        load_model(change(saved, edit_tensors=without))


def test_a_model_that_cannot_be_written_leaves_nothing(recipe, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(QpiError, match="cannot be written"):
        save_model(
            tmp_path / "file" / "m.safetensors", build_vae(recipe), build_aligner(recipe),
            build_finder(recipe), BINS, SPECTRUM, {"name": "tiny"},
        )  # fmt: skip


def test_the_card_survives_as_json(saved):
    with safe_open(saved, "pt") as stream:
        assert json.loads(stream.metadata()["card"])["name"] == "tiny"
