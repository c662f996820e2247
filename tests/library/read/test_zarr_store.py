import json

import numpy as np
import pytest
import xarray as xr
import zarr

from qpi_kernel import ReadError, make_map, read_file, select_didv
from qpi_kernel.recipes import find_input
from tests.library.read.exchange_writers import zarr_zip_bytes

VALUES = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)


@pytest.fixture
def didv():
    return make_map(
        VALUES,
        bias_mV=[-20, 5],
        y_nm=2 * np.arange(5),
        x_nm=np.arange(7),
        units="nS",
        attrs={"angle_deg": 12.5, "setpoint_bias_mV": -50.0},
    )


@pytest.mark.parametrize("version", [2, 3])
def test_a_store_written_by_xarray(tmp_path, didv, version):
    store = tmp_path / "map.zarr"
    written = xr.Dataset({"didv": didv, "residual": didv}, attrs={"date": "2025-03-20"})
    written.to_zarr(store, zarr_format=version, consolidated=False)
    dataset = read_file(store)
    assert list(dataset) == ["didv"]
    xr.testing.assert_equal(select_didv(dataset), didv)
    facts = {"angle_deg": 12.5, "size_nm": (7, 10), "date": "2025-03-20", "source": "map.zarr"}
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert dataset["didv"].attrs["units"] == "nS"
    described = store / ("zarr.json" if version == 3 else ".zgroup")
    assert read_file(described).identical(dataset)


def test_a_store_in_one_file(save, tmp_path, didv):
    content = zarr_zip_bytes(xr.Dataset({"g": didv, "z": didv[0]}), tmp_path)
    dataset = read_file(save("copy.zip", content))
    assert set(dataset) == {"g", "z"}
    xr.testing.assert_equal(dataset["g"], didv)


def test_a_recipe_finds_its_store(tmp_path, didv):
    store = tmp_path / "map.zarr"
    xr.Dataset({"didv": didv}).to_zarr(store, consolidated=False)
    recipe = {"input": {"file": "map.zarr", "sha256": read_file(store).attrs["sha256"]}}
    assert find_input(recipe, tmp_path / "recipe.json") == store


def test_another_measurement_has_another_sha256(tmp_path, didv):
    for factor in (1, 2):
        xr.Dataset({"didv": factor * didv}).to_zarr(tmp_path / f"{factor}", consolidated=False)
    first, second = (read_file(tmp_path / name).attrs["sha256"] for name in "12")
    assert len(first) == 64
    assert first != second


def test_a_bare_array_needs_a_size_and_its_biases(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(2, 5, 7), dtype="f4")
    array[...] = VALUES
    with pytest.raises(ReadError, match="the attribute bias_mV with 2 biases, found 0"):
        read_file(tmp_path / "a.zarr")
    array.attrs["bias_mV"] = [5, -20]
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(tmp_path / "a.zarr")
    dataset = read_file(tmp_path / "a.zarr", size_nm=(14, 5))
    np.testing.assert_array_equal(dataset["values"], VALUES[::-1])
    np.testing.assert_array_equal(dataset["bias"], [-20, 5])


def test_stores_without_a_map(tmp_path, didv):
    xr.Dataset({"didv": didv[:, 0, 0]}).to_zarr(tmp_path / "a.zarr", consolidated=False)
    with pytest.raises(ReadError, match=r"a variable \(bias, y, x\)"):
        read_file(tmp_path / "a.zarr")


def test_a_store_that_claims_a_billion_points(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(40000, 40000), chunks=(100, 100), dtype="f4")
    with pytest.raises(ReadError, match=r"claims 1\.28e"):
        read_file(tmp_path / "a.zarr", size_nm=(1, 1))


def test_damaged_chunks_and_descriptions(tmp_path, didv):
    store = tmp_path / "a.zarr"
    xr.Dataset({"didv": didv}).to_zarr(store, consolidated=False)
    chunk = next(path for path in (store / "didv").rglob("*") if path.name != "zarr.json")
    if chunk.is_dir():
        chunk = next(path for path in chunk.rglob("*") if path.is_file())
    chunk.write_bytes(b"damaged")
    with pytest.raises(ReadError, match="copy the whole folder again"):
        read_file(store)
    text = json.loads((store / "didv" / "zarr.json").read_text())
    (store / "didv" / "zarr.json").write_text(json.dumps({**text, "shape": "large"}))
    with pytest.raises(ReadError, match=r"^a\.zarr"):
        read_file(store)
