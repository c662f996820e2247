"""Full disks, folders that may not be written, files that vanish, processes that die."""

import os
import random
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from benchmarks.killed_work import KINDS
from benchmarks.kills import kill_often, killed
from qpi_kernel import make_map, write_map
from qpi_kernel.batch import _extract, _identify, run_batch
from qpi_kernel.errors import QpiError
from qpi_kernel.export import ExportError, export_result
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.files import alone
from qpi_kernel.learn.model import SHIPPED, load_model
from qpi_kernel.pipeline import PipelineSettings
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.settings import from_dict
from qpi_kernel.workers import answers, connected

SETTINGS = from_dict(
    PipelineSettings,
    {"device": "cpu", "extract": {"method": "average", "window_nm": 4.0, "samples": 4}},
)
POINTS = Scatterers([[6.0, 6.0], [3.0, 8.0]])
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture
def disk(tmp_path):
    """Mount a disk of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def map_file(tmp_path):
    axis = 0.2 * np.arange(64)
    values = np.random.default_rng(0).normal(size=(1, 64, 64))
    didv = make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis, units="nS")
    return write_map(didv, tmp_path / "map.npz")


@forks
@pytest.mark.parametrize(("kind", "count"), [("export", 2), ("bank", 2), ("training", 2)])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_nothing_reads_as_valid_but_wrong_after_a_kill(kind, count, tmp_path):
    kills, _ = kill_often(kind, count, tmp_path / kind, random.Random(1))
    assert kills == count


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_kills_would_find_files_of_two_results(tmp_path):
    trial = KINDS["export"](tmp_path)
    target = tmp_path / "target"
    shutil.copytree(tmp_path / "first", target)
    trial.check(target)
    shutil.copy(tmp_path / "second" / "kernel.tif", target)
    with pytest.raises(AssertionError, match="files of several results"):
        trial.check(target)
    (target / "recipe.json").unlink()
    trial.check(target)
    (target / "kernel.tif").write_bytes(b"half")
    with pytest.raises(AssertionError, match="of no result"):
        trial.check(target)
    with pytest.raises(RuntimeError, match="failed by itself"):
        killed(lambda folder: 1 / 0, target)


def test_two_programs_may_export_to_one_folder(make_extraction, tmp_path, monkeypatch):
    results = [replace(make_extraction(noise=n), settings=ExtractSettings()) for n in (0.1, 0.3)]
    busy = []
    write_all = sys.modules["qpi_kernel.export"]._write_all

    def watched(result, folder, *rest):
        busy.append(folder)
        assert len(busy) == 1, "the other one is writing"
        write_all(result, folder, *rest)
        busy.remove(folder)

    monkeypatch.setattr("qpi_kernel.export._write_all", watched)
    failures = []

    def export(result):
        try:
            export_result(result, tmp_path, recipe={"noise": float(result.noise[0])})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=export, args=(result,)) for result in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    stored = tifffile.imread(tmp_path / "residual.tif")[::-1]
    told = (tmp_path / "recipe.json").read_text()
    last = next(r for r in results if f'"noise": {float(r.noise[0])}' in told)
    np.testing.assert_array_equal(stored, last.residual.values[0].astype(np.float32))
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_lock_that_another_process_holds_is_waited_for_and_dies_with_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from qpi_kernel.files import alone\n"
        "with alone(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OSError, match="could not be acquired"), alone(tmp_path, 0.2):
            pass
        holder.kill()
    with alone(tmp_path, 5.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_nothing_and_says_so(make_extraction, disk):
    result = replace(make_extraction(), settings=ExtractSettings())
    target = disk / "result"
    target.mkdir()
    (target / "kernel.tif").write_bytes(b"an older one")
    with pytest.raises(ExportError, match=r"cannot be written there.*(No space|disk full|28)"):
        export_result(result, target)
    assert [path.name for path in target.iterdir()] == ["kernel.tif"]
    assert (target / "kernel.tif").read_bytes() == b"an older one"
    noise = np.random.default_rng(0).normal(size=(1, 400, 400))
    axis = np.arange(400.0)
    large = make_map(noise, bias_mV=[0.0], y_nm=axis, x_nm=axis, units="nS")
    for name in ("map.npz", "map.tif", "map.nc", "map.gsf", "map.zarr"):
        with pytest.raises(ExportError, match=r"cannot be written there.*(No space|disk full|28)"):
            write_map(large, disk / name)
    assert [path.name for path in disk.iterdir()] == ["result"]


def test_a_batch_on_a_full_disk_is_a_line_of_the_summary_each(disk, map_file):
    (disk / "logs").mkdir()
    (disk / "logs" / "large").write_bytes(os.urandom(250_000))
    ((own, key),) = _identify(map_file, SETTINGS, POINTS, False)
    with pytest.raises(QpiError, match=r"cannot be written|No space"):
        _extract(map_file, own, POINTS, disk / f"map-{key[:8]}")
    assert not list(disk.glob("*/recipe.json"))


def test_a_folder_that_may_not_be_written_is_named(make_extraction, disk, map_file):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    result = replace(make_extraction(), settings=ExtractSettings())
    for folder in (disk, disk / "new"):
        with pytest.raises(ExportError, match="Read-only"):
            export_result(result, folder)
    with pytest.raises(QpiError, match="Read-only"):
        run_batch([map_file], SETTINGS, disk / "out")


def test_a_file_that_vanishes_between_plan_and_work_is_an_error(map_file, tmp_path):
    ((own, _),) = _identify(map_file, SETTINGS, POINTS, False)
    map_file.unlink()
    (tmp_path / "logs").mkdir()
    with pytest.raises(QpiError, match=r"map\.npz.*No such file"):
        _extract(map_file, own, POINTS, tmp_path / "item")
    with pytest.raises(QpiError, match=r"map\.npz.*No such file"):
        _identify(map_file, SETTINGS, POINTS, False)
    assert "No such file" in (tmp_path / "logs" / "item.log").read_text()
    assert not (tmp_path / "item").exists()


def test_a_call_that_kills_every_worker_is_a_sentence():
    dask = pytest.importorskip("dask", reason="dask is an extra")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        connected(1, None) as client,
    ):
        assert client.scheduler.address.startswith("tcp://127.0.0.1:")
        assert client.dashboard_link.startswith("http://127.0.0.1:")
        told = dict(filter(None, answers(client, os._exit, {"a": (1,)})))
    assert "the workers died on this file" in told["a"]


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no trained model in this checkout")
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_model_that_was_cut_is_refused(share, tmp_path):
    content = SHIPPED.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(QpiError, match=r"cut\.safetensors: the model cannot be loaded"):
        load_model(path)
