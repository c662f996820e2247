"""Many files at once: on processes of this machine, and on a scheduler that runs elsewhere."""

import csv
import json
import shutil
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import tifffile

from qpi_kernel import Scatterers, run, save_scatterers, simulate_map, write_map
from qpi_kernel.batch import _finished, iter_batch, run_batch
from qpi_kernel.cli import main
from qpi_kernel.errors import QpiError
from qpi_kernel.pipeline import PipelineSettings
from qpi_kernel.settings import from_dict

pytest.importorskip("distributed", reason="dask is an extra")
benchmark = pytest.importorskip("benchmarks.batch", reason="processes are told as on Unix")


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """Write three small maps of two biases, and where their scatterers are."""
    folder = tmp_path_factory.mktemp("maps")
    known = simulate_map(
        "ag111", bias_mV=[-20.0, 20.0], size_nm=20.0, pixels=64, scatterers=6, snr=50.0, seed=4
    )
    inside = known.scatterers.xy_nm.min(1) > 0
    save_scatterers(Scatterers(known.scatterers.xy_nm[inside]), folder / "points.csv")
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        noisy = known.didv + 0.1 * rng.normal(size=known.didv.shape).astype(np.float32)
        write_map(noisy.assign_attrs(known.didv.attrs), folder / f"{name}.npz")
    return folder


def settings_for(maps, **more):
    values = {
        "device": "cpu",
        "bias_mV": 20.0,
        "scatterers_file": str(maps / "points.csv"),
        "extract": {"method": "average", "window_nm": 8.0, "samples": 4},
    }
    return from_dict(PipelineSettings, values | more)


@pytest.fixture
def here(client, monkeypatch):
    @contextmanager
    def give(*_):
        yield client

    monkeypatch.setattr("qpi_kernel.batch.connected", give)


