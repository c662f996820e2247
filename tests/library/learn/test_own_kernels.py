import numpy as np
import pytest
import torch

from qpi_kernel.errors import QpiError
from qpi_kernel.export.formats import write_map
from qpi_kernel.learn.build import ModelRecipe, iter_build_model
from qpi_kernel.learn.model import load_model
from qpi_kernel.learn.own_kernels import read_own_kernels, vary_kernels
from qpi_kernel.maps import make_map
from qpi_kernel.progress import drain
from qpi_kernel.settings import from_dict, to_dict
from qpi_kernel.simulate.bank import BankSettings, ripple_wavelength_px


def ring_pattern(size=63, wavelength=8.0):
    axis = np.arange(size) - size // 2
    r = np.hypot(axis[:, None], axis[None, :])
    return np.cos(2 * np.pi * r / wavelength) / (1 + r)


def write(path, values):
    axis = (np.arange(values.shape[-1]) - values.shape[-1] // 2) * 0.2
    rows = axis[: values.shape[-2]]
    write_map(make_map(values, bias_mV=[-5.0, 5.0], y_nm=rows, x_nm=axis), path)


def test_each_bias_of_each_file_is_a_kernel(tmp_path):
    pattern = ring_pattern()
    write(tmp_path / "b.npz", np.stack([pattern, -pattern]))
    write(tmp_path / "a.nc", np.stack([2 * pattern, pattern]))
    (tmp_path / "notes.txt").write_text("not a kernel", encoding="utf-8")
    kernels = read_own_kernels(tmp_path)
    assert len(kernels) == 4
    for kernel, factor in zip(kernels, (2, 1, 1, -1), strict=True):
        expected = factor * pattern
        np.testing.assert_allclose(kernel, expected - np.median(expected), atol=1e-5)


def test_what_is_no_kernel_is_named(tmp_path):
    with pytest.raises(QpiError, match="no kernels there"):
        read_own_kernels(tmp_path)
    write(tmp_path / "wide.npz", np.stack([ring_pattern()[:40]] * 2))
    with pytest.raises(QpiError, match=r"wide\.npz: a kernel has to be square.*63 x 40 px"):
        read_own_kernels(tmp_path)


def test_variants_keep_origin_and_norm_and_have_ripples_of_the_model():
    drawn = vary_kernels([ring_pattern()], 12, 128, seed=3).astype(float)
    norms = np.linalg.norm(drawn, axis=(1, 2))
    np.testing.assert_allclose(norms, 64, rtol=2e-3)
    wavelengths = [ripple_wavelength_px(kernel) for kernel in drawn]
    assert all(4.5 <= wavelength <= 26 for wavelength in wavelengths)
    assert max(wavelengths) > 1.4 * min(wavelengths)
    assert all(np.unravel_index(np.abs(k).argmax(), k.shape) == (64, 64) for k in drawn)
    again = vary_kernels([ring_pattern()], 12, 128, seed=3)
    np.testing.assert_array_equal(again, drawn.astype(np.float16))


def test_ripples_that_no_pixel_holds_are_refused():
    axis = np.arange(63) - 31
    board = (-1.0) ** (axis[:, None] + axis[None, :]) * np.hanning(63)[:, None] * np.hanning(63)
    with pytest.raises(QpiError, match="kernel 1: no ripples"):
        vary_kernels([board], 1, 128, seed=1)


def test_a_model_is_tuned_to_own_kernels(recipe, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    write(folder / "k.npz", np.stack([ring_pattern(), ring_pattern(wavelength=11.0)]))
    bank = BankSettings(families=("parabolic",), count=8)
    tuned = ModelRecipe(
        name="mine", bank=bank, validation=bank, training=recipe, calibration_batches=1,
        own_kernels=str(folder),
    )  # fmt: skip
    assert from_dict(ModelRecipe, to_dict(tuned)) == tuned
    path = drain(iter_build_model(tuned, tmp_path / "out", torch.device("cpu")))
    assert load_model(path).card["own_kernels"] == str(folder)
