import json

import numpy as np
import pytest
import xarray as xr

from qpi_kernel.cli import main
from qpi_kernel.read import read_file
from tests.library.command_line import AG111, one_error_line


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Simulate a map of Ag(111) on the command line."""
    path = tmp_path_factory.mktemp("simulated") / "ag111.npz"
    assert main([*AG111, "--out", str(path)]) == 0
    return path


def test_simulate_writes_the_map_and_the_truth(simulated, capsys):
    with np.load(simulated) as stored:
        assert stored["values"].shape == (2, 96, 96)
        assert stored["bias_mV"].tolist() == [-20.0, 0.0]
        assert stored["kernel"].shape[0] == 2
        assert stored["kernel"].shape[1:] == (
            stored["kernel_y_nm"].size,
            stored["kernel_x_nm"].size,
        )
        assert len(stored["scatterers_xy_nm"]) == len(stored["weights"]) >= 12
        # 2 k of m* = 0.40, E0 = -65 meV at the Fermi level.
        assert stored["ring_q"][1] == pytest.approx(1.652, abs=0.01)
    assert main(["info", str(simulated)]) == 0
    assert "-20 to 0 mV, 2 values" in capsys.readouterr().out


def test_a_simulation_as_netcdf_is_the_same_map(simulated, tmp_path):
    assert main([*AG111, "--out", str(tmp_path / "ag.nc")]) == 0
    first, second = read_file(simulated), read_file(tmp_path / "ag.nc")
    np.testing.assert_array_equal(first["values"].values, second["didv"].values)
    np.testing.assert_allclose(first["x"], second["x"])


def test_simulate_as_real_as_one_likes(tmp_path):
    words = ["simulate", "--material", "ag111", "--bias", "0", "--size", "20", "--pixels", "64"]
    maps = []
    for more in ([], ["--realism", "hard"], ["--multiple-scattering"]):
        path = tmp_path / "ag.npz"
        assert main([*words, *more, "--out", str(path)]) == 0
        maps.append(read_file(path)["values"].values)
    assert np.isnan(maps[1]).any()
    assert np.isfinite(maps[0]).all()
    assert np.abs(maps[2] - maps[0]).max() > 0.1
    assert main([*words, "--realism", "awful", "--out", str(tmp_path / "b.npz")]) == 2


def test_simulate_species_on_a_lattice_as_the_instrument_sees_them(tmp_path):
    words = ["simulate", "--material", "graphene", "--bias", "300", "--size", "12", "--pixels"]
    words += ["64", "--species", "scalar,site-b", "--lattice-sites", "--tip", "0.05"]
    words += ["--temperature", "4", "--modulation", "5", "--snr", "100"]
    assert main([*words, "--out", str(tmp_path / "a.npz")]) == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays["species"]) == {0, 1}
        assert arrays["kernel_species_1"].shape == arrays["kernel"].shape
        assert np.abs(arrays["kernel_species_1"] - arrays["kernel"]).max() > 0.1
        told = json.loads(str(arrays["simulation"]))
    assert told["measurement"]["modulation_mV"] == 5
    assert told["lattice_sites"] is True
    assert main([*words, "--out", str(tmp_path / "a.nc")]) == 0
    with xr.open_dataset(tmp_path / "a.nc") as dataset:
        assert json.loads(dataset["didv"].attrs["simulation"]) == told
        assert dataset["kernel_species_1"].dims == dataset["kernel"].dims


def test_simulate_refuses_in_one_line(tmp_path, capsys):
    words = ["simulate", "--bias", "0", "--size", "40", "--pixels", "64"]
    assert main([*words, "--material", "unobtainium", "--out", str(tmp_path / "a.npz")]) == 1
    assert "ag111" in one_error_line(capsys)
    assert main([*words, "--material", "ag111", "--out", str(tmp_path / "a.csv")]) == 1
    assert ".npz" in one_error_line(capsys)
    assert not list(tmp_path.iterdir())


def test_materials_are_listed_by_name(capsys):
    assert main(["materials"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert "ag111" in names