def summary(out):
    with (out / "summary.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_processes_give_what_one_gives_and_a_bad_file_stops_nobody(maps, tmp_path, capsys):
    (tmp_path / "bad.3ds").write_bytes(b"junk")
    words = [str(maps / "a.npz"), str(tmp_path / "bad.3ds"), str(maps / "b.npz")]
    words += ["--workers", "1", "--bias", "20", "--scatterers", str(maps / "points.csv")]
    words += ["--method", "average", "--window", "8", "--device", "cpu"]
    out = tmp_path / "out"
    assert main(["batch", *words, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "2 of 3 results" in told
    rows = summary(out)
    assert [row["file"] for row in rows] == [words[0], words[1], words[2]]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert "bad.3ds" in rows[1]["error"]
    assert {row["bias_mV"] for row in rows} == {"20"}
    settings = settings_for(maps)
    for row, name in ((rows[0], "a.npz"), (rows[2], "b.npz")):
        stored = tifffile.imread(out / row["folder"] / "kernel.tif")[::-1]
        serial = run(maps / name, settings).extraction.kernel.values[0]
        assert np.abs(stored - serial).max() < 1e-5 * np.abs(serial).max()
    logs = {path.name: path.read_text() for path in (out / "logs").iterdir()}
    assert any(name.startswith("bad-") and "Traceback" in text for name, text in logs.items())
    assert any(name.startswith("a-") and "reading a.npz" in text for name, text in logs.items())


def test_a_scheduler_elsewhere_survives_the_death_of_a_worker(maps, tmp_path):
    settings, out = settings_for(maps), tmp_path / "out"
    files = [maps / f"{name}.npz" for name in "abc"]
    truth = [run(file, settings).extraction.kernel.values[0] for file in files]
    with benchmark.scheduler_elsewhere(tmp_path, 2) as (address, workers):
        items, _ = benchmark.batch(files, settings, out, address, dying=workers[-1], when=0.3)
        assert workers[0].poll() is None
    assert benchmark.deviation(items, out, truth) < 1e-5


def test_what_is_done_is_known_by_its_content_not_by_its_name(maps, tmp_path, here):
    settings, out = settings_for(maps), tmp_path / "out"
    first = run_batch([maps / "a.npz"], settings, out)[0]
    recipe = out / first.folder / "recipe.json"
    made = recipe.stat().st_mtime_ns
    shutil.copy(maps / "a.npz", tmp_path / "renamed.npz")
    again = run_batch([tmp_path / "renamed.npz", maps / "a.npz"], settings, out)
    assert [item.folder for item in again] == [first.folder] * 2
    assert again[0].file.endswith("renamed.npz")
    assert again[0].agreement == first.agreement
    assert recipe.stat().st_mtime_ns == made
    (out / first.folder).rename(out / "my favourite")
    assert run_batch([maps / "a.npz"], settings, out)[0].folder == "my favourite"
    shutil.copy(maps / "b.npz", tmp_path / "a.npz")
    other = run_batch([tmp_path / "a.npz"], settings, out)[0]
    assert other.folder not in (first.folder, "my favourite")
    wider = settings_for(maps, extract={"method": "average", "window_nm": 9.0})
    assert run_batch([maps / "a.npz"], wider, out)[0].folder != "my favourite"
    assert recipe.parent.exists() is False


def test_a_result_that_is_not_whole_is_made_again(maps, tmp_path, here):
    settings, out = settings_for(maps), tmp_path / "out"
    item = run_batch([maps / "a.npz"], settings, out)[0]
    recipe = out / item.folder / "recipe.json"
    whole = json.loads(recipe.read_text())
    for damage in ("", json.dumps(whole)[:-9], "[]", json.dumps(whole | {"batch": 1})):
        recipe.write_text(damage)
        assert _finished(out) == {}
    assert run_batch([maps / "a.npz"], settings, out)[0].error == ""
    assert json.loads(recipe.read_text())["batch"]["verdict"] == item.verdict


def test_every_energy_can_be_an_item(maps, tmp_path, here):
    out = tmp_path / "out"
    items = run_batch([maps / "a.npz"], settings_for(maps), out, per_energy=True)
    assert [item.bias_mV for item in items] == ["-20", "20"]
    assert len({item.folder for item in items}) == 2
    whole = settings_for(maps, bias_mV=None, all_biases=True)
    assert run_batch([maps / "a.npz"], whole, out)[0].bias_mV == "-20 to 20"
    undecided = run_batch([maps / "a.npz"], settings_for(maps, bias_mV=None), out)[0]
    assert "2 biases" in undecided.error


def test_cancel_ends_a_batch_and_keeps_what_is_done(maps, tmp_path, here):
    settings, out = settings_for(maps), tmp_path / "out"
    files = [maps / f"{name}.npz" for name in "abc"]
    steps = iter_batch(files, settings, out)
    while not (out / "summary.csv").exists():
        step = next(steps)
    assert 0 < step.fraction < 1
    steps.close()
    done = [row for row in summary(out) if not row["error"]]
    assert done
    assert (out / done[0]["folder"] / "recipe.json").exists()
    rest = [row for row in summary(out) if row["error"]]
    assert {row["error"] for row in rest} <= {"not finished"}


def test_a_batch_says_what_it_lacks(maps, tmp_path, monkeypatch):
    file = maps / "a.npz"
    with pytest.raises(QpiError, match="at least one file"):
        run_batch([], None, tmp_path)
    with pytest.raises(QpiError, match="at least 1 worker"):
        run_batch([file], None, tmp_path, workers=0)
    with pytest.raises(QpiError, match="leave out the number of workers"):
        run_batch([file], None, tmp_path, workers=2, scheduler="tcp://127.0.0.1:1")
    monkeypatch.setattr("qpi_kernel.workers.PATIENCE_S", 0.2)
    with pytest.raises(QpiError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:1"):
        run_batch([file], None, tmp_path, scheduler="tcp://127.0.0.1:1")
    (tmp_path / "taken").write_text("")
    with pytest.raises(QpiError, match="taken"):
        run_batch([file], None, tmp_path / "taken")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(QpiError, match=r"napari-qpi-kernel\[batch\]"):
        run_batch([file], None, tmp_path)
