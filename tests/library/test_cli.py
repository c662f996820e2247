import json

import numpy as np
import pytest
import tifffile
import xarray as xr

from qpi_kernel.cli import main
from qpi_kernel.export import write_map
from qpi_kernel.learn.model import SHIPPED
from qpi_kernel.maps import make_map
from qpi_kernel.qspace import band_similarity, half_rim_q, ring_radius
from qpi_kernel.read import read_file
from tests.library.command_line import AG111, one_error_line


@pytest.fixture
def grid(tmp_path):
    """Write a grid of three biases with two rows that were not measured."""
    values = np.random.default_rng(0).normal(size=(3, 12, 16))
    values[:, 10:] = np.nan
    axis = 0.5 * np.arange(16)
    didv = make_map(values, bias_mV=[-10, 0, 10], y_nm=axis[:12], x_nm=axis, units="nS")
    return write_map(didv, tmp_path / "grid.npz")


def test_info_names_size_biases_channel_and_what_is_missing(grid, capsys):
    assert main(["info", str(grid)]) == 0
    out, err = capsys.readouterr()
    assert not err
    for words in (
        "8 x 6 nm",
        "16 x 12 points",
        "-10 to 10 mV, 3 values",
        "values [nS]",
        "32 of 192",
    ):
        assert words in out


def test_info_as_json(grid, capsys):
    assert main(["info", str(grid), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["points"] == [16, 12]
    assert facts["size_nm"] == [8.0, 6.0]
    assert facts["bias_range_mV"] == [-10.0, 10.0]
    assert facts["channels"] == [{"name": "values", "units": "nS"}]
    assert facts["didv"]["channel"] == "values"
    assert facts["unfinished_points"] == 32


def test_info_takes_the_size_of_an_array_without_axes(tmp_path, capsys):
    np.save(tmp_path / "plain.npy", np.zeros((4, 6)) + np.arange(6))
    assert main(["info", str(tmp_path / "plain.npy")]) == 1
    assert "size" in one_error_line(capsys)
    assert main(["info", str(tmp_path / "plain.npy"), "--size", "12,8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["size_nm"] == [12.0, 8.0]


def test_a_file_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["info", str(tmp_path / "absent.3ds")]) == 1
    assert "absent.3ds" in one_error_line(capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["info"],
        ["info", "map.npz", "--size", "3"],
        ["extract", "map.npz"],
        ["extract", "map.npz", "--out", "d", "--region", "1,2,3"],
        ["extract", "map.npz", "--out", "d", "--bias", "low"],
        ["extract", "map.npz", "--out", "d", "--method", "magic"],
        ["extract", "map.npz", "--out", "d", "--device", "tpu"],
    ],
)
def test_mistyped_commands_have_status_2(words, capsys):
    assert main(words) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["extract", "--help"], ["--version"], []])
