from dataclasses import replace

import numpy as np
import pytest

from qpi_kernel.assessment import Assessment
from qpi_kernel.errors import QpiError
from qpi_kernel.export import export_result, load_kernel, load_result, write_map
from qpi_kernel.extract import ExtractSettings
from qpi_kernel.settings import to_dict

JUDGED = Assessment(
    "doubtful", ("because",), {"half_agreement": [0.5, float("nan")]}, ("good",) * 2
)
MAPS = ("didv", "kernel", "spread", "prior", "background", "reconstruction", "residual")


@pytest.fixture
def result(make_extraction):
    made = make_extraction(biases=(-20.0, 10.0))
    return replace(made, settings=ExtractSettings(method="wiener", samples=5))


@pytest.fixture
def exported(result, tmp_path):
    recipe = {"settings": {"extract": to_dict(result.settings)}, "provenance": {"seed": 3}}
    export_result(result, tmp_path, JUDGED, recipe)
    return tmp_path


def test_what_is_exported_comes_back(result, exported):
    read, judged, recipe = load_result(exported)
    for name in MAPS:
        stored, field = getattr(read, name), getattr(result, name)
        np.testing.assert_array_equal(stored.values, field.values)
        assert stored.attrs["units"] == "nS"
        for dim in field.dims:
            np.testing.assert_allclose(stored[dim].values, field[dim].values)
    for name in ("xy_nm", "weight", "species", "confidence"):
        np.testing.assert_array_equal(
            getattr(read.scatterers, name), getattr(result.scatterers, name)
        )
    assert read.settings == result.settings
    assert read.didv.attrs["source"] == "made.3ds"
    assert read.provenance == recipe["provenance"] == {"seed": 3}
    assert read.numbers == {"condition": (12.5, 12.5)}
    np.testing.assert_array_equal(read.noise, result.noise)
    np.testing.assert_array_equal(read.used, np.isfinite(result.didv.values).all(0))
    assert (judged.verdict, judged.reasons, judged.slices) == (
        "doubtful",
        ("because",),
        JUDGED.slices,
    )
    np.testing.assert_equal(judged.numbers, JUDGED.numbers)


@pytest.fixture
def of_two_species(result, tmp_path):
    scatterers = replace(result.scatterers, species=np.arange(9) % 2)
    second = result.kernel.copy(data=-result.kernel.values)
    parts = tuple(
        replace(result, kernel=kernel, scatterers=scatterers.select(scatterers.species == label))
        for label, kernel in enumerate((result.kernel, second))
    )
    whole = replace(result, scatterers=scatterers, parts=parts)
    export_result(whole, tmp_path, JUDGED, {"settings": to_dict(result.settings)})
    return tmp_path / "result.nc"


def test_several_species_come_back_each_with_its_kernel(result, of_two_species):
    read, _, _ = load_result(of_two_species)
    assert [len(part.scatterers) for part in read.each_species] == [5, 4]
    np.testing.assert_array_equal(read.parts[1].kernel.values, -result.kernel.values)


@pytest.mark.parametrize("recipe", [None, {"recipe": 1}])
def test_the_kernel_alone_needs_no_recipe(result, tmp_path, recipe):
    export_result(result, tmp_path, recipe=recipe)
    for read, field in zip(load_kernel(tmp_path), (result.kernel, result.spread), strict=True):
        np.testing.assert_array_equal(read.values, field.values)
        np.testing.assert_allclose(read["y"].values, field["y"].values)
        assert read.attrs["units"] == "nS"
    with pytest.raises(QpiError, match="one species alone"):
        load_kernel(tmp_path, species=1)


def test_of_several_kernels_one_is_chosen(result, of_two_species):
    kernel, _ = load_kernel(of_two_species, species=1)
    np.testing.assert_array_equal(kernel.values, -result.kernel.values)
    for species in (None, 2):
        with pytest.raises(QpiError, match=r"species 0, 1: choose one"):
            load_kernel(of_two_species, species)


def test_what_holds_no_kernel_gives_none(result, tmp_path):
    assert load_kernel(tmp_path) is None
    assert load_kernel(write_map(result.didv, tmp_path / "map.nc")) is None
    (tmp_path / "result.nc").write_text("x_nm,y_nm\n")
    assert load_kernel(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut", "absent", "other"])
def test_what_is_no_result_is_told_in_one_sentence(exported, damage):
    path = exported / "result.nc"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:3000])
    elif damage == "absent":
        path.unlink()
    else:
        path.write_text("x_nm,y_nm\n")
    with pytest.raises(QpiError, match="result"):
        load_result(exported)
