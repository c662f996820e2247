import json

import numpy as np

from qpi_kernel.cli import main
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
