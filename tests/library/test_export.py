import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import xarray as xr

from qpi_kernel.assessment import Assessment
from qpi_kernel.errors import QpiError
from qpi_kernel.export import ExportError, export_result, methods_text
from qpi_kernel.maps import pixel_nm
from qpi_kernel.qspace import kernel_fft
from qpi_kernel.read import read_file, select_didv
from qpi_kernel.scatterers import Scatterers, load_scatterers
from tests.library.gsf import read_gsf

NAMES = {
    "kernel.tif",
    "kernel_spread.tif",
    "kernel_fft.tif",
    "reconstruction.tif",
    "residual.tif",
    "result.nc",
    "scatterers.csv",
    "assessment.json",
    "recipe.json",
    "methods.txt",
    "figure.png",
}
RECIPE = {"settings": {"seed": 1}, "input": {"file": "made.3ds", "sha256": "0" * 64}}
DOUBTFUL = Assessment("doubtful", ("residual 1.6 times the noise",), {"residual": [1.6]})


@pytest.fixture(scope="module")
def exported(make_extraction, tmp_path_factory):
    """Export a result with three biases once."""
    result = make_extraction(biases=(-20.0, -7.5, 10.0))
    folder = tmp_path_factory.mktemp("export") / "deep" / "result"
    paths = export_result(result, folder, DOUBTFUL, RECIPE)
    return result, folder, paths


def test_the_folder_holds_what_is_promised_and_nothing_else(exported):
    _, folder, paths = exported
    expected = NAMES | {"kernel_-20mV.gsf", "kernel_-7.5mV.gsf", "kernel_10mV.gsf"}
    assert {path.name for path in folder.iterdir()} == expected
    assert set(paths) == {folder / name for name in expected}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("kernel", "kernel"),
        ("kernel_spread", "spread"),
        ("reconstruction", "reconstruction"),
        ("residual", "residual"),
    ],
)
def test_tiff_is_float32_calibrated_with_the_top_row_first(exported, name, field):
    result, folder, _ = exported
    expected = getattr(result, field)
    with tifffile.TiffFile(folder / f"{name}.tif") as tif:
        assert tif.is_imagej
        values, meta, tags = tif.asarray(), tif.imagej_metadata, tif.pages[0].tags
        resolution = [np.divide(*tags[key].value) for key in ("YResolution", "XResolution")]
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[:, ::-1], expected.values)
    assert meta["unit"] == "nm"
    assert meta["Labels"] == ["-20 mV", "-7.5 mV", "10 mV"]
    np.testing.assert_allclose(1 / np.array(resolution), pixel_nm(expected), rtol=1e-6)
    # Fiji: y = (yorigin - row) * pixel height for an inverted y axis.
    assert (float(meta["yorigin"]) - 0) * pixel_nm(expected)[0] == pytest.approx(
        float(expected["y"][-1])
    )
    assert -float(meta["xorigin"]) * pixel_nm(expected)[1] == pytest.approx(float(expected["x"][0]))


def test_the_fft_tiff_is_the_logarithm_on_a_q_axis(exported):
    result, folder, _ = exported
    fft = kernel_fft(result.kernel)
    with tifffile.TiffFile(folder / "kernel_fft.tif") as tif:
        values, meta = tif.asarray(), tif.imagej_metadata
        resolution = np.divide(*tif.pages[0].tags["XResolution"].value)
    np.testing.assert_allclose(values[:, ::-1], np.log10(np.abs(fft.values)), atol=1e-6)
    assert meta["unit"] == "1/nm"
    assert 1 / resolution == pytest.approx(float(fft["qx"][1] - fft["qx"][0]), rel=1e-6)


def test_gsf_holds_the_values_of_the_kernel(exported):
    result, folder, _ = exported
    header, values = read_gsf(folder / "kernel_-7.5mV.gsf")
    np.testing.assert_array_equal(values[::-1].astype(np.float32), result.kernel.values[1])
    assert float(header["XReal"]) == pytest.approx(49 * 0.2e-9)
    assert float(header["XOffset"]) == pytest.approx(-4.9e-9)
    assert header["XYUnits"] == "m"
    # Gwyddion would take nS for S.
    assert "ZUnits" not in header
    assert header["Title"] == "kernel at -7.5 mV [nS]"


def test_netcdf_holds_everything_calibrated(exported):
    result, folder, _ = exported
    with xr.open_dataset(folder / "result.nc", engine="h5netcdf") as stored:
        data = stored.load()
    np.testing.assert_array_equal(data["didv"].values, result.didv.values)
    np.testing.assert_array_equal(data["x"].values, result.didv["x"].values)
    np.testing.assert_array_equal(data["kernel"].values, result.kernel.values)
    np.testing.assert_array_equal(data["kernel_y"].values, result.kernel["y"].values)
    assert data["didv"].attrs["units"] == data["kernel_spread"].attrs["units"] == "nS"
    assert data["bias"].attrs["units"] == "mV"
    assert data["qx"].attrs["units"] == "1/nm"
    fft = data["kernel_fft_re"] + 1j * data["kernel_fft_im"]
    np.testing.assert_allclose(fft.values, kernel_fft(result.kernel).values)
    np.testing.assert_array_equal(data["scatterer_x_nm"].values, result.scatterers.xy_nm[:, 0])
    np.testing.assert_array_equal(data["used"].values, np.isfinite(result.didv.values[0]))
    assert json.loads(data.attrs["recipe"]) == RECIPE
    assert json.loads(data.attrs["assessment"])["verdict"] == "doubtful"
    assert json.loads(data.attrs["numbers"]) == {"condition": [12.5, 12.5, 12.5]}


