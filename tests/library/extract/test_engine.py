import dataclasses

import numpy as np
import pytest
import torch

from qpi_kernel import (
    ExtractSettings,
    QpiError,
    Scatterers,
    band_similarity,
    extract_kernel,
    make_map,
    simulate_map,
)
from qpi_kernel.evaluate import similarity
from qpi_kernel.extract.engine import iter_extract
from qpi_kernel.extract.machine import choose_device
from qpi_kernel.simulate import MATERIALS, continuum
from qpi_kernel.simulate.material import Defect

WINDOW_NM = 10.0


def extract(didv, scatterers=None, *, method="wiener", window_nm=WINDOW_NM, **changes):
    settings = ExtractSettings(method=method, window_nm=window_nm, **changes)
    return extract_kernel(didv, scatterers, settings, device="cpu")


@pytest.fixture(scope="module")
def known(scene):
    return extract(scene.didv, scene.scatterers)


@pytest.mark.parametrize(
    ("method", "blind", "least"),
    [
        ("wiener", False, 0.95),
        ("wiener", True, 0.9),
        ("average", False, 0.85),
        ("average", True, 0.8),
    ],
)
def test_the_kernel_of_a_simulated_map_is_found(scene, truth_like, method, blind, least):
    result = extract(scene.didv, None if blind else scene.scatterers, method=method)
    assert similarity(result.kernel.values[0], truth_like(scene, result.kernel)[0]) > least
    assert result.provenance["scatterers"] == ("found in the map" if blind else "given")


def test_data_are_reconstruction_and_residual(known):
    total = known.reconstruction.values + known.residual.values
    np.testing.assert_allclose(total, known.didv.values, atol=1e-5)


def test_the_reconstruction_is_the_kernel_at_the_scatterers(known):
    pixel = float(known.didv["x"].values[1] - known.didv["x"].values[0])
    x, y = known.didv["x"].values, known.didv["y"].values
    kernel = known.kernel.values[0].astype(float)
    half = kernel.shape[0] // 2
    total = known.background.values[0].astype(float)
    # Placed by its own Fourier series, one scatterer after the other.
    size = 4 * kernel.shape[0] + 1
    padded = np.zeros((size, size))
    padded[: kernel.shape[0], : kernel.shape[1]] = kernel
    spectrum = np.fft.fft2(padded)
    k = 2 * np.pi * np.fft.fftfreq(size)
    for (at_x, at_y), weight in zip(known.scatterers.xy_nm, known.scatterers.weight, strict=True):
        row, column = (at_y - y[0]) / pixel, (at_x - x[0]) / pixel
        whole = (int(np.floor(row)), int(np.floor(column)))
        shift = np.exp(
            -1j * (k[:, None] * (row - whole[0] + 2) + k[None, :] * (column - whole[1] + 2))
        )
        placed = np.fft.ifft2(spectrum * shift).real[: kernel.shape[0] + 5, : kernel.shape[0] + 5]
        for i in range(placed.shape[0]):
            r = whole[0] - half - 2 + i
            if 0 <= r < y.size:
                columns = whole[1] - half - 2 + np.arange(placed.shape[1])
                inside = (columns >= 0) & (columns < x.size)
                total[r, columns[inside]] += weight * placed[i, inside]
    difference = total - known.reconstruction.values[0]
    # A window cut off at its edge rings a little beyond the five pixels followed here.
    assert np.sqrt(np.mean(difference**2)) < 0.02 * known.reconstruction.values.std()


def test_scale_and_offset_change_the_amplitude_alone(scene, known):
    louder = extract(scene.didv.copy(data=10 * scene.didv.values + 300), scene.scatterers)
    scale = np.abs(known.kernel.values).max()
    np.testing.assert_allclose(louder.kernel.values / 10, known.kernel.values, atol=0.01 * scale)
    np.testing.assert_allclose(louder.noise, 10 * known.noise, rtol=1e-3)
    np.testing.assert_allclose(
        louder.spread.values.mean(), 10 * known.spread.values.mean(), rtol=0.05
    )


def test_a_map_turned_upside_down_in_sign_turns_the_kernel(scene, known):
    negative = extract(scene.didv.copy(data=-scene.didv.values), scene.scatterers)
    scale = np.abs(known.kernel.values).max()
    np.testing.assert_allclose(negative.kernel.values, -known.kernel.values, atol=0.02 * scale)


