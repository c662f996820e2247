import csv
import json

import numpy as np
import pytest

from qpi_kernel.cli import main
from qpi_kernel.export import export_result, write_map
from qpi_kernel.qspace import kernel_fft
from tests.library.command_line import one_error_line


@pytest.fixture(scope="module")
def result_file(make_extraction, tmp_path_factory):
    folder = tmp_path_factory.mktemp("result")
    export_result(make_extraction(biases=(-20.0, -10.0, 0.0, 10.0)), folder, recipe={"recipe": 1})
    return folder / "result.nc"


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_result_gives_curves_peaks_with_errors_and_a_band(result_file, tmp_path, capsys):
    words = ["qspace", str(result_file), "--out", str(tmp_path), "--band", "linear"]
    assert main([*words, "--q-range", "1.5,4"]) == 0, capsys.readouterr().err
    assert "ħv = " in capsys.readouterr().out
    rows = table(tmp_path / "dispersion.csv")
    assert rows[0] == ["bias_mV", "q_per_nm", "error_per_nm"]
    peaks = np.array(rows[1:], float)
    # The fixture has its rings at 2.6, 2.8, 3.0, 3.2 1/nm.
    np.testing.assert_allclose(peaks[:, 1], [2.6, 2.8, 3.0, 3.2], atol=0.05)
    assert np.all((peaks[:, 2] > 0) & (peaks[:, 2] < 0.1))
    fit = json.loads((tmp_path / "fit.json").read_text(encoding="utf-8"))
    assert fit["values"]["velocity_eV_nm"] == pytest.approx(0.1, rel=0.1)
    assert table(tmp_path / "curves.csv")[0][0] == "q_per_nm"
    assert (tmp_path / "qspace.png").read_bytes().startswith(b"\x89PNG")


def test_along_a_ray_of_a_symmetrised_kernel(result_file, tmp_path):
    words = ["qspace", str(result_file), "--out", str(tmp_path), "--angle", "30", "--width", "20"]
    assert main([*words, "--symmetry", "C6"]) == 0
    peaks = np.array(table(tmp_path / "dispersion.csv")[1:], float)
    np.testing.assert_allclose(peaks[:, 1], [2.6, 2.8, 3.0, 3.2], atol=0.08)
    assert not (tmp_path / "fit.json").exists()


@pytest.mark.parametrize("direction", [[], ["--angle", "15"]])
def test_a_map_gives_curves_of_its_modulus_without_errors(make_extraction, tmp_path, direction):
    didv = make_extraction(noise=0.01).didv
    file = write_map(didv, tmp_path / "map.npz")
    assert main(["qspace", str(file), "--out", str(tmp_path / "out"), *direction]) == 0
    rows = table(tmp_path / "out" / "curves.csv")
    assert rows[0][1].endswith("[nS nm^2]")
    assert float(rows[-1][0]) <= kernel_fft(didv)["qx"].values[-1] * 1.1
    assert table(tmp_path / "out" / "dispersion.csv")[1][2] == "nan"


def test_mistakes_are_one_line(make_extraction, result_file, tmp_path, capsys):
    file = write_map(make_extraction().didv, tmp_path / "map.npz")
    for words, said in (
        (["absent.nc"], "absent.nc"),
        ([str(file), "--symmetry", "C4"], "symmetrise a result"),
        ([str(file), "--band", "parabola"], "at least three energies"),
        ([str(result_file), "--q-range", "5,2"], "is empty"),
    ):
        assert main(["qspace", *words, "--out", str(tmp_path / "none")]) == 1
        assert said in one_error_line(capsys)
    assert not (tmp_path / "none").exists()
