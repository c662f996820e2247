import json

import numpy as np
import pytest

from qpi_kernel.cli import main
from qpi_kernel.read import READERS
from tests.library.read.examples import examples
from tests.library.read.writers import dat_bytes, grid_bytes

SPECTRUM = np.column_stack([np.linspace(0.02, -0.01, 4), np.arange(4) * 1e-12, np.ones(4)])


def test_point_spectra_are_described(tmp_path, capsys):
    (tmp_path / "a.dat").write_bytes(dat_bytes(SPECTRUM))
    assert main(["info", str(tmp_path / "a.dat")]) == 0
    out, err = capsys.readouterr()
    assert not err
    for words in (
        "a.dat: Nanonis spectrum",
        "spectra     1, not a map",
        "-10 to 20 mV, 4 values",
        "Current (A) [pA]",
        "temperature 4.2 K",
        "date        2025-03-20T14:02:20",
    ):
        assert words in out
    assert "dI/dV " not in out
    assert main(["info", str(tmp_path / "a.dat"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["points"], facts["didv"]) == ("spectra", [1], None)


def test_facts_of_a_grid_are_told(tmp_path, capsys):
    curves = np.random.default_rng(0).normal(size=(5, 7, 4, 3))
    (tmp_path / "a.3ds").write_bytes(grid_bytes(curves, angle=30, complete=20))
    assert main(["info", str(tmp_path / "a.3ds")]) == 0
    out, _ = capsys.readouterr()
    for words in (
        "7 x 10 nm, 7 x 5 points, angle 30 deg",
        "set point   20 mV",
        "set point   100 pA",
        "lock-in     2 mV",
        "dI/dV       LI Demod 1 X (A) (lock-in X)",
        "15 of 35 points not measured",
        "grid unfinished: 20 of 35 points",
    ):
        assert words in out


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write a good file of each format."""
    pytest.importorskip("igor2")
    pytest.importorskip("access2thematrix")
    folder = tmp_path_factory.mktemp("formats")
    found = {}
    for suffix, (name, content, beside) in examples(folder).items():
        for file, raw in {name: content, **beside}.items():
            (folder / file).write_bytes(raw)
        found[suffix] = folder / name
    return found


def test_info_knows_every_format(files, capsys):
    formats = {}
    for suffix, path in files.items():
        command = ["info", str(path), "--size", "7,5"]
        assert main(command) == 0, suffix
        words, error = capsys.readouterr()
        assert not error
        assert main([*command, "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        formats[suffix] = facts["format"]
        assert words.startswith(f"{path.name}: {facts['format']}\n")
        for channel in facts["channels"]:
            assert f"{channel['name']} [{channel['units']}]" in words
        if facts["kind"] == "map":
            assert facts["points"] == ([7, 7] if suffix == ".csv" else [7, 5]), suffix
            assert facts["didv"]["reason"] in words
        else:
            assert facts["didv"] is None
    assert {*formats.values()} == {reader.format for reader in READERS}


def test_info_of_a_damaged_file_of_any_format_is_one_line(files, tmp_path, capsys):
    for suffix, path in files.items():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:24])
        assert main(["info", str(tmp_path / path.name)]) == 1, suffix
        words, error = capsys.readouterr()
        assert not words
        assert error.startswith(f"error: {path.name}")
        assert error.count("\n") == 1