def test_moving_the_region_leaves_the_kernel_unchanged(scene):
    first, second = (
        extract(scene.didv.isel(y=rows, x=columns), scene.scatterers)
        for rows, columns in (
            (slice(5, 120), slice(3, 118)),
            (slice(10, 125), slice(8, 123)),
        )
    )
    assert similarity(first.kernel.values[0], second.kernel.values[0]) > 0.95


def test_the_origin_of_the_axes_does_not_matter(scene, known):
    moved = scene.didv.assign_coords(
        x=("x", scene.didv["x"].values + 1234.5, {"units": "nm"}),
        y=("y", scene.didv["y"].values - 77.0, {"units": "nm"}),
    )
    points = Scatterers(scene.scatterers.xy_nm + np.array([1234.5, -77.0]), scene.scatterers.weight)
    result = extract(moved, points)
    scale = np.abs(known.kernel.values).max()
    np.testing.assert_allclose(result.kernel.values, known.kernel.values, atol=0.02 * scale)
    np.testing.assert_allclose(
        result.scatterers.xy_nm - [1234.5, -77.0], known.scatterers.xy_nm, atol=0.02
    )


def test_unfinished_rows_are_ignored(scene, truth_like):
    unfinished = scene.didv.copy(data=scene.didv.values.copy())
    unfinished.values[:, 100:] = np.nan
    result = extract(unfinished, scene.scatterers)
    for part in (result.kernel, result.spread, result.reconstruction, result.background):
        assert np.all(np.isfinite(part.values))
    assert similarity(result.kernel.values[0], truth_like(scene, result.kernel)[0]) > 0.93
    assert np.isnan(result.residual.values[:, 100:]).all()
    assert not result.used[100:].any()


def test_jittered_positions_are_refined(scene, known):
    rng = np.random.default_rng(3)
    pixel = 32.0 / 128
    jitter = rng.normal(scale=0.6 * pixel, size=scene.scatterers.xy_nm.shape)
    told = Scatterers(scene.scatterers.xy_nm + jitter)
    xy = scene.scatterers.xy_nm
    inside = np.all((xy > 2.0) & (xy < 30.0), axis=1)
    result = extract(scene.didv, told)
    held = extract(scene.didv, told, refine=False)
    assert len(result.scatterers) == len(held.scatterers) <= len(told)

    def error(found):
        distance = np.linalg.norm(found.xy_nm[:, None] - xy[inside][None], axis=-1).min(axis=0)
        return np.sqrt(np.mean(distance**2))

    assert error(result.scatterers) < 0.8 * error(held.scatterers)
    truth = known.kernel.values[0]
    assert similarity(result.kernel.values[0], truth) > similarity(held.kernel.values[0], truth)


def test_two_biases_share_their_scatterers(truth_like):
    scene = simulate_map(
        "ag111", bias_mV=[0.0, 60.0], size_nm=24.0, pixels=96, scatterers=10, snr=10.0, seed=3
    )
    result = extract(scene.didv, scene.scatterers, window_nm=8.0)
    truth = truth_like(scene, result.kernel)
    assert result.kernel["bias"].values.tolist() == [0.0, 60.0]
    assert result.noise.shape == (2,)
    assert all(len(values) == 2 for values in result.numbers.values())
    for kernel, expected in zip(result.kernel.values, truth, strict=True):
        assert similarity(kernel, expected) > 0.9
    assert similarity(result.kernel.values[0], truth[1]) < 0.9


@pytest.fixture(scope="module")
def lopsided():
    """Return a map whose kernel has a brighter and a darker side, and a twofold contour."""

    def kernel(y_nm, x_nm, energy_eV):
        plain = continuum.parabolic_kernel(
            y_nm[:, None], x_nm[None, :], energy_eV, mass=(0.6, 0.25), edge_eV=-0.065,
            broadening_eV=0.003,
        )  # fmt: skip
        angle = np.arctan2(y_nm[:, None], x_nm[None, :])
        return plain * (1 + 0.6 * np.sin(angle - 0.4))

    material = dataclasses.replace(
        MATERIALS["ag111"], name="lopsided", scatterers={"scalar": Defect(kernel, "C1")}
    )
    return simulate_map(
        material, bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=15, snr=10.0, seed=2
    )


