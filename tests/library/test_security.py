"""What strangers send, be it models, recipes or measurements, runs no code, fills no memory and
writes nowhere; see SECURITY.md."""

import ast
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.io import savemat

from qpi_kernel import ReadError, Scatterers, make_map, read_file, write_map
from qpi_kernel.batch import _extract, _folder_name
from qpi_kernel.cli import main
from qpi_kernel.errors import QpiError
from qpi_kernel.learn.model import SHIPPED, load_model
from qpi_kernel.pipeline import PipelineSettings
from qpi_kernel.read.recording import HARMLESS_BYTES
from qpi_kernel.recipes import find_input, load_recipe, settings_of
from qpi_kernel.settings import from_dict, load

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("src", "napari_qpi_kernel")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
# Modules that run what they read, and calls that run text or read with such modules.
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "yaml"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "np.load", "numpy.load"}
CALLS |= {"torch.load", "torch.save", "torch.jit.load", "pandas.read_pickle", "pd.read_pickle"}
MB = 2**20


def dangers(text):
    """Return what could run foreign code in a piece of Python."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(node.module)
        elif isinstance(node, ast.Call):
            if (name := ast.unparse(node.func)) in CALLS:
                found.append(name)
            found += [
                f"{name}({word.arg})"
                for word in node.keywords
                if word.arg in ("shell", "allow_pickle")
                and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            ]
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from yaml import load",
        "x = eval('1')",
        "torch.load(f)",
        "np.load(f)",
        "open_it(f, allow_pickle=True)",
        "subprocess.run(c, shell=flag)",
    ],
)
def test_the_search_for_dangers_finds_them(text):
    assert len(dangers(text)) == 1


def test_no_source_reads_what_can_run():
    assert [(p.name, d) for p in SOURCES for d in dangers(p.read_text(encoding="utf-8"))] == []


class Payload:
    """Make a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_the_payload_would_work(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))
    assert (tmp_path / "ran").is_dir()


def payloads(folder):
    """Write files that make the folder "ran" in the hands of a careless reader."""
    payload = Payload(folder / "ran")
    array = np.empty((4, 4), object)
    array[:] = payload
    np.save(folder / "map.npy", array)
    np.savez(folder / "map.npz", values=array)
    (folder / "plain.npz").write_bytes(pickle.dumps(payload))
    torch.save({"decoder": payload}, folder / "model.pt")
    (folder / "model.safetensors").write_bytes(pickle.dumps(payload))
    return sorted(folder.iterdir())


def test_files_from_strangers_run_nothing(tmp_path):
    for file in payloads(tmp_path):
        with pytest.raises(QpiError):
            load_model(file)
        with pytest.raises(QpiError):
            load_recipe(file)
        with pytest.raises(QpiError):
            load(PipelineSettings, file)
        with pytest.raises(ReadError):
            read_file(file, size_nm=(4, 4))
    assert not (tmp_path / "ran").exists()