def test_tables_and_texts(exported):
    result, folder, _ = exported
    back = load_scatterers(folder / "scatterers.csv")
    np.testing.assert_array_equal(back.xy_nm, result.scatterers.xy_nm)
    with (folder / "scatterers.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["x_nm", "y_nm", "weight", "species", "confidence"]
    assert json.loads((folder / "recipe.json").read_text()) == RECIPE
    assert json.loads((folder / "assessment.json").read_text()) == {
        "verdict": "doubtful",
        "slices": {},
        "reasons": ["residual 1.6 times the noise"],
        "numbers": {"residual": [1.6]},
    }
    text = (folder / "methods.txt").read_text()
    assert "24 x 19.2 nm²" in text
    assert "3 sample biases from -20 to 10 mV" in text
    assert "9 scatterers" in text
    assert "lies at q = 2.56, 2.77, 2.96 1/nm" in text
    assert "doubtful; residual 1.6 times the noise" in text


def test_methods_text_credits_the_idea_only_where_it_is_used(make_extraction):
    assert "arXiv:2506.05325" in methods_text(make_extraction(method="aligned"))
    assert "arXiv:2506.05325" not in methods_text(make_extraction(method="average"))
    assert "set-point bias 50 mV" in methods_text(make_extraction())


def test_a_second_export_replaces_the_first_and_one_bias_makes_one_gsf(make_extraction, tmp_path):
    export_result(make_extraction(), tmp_path, None, RECIPE)
    export_result(make_extraction(biases=(5.0,)), tmp_path, None, RECIPE)
    assert {path.name for path in tmp_path.iterdir()} == NAMES | {"kernel.gsf"}
    assert "5 mV" in (tmp_path / "methods.txt").read_text()
    assert json.loads((tmp_path / "assessment.json").read_text())["verdict"] == "not assessed"


def test_numbers_that_are_not_finite_are_valid_json(make_extraction, tmp_path):
    verdict = Assessment("untrusted", (), {"ring": [float("nan"), np.float64(2.5)]})
    export_result(make_extraction(), tmp_path, verdict, RECIPE)
    assert json.loads((tmp_path / "assessment.json").read_text())["numbers"] == {
        "ring": [None, 2.5]
    }


def test_a_folder_that_is_a_file_is_one_clear_error(make_extraction, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ExportError, match="taken: the result cannot be written there") as caught:
        export_result(make_extraction(), tmp_path / "taken", None, RECIPE)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, QpiError)


def test_a_failure_half_way_leaves_the_old_files(make_extraction, tmp_path, monkeypatch):
    export_result(make_extraction(), tmp_path, None, RECIPE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qpi_kernel.export.save_scatterers", full_disk)
    with pytest.raises(ExportError, match="No space left"):
        export_result(make_extraction(biases=(1.0,)), tmp_path, None, RECIPE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_without_a_recipe_the_settings_and_the_provenance_are_kept(
    make_extraction, tmp_path, monkeypatch
):
    result = make_extraction()
    monkeypatch.setattr("qpi_kernel.export.to_dict", lambda settings: vars(settings))
    assert isinstance(result.settings, SimpleNamespace)
    export_result(result, tmp_path)
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert recipe["settings"] == {"method": "wiener"}
    assert recipe["device"] == "cpu"


def test_the_map_of_a_result_can_be_read_again(exported):
    result, folder, _ = exported
    back = select_didv(read_file(folder / "result.nc"))
    np.testing.assert_array_equal(back.values, result.didv.values)
    assert back.attrs["units"] == "nS"
    np.testing.assert_array_equal(back["x"].values, result.didv["x"].values)


def test_each_species_has_kernel_files_of_its_own(make_extraction, tmp_path):
    whole = make_extraction()
    parts = tuple(
        replace(
            whole,
            kernel=whole.kernel * factor,
            scatterers=Scatterers(whole.scatterers.xy_nm[number::2], species=[label] * count),
        )
        for number, (label, factor, count) in enumerate(((1, 1.0, 5), (4, -2.0, 4)))
    )
    paths = export_result(replace(whole, parts=parts), tmp_path, recipe=RECIPE)
    names = {path.name for path in paths}
    assert {"figure_species_1.png", "kernel_species_4.tif", "kernel_fft_species_4.tif"} <= names
    assert "kernel.tif" not in names
    second = select_didv(read_file(tmp_path / "kernel_species_4.tif"))
    np.testing.assert_allclose(second.values, -2 * whole.kernel.values, rtol=1e-5)
    with xr.open_dataset(tmp_path / "result.nc") as saved:
        np.testing.assert_allclose(saved["kernel_species_1"], whole.kernel, rtol=1e-6)
        assert "kernel_fft_re_species_4" in saved
    assert "2 kernels, one per species" in (tmp_path / "methods.txt").read_text()


def test_every_slice_of_a_stack_is_written_with_its_verdict(make_extraction, tmp_path):
    verdict = Assessment("good", (), {}, ("good", "untrusted"))
    export_result(make_extraction(biases=(-20.0, 7.5)), tmp_path, verdict, RECIPE)
    written = json.loads((tmp_path / "assessment.json").read_text())
    assert written["slices"] == {"-20mV": "good", "7.5mV": "untrusted"}