def test_a_kernel_without_symmetry_keeps_its_asymmetry(lopsided, truth_like):
    result = extract(lopsided.didv, lopsided.scatterers)
    found, truth = result.kernel.values[0], truth_like(lopsided, result.kernel)[0]
    assert similarity(found, truth) > 0.9
    for turned in (found[::-1, ::-1], found.T, np.rot90(found)):
        assert similarity(turned, truth) < 0.8
    odd, true_odd = found - found[::-1, ::-1], truth - truth[::-1, ::-1]
    assert similarity(odd, true_odd) > 0.8
    assert np.linalg.norm(odd) == pytest.approx(np.linalg.norm(true_odd), rel=0.3)


def test_less_data_mean_more_spread(scene, known):
    fewer = scene.scatterers.select(np.arange(0, len(scene.scatterers), 3))
    assert extract(scene.didv, fewer).spread.values.mean() > known.spread.values.mean()
    rng = np.random.default_rng(5)
    noisy = scene.didv.copy(
        data=(scene.clean.values + 3 * rng.normal(size=scene.clean.shape)).astype(np.float32)
    )
    assert extract(noisy, scene.scatterers).spread.values.mean() > 1.5 * known.spread.values.mean()


def test_the_same_seed_gives_the_same_result(scene, known):
    again = extract(scene.didv, scene.scatterers)
    scale = np.abs(known.kernel.values).max()
    np.testing.assert_allclose(again.kernel.values, known.kernel.values, atol=1e-4 * scale)
    np.testing.assert_allclose(again.spread.values, known.spread.values, atol=1e-4 * scale)
    assert again.numbers.keys() == known.numbers.keys()
    for name, values in again.numbers.items():
        np.testing.assert_allclose(values, known.numbers[name], rtol=1e-2)


def test_a_fine_map_gives_the_kernel_on_its_own_pixels(truth_like):
    scene = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=24.0, pixels=192, scatterers=10, snr=10.0, seed=4
    )
    result = extract(scene.didv, scene.scatterers)
    assert result.kernel.sizes["x"] == 79
    truth = scene.kernel
    assert band_similarity(result.kernel, truth, (1.0, 3.0))[0] > 0.95
    assert similarity(result.kernel.values[0], truth_like(scene, result.kernel)[0]) > 0.85


def test_units_and_axes_are_those_of_the_map(scene, known):
    assert known.kernel.attrs["units"] == scene.didv.attrs["units"]
    assert known.kernel.sizes["x"] % 2 == 1
    assert known.kernel["x"].values[known.kernel.sizes["x"] // 2] == 0
    assert known.reconstruction.attrs["units"] == scene.didv.attrs["units"]
    assert known.provenance["device"] == "cpu"
    assert known.provenance["window_nm"] == WINDOW_NM


def test_cancelling_stops_at_once(scene):
    steps = iter_extract(scene.didv, scene.scatterers, ExtractSettings(method="wiener"), "cpu")
    fractions = [next(steps).fraction for _ in range(12)]
    steps.close()
    assert fractions == sorted(fractions)
    with pytest.raises(StopIteration):
        next(steps)


def test_progress_grows_to_one(scene):
    steps = iter_extract(scene.didv, None, ExtractSettings(method="wiener"), "cpu")
    fractions = np.array([step.fraction for step in steps])
    assert np.all(np.diff(fractions) > -1e-9)
    assert 0.9 < fractions[-1] <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_refused(scene):
    with pytest.raises(QpiError, match="no usable GPU"):
        extract_kernel(scene.didv, scene.scatterers, device="cuda")


def test_devices_are_chosen_by_name():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in {"cpu", "cuda"}
    with pytest.raises(QpiError, match="unknown device 'tpu'"):
        choose_device("tpu")


def test_scatterers_that_all_lie_outside_are_refused(scene):
    with pytest.raises(QpiError, match="none of the 2 scatterers lies in the map"):
        extract(scene.didv, Scatterers([[-50.0, 3.0], [100.0, 100.0]]))
    with pytest.raises(QpiError, match="none of the 0 scatterers"):
        extract(scene.didv, Scatterers(np.zeros((0, 2))))


def test_a_map_without_structure_is_refused():
    axis = 0.25 * np.arange(64)
    flat = make_map(np.ones((64, 64)), bias_mV=[0.0], y_nm=axis, x_nm=axis)
    with pytest.raises(QpiError, match="constant"):
        extract(flat, Scatterers([[8.0, 8.0]]))


def test_a_missing_model_is_refused(scene, tmp_path):
    with pytest.raises(QpiError, match="cannot be loaded"):
        extract(
            scene.didv, scene.scatterers, method="aligned", model=str(tmp_path / "none.safetensors")
        )
