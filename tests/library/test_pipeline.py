import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qpi_kernel import (
    ExtractSettings,
    PipelineSettings,
    PreprocessError,
    Scatterers,
    run,
    simulate_map,
    write_map,
)
from qpi_kernel.cli import main
from qpi_kernel.learn.model import SHIPPED
from qpi_kernel.read import read_file
from qpi_kernel.settings import from_dict
from tests.library.read.writers import grid_bytes

DIDV, BACK, CURRENT, Z = "LI Demod 1 X (A)", "LI Demod 1 X [bwd] (A)", "Current (A)", "Z (m)"


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Write a scan of two biases with its backward trace, current and topography."""
    known = simulate_map(
        "ag111", bias_mV=[-20.0, 20.0], size_nm=30.0, pixels=80, scatterers=8, snr=20.0, seed=2
    )
    didv = known.didv.transpose("bias", "y", "x")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1, 80, 1)) * float(didv.std())
    channels = {
        DIDV: didv.values + rows,
        BACK: np.roll(didv.values, 2, axis=2) + rows,
        CURRENT: didv["bias"].values[:, None, None] * (5 + didv.values),
    }
    axes = {dim: (dim, didv[dim].values) for dim in didv.dims}
    data = xr.Dataset(
        {
            name: (didv.dims, values.astype(np.float32), {"units": "pA"})
            for name, values in channels.items()
        },
        coords=axes,
    )
    lattice = np.cos(5.7 * didv["x"].values[None, :]) + np.cos(5.4 * didv["y"].values[:, None])
    data[Z] = (("y", "x"), lattice.astype(np.float32), {"units": "pm"})
    path = tmp_path_factory.mktemp("scan") / "scan.nc"
    data.to_netcdf(path, engine="h5netcdf")
    return path


def settings_with(**prepare):
    return from_dict(
        PipelineSettings,
        {
            "bias_mV": 20.0,
            "device": "cpu",
            "prepare": prepare,
            "extract": {"method": "average", "window_nm": 10.0},
        },
    )


def test_the_preparation_takes_its_channels_from_the_same_file(scan):
    asked = {"average_traces": True, "normalise": "gV/I", "level_rows": True}
    result = run(scan, settings_with(**asked))
    steps = result.extraction.didv.attrs["prepared"]
    lag = float(re.fullmatch(r"averaged with .*, moved by (\S+) nm", steps[0])[1])
    assert lag == pytest.approx(2 * 30 / 80, rel=0.05)
    assert steps[1] == "normalised to gV/I"
    assert steps[-1] == "median of every row subtracted"
    assert result.extraction.didv.attrs["channel"] == DIDV
    stored = result.recipe["settings"]["prepare"]
    assert {name: stored[name] for name in asked} == asked
    assert stored["despike"] is False


def test_a_recipe_holds_the_hashes_of_measurement_and_model(tmp_path):
    known = simulate_map("ag111", bias_mV=[0.0], size_nm=20.0, pixels=64, scatterers=6, seed=1)
    path = write_map(known.didv, tmp_path / "map.npz")
    settings = PipelineSettings(
        device="cpu", extract=ExtractSettings(window_nm=8.0, samples=4, refine=False)
    )
    recipe = run(path, settings, scatterers=known.scatterers).recipe
    assert recipe["input"] == {
        "file": "map.npz",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    model = hashlib.sha256(Path(SHIPPED).read_bytes()).hexdigest()
    assert recipe["provenance"]["model_sha256"] == model


def test_the_lattice_of_the_topography_is_that_of_the_recipe(scan, tmp_path):
    words = ["extract", str(scan), "--bias", "20", "--method", "average", "--window", "10"]
    words += ["--despike", "--level-degree", "2", "--distortion.lattice", "square"]
    assert main([*words, "--device", "cpu", "--out", str(tmp_path / "first")]) == 0
    recipe = json.loads((tmp_path / "first" / "recipe.json").read_text())
    assert recipe["settings"]["prepare"]["distortion"]["lattice"] == "square"
    assert recipe["settings"]["prepare"]["level_degree"] == 2
    assert len(recipe["input"]["sha256"]) == 64
    assert main(["run", str(tmp_path / "first/recipe.json"), "--out", str(tmp_path / "again")]) == 0
    with (
        xr.open_dataset(tmp_path / "first/result.nc", engine="h5netcdf") as first,
        xr.open_dataset(tmp_path / "again/result.nc", engine="h5netcdf") as again,
    ):
        # The lattice has 5.4 and 5.7 1/nm: square, it has one length, and the frame is stretched.
        step = json.loads(first["didv"].attrs["prepared"])[-1]
        stretch, _, shrink = map(float, re.search(r"topography \((.*)\)", step)[1].split(", "))
        assert stretch / shrink == pytest.approx(5.7 / 5.4, rel=2e-3)
        assert stretch * shrink == pytest.approx(1, rel=1e-3)
        np.testing.assert_array_equal(first["kernel"], again["kernel"])


def test_no_preparation_can_be_asked_for(scan, tmp_path, capsys):
    words = ["extract", str(scan), "--bias", "20", "--method", "average", "--window", "10"]
    assert main([*words, "--level-degree", "none", "--out", str(tmp_path / "out")]) == 0
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert recipe["settings"]["prepare"]["level_degree"] is None
    assert main([*words, "--level-degree", "7", "--out", str(tmp_path / "bad")]) == 2
    assert main([*words, "--distortion.lattice", "round", "--out", str(tmp_path / "bad")]) == 2
    assert not (tmp_path / "bad").exists()


def test_a_channel_that_the_file_lacks_is_said(tmp_path):
    axis = 0.25 * np.arange(64)
    values = np.random.default_rng(0).normal(size=(64, 64))
    np.savez(tmp_path / "map.npz", values=values, x_nm=axis, y_nm=axis, bias_mV=[20.0])
    with pytest.raises(PreprocessError, match="there is no backward trace"):
        run(tmp_path / "map.npz", settings_with(average_traces=True))
    with pytest.raises(PreprocessError, match="there is no current"):
        run(tmp_path / "map.npz", settings_with(normalise="g/I"))


def test_of_a_large_grid_only_the_channel_that_is_used_is_taken_into_memory(tmp_path, monkeypatch):
    pytest.importorskip("dask", reason="dask is an extra")
    curves = np.random.default_rng(0).normal(size=(40, 40, 4, 3)).astype(np.float32)
    path = tmp_path / "grid.3ds"
    path.write_bytes(grid_bytes(curves))
    settings = from_dict(
        PipelineSettings,
        {
            "all_biases": True,
            "device": "cpu",
            "extract": {"method": "average", "window_nm": 20.0, "samples": 4},
        },
    )
    asked = []

    def watched(*words, **more):
        dataset = read_file(*words, **more)
        asked.append({type(channel.data).__module__ for channel in dataset.values()})
        return dataset

    monkeypatch.setattr("qpi_kernel.pipeline.read_file", watched)
    points = Scatterers([[12.0, 30.0], [25.0, 50.0]])
    small = run(path, settings, scatterers=points)
    monkeypatch.setattr("qpi_kernel.pipeline.LARGE_BYTES", 0)
    large = run(path, settings, scatterers=points)
    assert asked[0] == {"numpy"}
    assert "dask.array.core" in asked[1]
    assert large.recipe == small.recipe
    np.testing.assert_array_equal(large.extraction.kernel, small.extraction.kernel)