def peak_of(error, work):
    """Return the most memory that work asks for before it is refused [bytes]."""
    tracemalloc.start()
    try:
        with pytest.raises(error):
            work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def tensors(header, data=b""):
    """Return the bytes of a safetensors file."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


HUGE = {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}
MODELS = {
    "a header of 8 EB": struct.pack("<Q", 2**63) + b"{}",
    "a header of 1 TB": struct.pack("<Q", 2**40) + b"{}",
    "a header beyond the end": struct.pack("<Q", 1000) + b"{}",
    "no JSON": tensors(b"\xff" * 64),
    "a tensor of 4 TB": tensors({"decoder.a": HUGE}),
    "a shape that overflows": tensors({"a": HUGE | {"shape": [2**40, 2**40]}}),
    "negative offsets": tensors({"a": HUGE | {"data_offsets": [-8, 0]}}),
    "offsets backwards": tensors({"a": HUGE | {"shape": [2], "data_offsets": [8, 0]}}, bytes(8)),
    "a file that is too short": tensors({"a": HUGE | {"shape": [4], "data_offsets": [0, 16]}}),
    "lists nested without end": tensors(b'{"a":' + b"[" * 100000),
}


@pytest.mark.parametrize("name", MODELS)
def test_hostile_models_are_refused_without_memory(name, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(MODELS[name])
    assert peak_of(QpiError, lambda: load_model(file)) < 5 * MB


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no trained model in this checkout")
@pytest.mark.parametrize("width", [8 * 10**6, 2**62, -8, "64", None, 1e9])
@pytest.mark.parametrize("name", ["vae_width", "finder_width"])
def test_the_card_of_a_model_claims_no_memory(name, width, tmp_path):
    with safe_open(SHIPPED, "pt") as stream:
        header = stream.metadata()
    card = json.loads(header["card"])
    card["training"][name] = width
    save_file(
        load_file(SHIPPED), tmp_path / "model.safetensors", header | {"card": json.dumps(card)}
    )
    with pytest.raises(QpiError, match="cannot be loaded"):
        load_model(tmp_path / "model.safetensors")


POINTS = '{"settings": {}, "scatterers": {"xy_nm": %s, "weight": [1], "species": [0]}}'
RECIPES = {
    "nested": "[" * 200000,
    "nested objects": '{"settings":' * 100000,
    "a number of a million digits": '{"settings": ' + "9" * 10**6 + "}",
    "another type": '{"settings": 3}',
    "unknown settings": '{"settings": {"__class__": "os.system"}}',
    "positions of another form": POINTS % '"a"',
    "positions at infinity": POINTS % "[[1e999, 0]]",
    "a model that is a list": '{"settings": {"extract": {"model": ["rm"]}}}',
    "samples without end": '{"settings": {"extract": {"samples": 1000000000}}}',
}


@pytest.mark.parametrize("name", RECIPES)
def test_hostile_recipes_are_one_line(name, tmp_path, capsys):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(RECIPES[name])
    assert main(["run", str(recipe), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "unexpected" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["/dev/zero", "/", "../../../../../../dev/zero", "a\0b"])
def test_a_recipe_cannot_make_us_read_for_ever(place, tmp_path):
    recipe = {"settings": {}, "input": {"file": place, "path": place, "sha256": 64 * "0"}}
    with pytest.raises(QpiError, match="was not found"):
        find_input(recipe, tmp_path / "recipe.json", anyway=True)


def test_a_recipe_of_endless_size_is_not_read(tmp_path):
    with (tmp_path / "recipe.json").open("wb") as stream:
        stream.truncate(2**40)  # holds nothing and takes no room
    assert peak_of(QpiError, lambda: load_recipe(tmp_path / "recipe.json")) < MB


def test_a_model_that_a_recipe_names_is_only_looked_at(tmp_path):
    file = payloads(tmp_path)[0]
    settings, _ = settings_of({"settings": {"extract": {"model": str(file)}}})
    with pytest.raises(QpiError, match="the model cannot be loaded"):
        load_model(settings.extract.model)
    assert not (tmp_path / "ran").exists()


def bombs(folder):
    """Write small files that claim to be, or unpack to, a hundred megabytes and far more."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    (folder / "claim.npy").write_bytes(stream.getvalue())
    for name, member in (("zip.npz", "values.npy"), ("zip.zarr.zip", "zarr.json")):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, stream.getvalue() + bytes(120 * MB))
    for name in ("empty.h5", "empty.nxs"):
        with h5py.File(folder / name, "w") as file:
            file.create_dataset(
                "didv", (1000, 30000, 30000), "f4", chunks=(1, 100, 100), compression="gzip"
            )
    savemat(folder / "zip.mat", {"map": np.zeros((3000, 5000))}, do_compression=True)
    return sorted(folder.iterdir())


def test_bombs_are_refused_before_they_unfold(tmp_path):
    for file in bombs(tmp_path):
        assert file.stat().st_size < MB, file
        peak = peak_of(ReadError, lambda file=file: read_file(file, size_nm=(9, 9)))
        # What no file may exceed that holds less than a hundredth of it.
        assert peak < HARMLESS_BYTES + 10 * MB, file


def test_a_folder_of_a_batch_has_no_say_in_where_it_is(tmp_path):
    names = ["...npz", "a" * 240 + ".npz", "-rf.npz", "a\\..\\b.npz", "=1+1.npz", "..\n.npz"]
    out = tmp_path / "out"
    (out / "logs").mkdir(parents=True)
    didv = make_map(
        np.random.default_rng(0).normal(size=(1, 64, 64)),
        bias_mV=[0.0],
        y_nm=0.2 * np.arange(64),
        x_nm=0.2 * np.arange(64),
        units="../../nS",
        attrs={"source": "../../../evil", "channel": "/etc/passwd"},
    )
    settings = from_dict(
        PipelineSettings,
        {"device": "cpu", "extract": {"method": "average", "window_nm": 4.0, "samples": 4}},
    )
    file = write_map(didv.rename("../../evil"), tmp_path / "map.npz")
    folders = {out / _folder_name(name, settings, 64 * "a", False) for name in names}
    assert {folder.parent.resolve() for folder in folders} == {out.resolve()}
    assert max(len(folder.name) for folder in folders) < 120
    before = {path.name for path in tmp_path.parent.iterdir()}
    item = _extract(file, settings, Scatterers([[6.0, 6.0], [3.0, 8.0]]), out / "..-aaaaaaaa")
    assert (out / item.folder / "recipe.json").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"map.npz", "out"}
    assert {path.name for path in out.iterdir()} == {"logs", "..-aaaaaaaa"}
    assert {path.name for path in tmp_path.parent.iterdir()} == before