def test_help_is_not_an_error(words, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out


def test_debug_shows_where_an_error_came_from(tmp_path):
    with pytest.raises(ValueError, match=r"absent\.3ds"):
        main(["info", str(tmp_path / "absent.3ds"), "--debug"])


def test_a_grid_needs_a_choice_of_bias(grid, tmp_path, capsys):
    assert main(["extract", str(grid), "--out", str(tmp_path / "out")]) == 1
    assert "3 biases from -10 to 10 mV" in one_error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_wrong_settings_and_positions_are_one_line(grid, tmp_path, capsys):
    words = ["extract", str(grid), "--out", str(tmp_path / "out"), "--bias", "0"]
    assert main([*words, "--window", "-3"]) == 1
    assert "window_nm" in one_error_line(capsys)
    assert main([*words, "--scatterers", str(tmp_path / "none.csv")]) == 1
    assert "none.csv" in one_error_line(capsys)
    assert main([*words, "--region", "-50,-50,-40,-40"]) == 1
    assert "region" in one_error_line(capsys)


@pytest.mark.parametrize("content", ["{", "[1]", "{}", '{"settings": {"colour": "red"}}'])
def test_a_broken_recipe_is_one_line(content, tmp_path, capsys):
    (tmp_path / "recipe.json").write_text(content)
    assert main(["run", str(tmp_path / "recipe.json"), "--out", str(tmp_path / "out")]) == 1
    one_error_line(capsys)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Simulate a map of Ag(111) on the command line."""
    path = tmp_path_factory.mktemp("simulated") / "ag111.npz"
    assert main([*AG111, "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def extracted(simulated):
    """Extract the kernel of that map on the command line."""
    out = simulated.parent / "result"
    words = ["--bias", "1", "--method", "wiener", "--window", "16", "--device", "cpu"]
    assert main(["extract", str(simulated), "--out", str(out), *words]) == 0
    return out


def test_extract_hands_on_what_it_is_told_about_scatterers(tmp_path, capsys):
    words = ["simulate", "--material", "ag111", "--bias", "0", "--size", "20", "--pixels", "64"]
    assert main([*words, "--out", str(tmp_path / "ag.npz")]) == 0
    told = ["--max-species", "2", "--position-error", "0.2", "--no-refine", "--window", "8"]
    words = ["extract", str(tmp_path / "ag.npz"), "--method", "wiener", *told]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    extract = json.loads((tmp_path / "out" / "recipe.json").read_text())["settings"]["extract"]
    assert (extract["max_species"], extract["position_error_nm"]) == (2, 0.2)
    assert extract["refine"] is False
    words[words.index("--max-species") + 1] = "9"
    assert main([*words, "--out", str(tmp_path / "no")]) == 1
    assert "max_species" in one_error_line(capsys)


def test_extract_writes_the_kernel_of_the_nearest_bias(simulated, extracted):
    result = read_file(extracted / "result.nc")
    assert result["bias"].values.tolist() == [0.0]
    recipe = json.loads((extracted / "recipe.json").read_text())
    assert recipe["input"]["file"] == "ag111.npz"
    assert recipe["input"]["path"] == "../ag111.npz"
    assert recipe["settings"]["extract"]["method"] == "wiener"
    with xr.open_dataset(extracted / "result.nc", engine="h5netcdf") as stored:
        axes = {"y_nm": stored["kernel_y"].values, "x_nm": stored["kernel_x"].values}
        kernel = make_map(stored["kernel"].values, bias_mV=[0.0], **axes)
    with np.load(simulated) as truth:
        known = make_map(
            truth["kernel"][1],
            bias_mV=[0.0],
            y_nm=truth["kernel_y_nm"],
            x_nm=truth["kernel_x_nm"],
        )
    assert band_similarity(kernel, known, (0.5, 6.0))[0] > 0.9
    assert ring_radius(kernel)[0] == pytest.approx(1.652, abs=2 * np.pi / 16 / 2)


def test_a_recipe_gives_the_same_kernel_from_anywhere(extracted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(extracted / "recipe.json"), "--out", "again"]) == 0
    first, again = (tifffile.imread(f / "kernel.tif") for f in (extracted, tmp_path / "again"))
    np.testing.assert_allclose(again, first, atol=1e-4 * np.abs(first).max())


def test_a_recipe_remembers_the_positions_without_their_file(simulated, tmp_path):
    points = tmp_path / "points.csv"
    with np.load(simulated) as truth:
        inside = [xy for xy in truth["scatterers_xy_nm"].tolist() if 0 < min(xy) <= max(xy) < 40]
    points.write_text("x_nm,y_nm\n" + "".join(f"{x},{y}\n" for x, y in inside))
    words = ["--bias", "0", "--method", "average", "--window", "12", "--scatterers", str(points)]
    region = ["--region", "-5,-5,30,30"]
    assert main(["extract", str(simulated), "--out", str(tmp_path / "a"), *words, *region]) == 0
    points.unlink()
    assert main(["run", str(tmp_path / "a" / "recipe.json"), "--out", str(tmp_path / "b")]) == 0
    first, again = (tifffile.imread(tmp_path / f / "kernel.tif") for f in "ab")
    np.testing.assert_array_equal(again, first)
    assert str(tmp_path) not in (tmp_path / "a" / "recipe.json").read_text()


def test_a_recipe_refuses_another_input_unless_it_is_named(extracted, grid, tmp_path, capsys):
    recipe = json.loads((extracted / "recipe.json").read_text())
    recipe["input"].update(path=grid.name, file="grid.npz")
    changed = tmp_path / "recipe.json"
    changed.write_text(json.dumps(recipe))
    assert main(["run", str(changed), "--out", str(tmp_path / "out")]) == 1
    assert "sha256" in one_error_line(capsys)
    recipe["input"].update(path="gone.npz", file="gone.npz")
    changed.write_text(json.dumps(recipe))
    assert main(["run", str(changed), "--out", str(tmp_path / "out")]) == 1
    assert "gone.npz was not found" in one_error_line(capsys)
    named = ["--file", str(extracted.parent / "ag111.npz")]
    assert main(["run", str(changed), "--out", str(tmp_path / "out"), *named]) == 0


def test_results_go_where_one_may_write(simulated, capsys):
    words = ["extract", str(simulated), "--bias", "0", "--method", "average", "--window", "12"]
    assert main([*words, "--out", str(simulated)]) == 1
    assert "cannot be written" in one_error_line(capsys)


@pytest.mark.skipif(not SHIPPED.is_file(), reason="the trained model is not part of this checkout")
def test_the_demo_finds_the_known_ring(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "demo"), "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "ring radius" in out
    assert "verdict" in out
    assert {"kernel.tif", "figure.png", "recipe.json"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }


def test_the_disc_of_a_copper_surface_has_the_right_edge(data_dir, tmp_path):
    file = data_dir / "cu111" / "A200621.160730.dat"
    words = ["--method", "wiener", "--device", "cpu"]
    assert main(["extract", str(file), "--out", str(tmp_path / "cu"), *words]) == 0
    with tifffile.TiffFile(tmp_path / "cu" / "kernel.tif") as tif:
        assert tif.imagej_metadata["unit"] == "nm"
    with xr.open_dataset(tmp_path / "cu" / "result.nc", engine="h5netcdf") as stored:
        axes = {"y_nm": stored["kernel_y"].values, "x_nm": stored["kernel_x"].values}
        kernel = make_map(stored["kernel"].values, bias_mV=stored["bias"].values, **axes)
    # 2k at the Fermi level and 100 mV, with the calibration of the file.
    assert half_rim_q(kernel)[0] == pytest.approx(5.1, abs=0.25)
