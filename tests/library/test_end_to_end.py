"""From a file to a judged and exported kernel, with the shipped model, simulated and real."""

import itertools
import json

import numpy as np
import pytest
import tifffile

import qpi_kernel as qk
from qpi_kernel.cli import main

CU111 = ("A200621.160730", "A200621.210648", "A200621.211052")
# Everything that a result folder holds, by the interface.
FILES = {
    "assessment.json",
    "figure.png",
    "kernel.gsf",
    "kernel.tif",
    "kernel_fft.tif",
    "kernel_spread.tif",
    "methods.txt",
    "recipe.json",
    "reconstruction.tif",
    "residual.tif",
    "result.nc",
    "scatterers.csv",
}


@pytest.fixture(scope="module")
def sample():
    return qk.simulate_map(
        "ag111", bias_mV=[0.0], size_nm=40.0, pixels=128, scatterers=15, snr=5.0, seed=4
    )


def noise_map(seed: int):
    rng = np.random.default_rng(seed)
    axis = np.arange(128) * 0.3
    return qk.make_map(rng.normal(size=(128, 128)), bias_mV=[0.0], y_nm=axis, x_nm=axis)


def test_a_clean_map_gives_a_good_kernel_with_its_ring(sample):
    result = qk.extract_kernel(sample.didv)
    assessment = qk.assess(result)
    assert assessment.verdict == "good", assessment.reasons
    assert qk.band_similarity(result.kernel, sample.kernel, (0.5, 6.0))[0] > 0.93
    assert qk.ring_radius(result.kernel)[0] == pytest.approx(sample.ring_q[0], rel=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_a_kernel_of_pure_noise_is_not_trusted(seed):
    didv = noise_map(seed)
    rng = np.random.default_rng(seed)
    points = qk.Scatterers(rng.uniform(4, 34, (15, 2)))
    given = qk.extract_kernel(didv, points, qk.ExtractSettings(window_nm=12.0))
    assert qk.assess(given).verdict == "untrusted"


@pytest.mark.parametrize("seed", range(3))
def test_a_blind_kernel_of_pure_noise_is_refused_or_not_trusted(seed):
    try:
        blind = qk.extract_kernel(noise_map(seed), settings=qk.ExtractSettings(window_nm=12.0))
    except qk.QpiError as refused:
        verdict = "no scatterers" if "no scatterers" in str(refused) else str(refused)
    else:
        verdict = qk.assess(blind).verdict
    assert verdict in ("no scatterers", "untrusted")


@pytest.mark.parametrize("seed", range(3))
def test_a_kernel_of_shuffled_positions_is_not_trusted(sample, seed):
    rng = np.random.default_rng(seed)
    points = qk.Scatterers(rng.uniform(2, 38, (15, 2)))
    result = qk.extract_kernel(sample.didv, points)
    assert qk.assess(result).verdict == "untrusted"


def test_the_command_extracts_cu111_and_the_fields_agree(data_dir, tmp_path):
    kernels = []
    for name in CU111:
        out = tmp_path / name
        assert main(["extract", str(data_dir / "cu111" / f"{name}.dat"), "--out", str(out)]) == 0
        assert {path.name for path in out.iterdir()} == FILES
        kernels.append(qk.select_didv(qk.read_file(out / "kernel.tif")))
        assert 8 <= kernels[-1].sizes["x"] * 0.042 <= 11.5
        assert 4.9 <= qk.half_rim_q(kernels[-1])[0] <= 5.4
        assert tifffile.imread(out / "kernel.tif").dtype == np.float32
        assert json.loads((out / "assessment.json").read_text())["verdict"] != "untrusted"
    for first, second in itertools.combinations(kernels, 2):
        assert qk.band_similarity(first, second, (1.0, 6.0))[0] >= 0.97


def test_the_command_extracts_fese_and_says_how_far_to_trust_it(data_dir, tmp_path):
    file = data_dir / "fese" / "FeSe_topography.sxm"
    arguments = ["extract", str(file), "--channel", "LIY 1 omega", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assessment = json.loads((tmp_path / "out" / "assessment.json").read_text())
    assert assessment["verdict"] in ("doubtful", "untrusted")
    assert assessment["reasons"]


def test_the_command_finds_scatterers_in_the_topography_and_replays(data_dir, tmp_path):
    file = data_dir / "fese" / "FeSe_topography.sxm"
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["extract", str(file), "--channel", "LIY 1 omega", "--scatterers", "topography"]
    assert main([*words, "--out", str(first)]) == 0
    recipe = json.loads((first / "recipe.json").read_text())
    assert recipe["settings"]["find_in"] == "topography"
    assert main(["run", str(first / "recipe.json"), "--out", str(second)]) == 0
    kernels = [tifffile.imread(folder / "kernel.tif") for folder in (first, second)]
    np.testing.assert_allclose(kernels[0], kernels[1], rtol=1e-4, atol=1e-6)


def test_a_file_without_topography_says_so(tmp_path, capsys):
    axis = np.arange(64) * 0.25
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "map.npz", values=rng.normal(size=(64, 64)), x_nm=axis, y_nm=axis, bias_mV=[0.0]
    )
    words = ["extract", str(tmp_path / "map.npz"), "--scatterers", "topography"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    assert "map.npz holds no topography" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
