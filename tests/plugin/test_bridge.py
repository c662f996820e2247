import json

import numpy as np
import pytest

pytest.importorskip("napari")
from napari.layers import Image, Layer, Points, Shapes

from napari_qpi_kernel.bridge import (
    KEY,
    bias_at,
    layer_attributes,
    layer_to_scatterers,
    map_arguments,
    map_to_layer,
    missing_calibration,
    scatterers_to_layer,
    tag_species,
)
from napari_qpi_kernel.region import region_of, resize_region
from qpi_kernel.errors import QpiError
from qpi_kernel.maps import make_map
from qpi_kernel.scatterers import Scatterers


def make(biases=(-20.0, -5.0, 10.0)):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(biases), 6, 9))
    values[0, 0, 0] = np.nan
    return make_map(
        values,
        bias_mV=biases,
        y_nm=5 + 0.5 * np.arange(6),
        x_nm=-2 + 0.25 * np.arange(9),
        units="nS",
        name="LI X",
        attrs={"angle_deg": np.float64(30), "size_nm": (4.5, 3.0), "sha256": "ab"},
    )


def back(layer):
    return make_map(**map_arguments(layer.data, layer_attributes(layer)))


@pytest.mark.parametrize(
    "biases", [(-20.0,), (-20.0, -5.0, 10.0), (-20.0, -19.0, 10.0), (3.0, 3.0)]
)
@pytest.mark.parametrize("offset", [(0.0, 0.0), (7.0, -30.0)])
def test_a_map_survives_the_way_through_a_layer(biases, offset):
    didv = make(biases)
    again = back(Layer.create(*map_to_layer(didv, "M", offset_nm=offset)))
    np.testing.assert_array_equal(again.values, didv.values)
    for dim in didv.dims:
        np.testing.assert_allclose(again[dim].values, didv[dim].values, atol=1e-9)
    assert again.name == "LI X"
    assert again.attrs["units"] == "nS"
    assert again.attrs["angle_deg"] == 30


def test_world_coordinates_are_the_physical_ones():
    layer = Layer.create(*map_to_layer(make(), "M"))
    assert layer.axis_labels == ("bias", "y", "x")
    assert [str(unit) for unit in layer.units] == ["millivolt", "nanometer", "nanometer"]
    assert layer.data_to_world((2, 4, 8)) == pytest.approx((10.0, 7.0, 0.0))


def test_one_bias_is_a_picture_and_an_uneven_axis_counts_its_slices():
    picture = Layer.create(*map_to_layer(make((-20.0,)), "M"))
    assert picture.ndim == 2
    assert bias_at(picture, (0.0, 0.0)) == -20
    uneven = Layer.create(*map_to_layer(make((-20.0, -19.0, 10.0)), "M"))
    assert uneven.axis_labels[0] == "bias index"
    assert [bias_at(uneven, (index, 0, 0)) for index in range(3)] == [-20, -19, 10]


def test_the_bias_follows_the_slider():
    layer = Layer.create(*map_to_layer(make(), "M"))
    assert [bias_at(layer, (world, 0, 0)) for world in (-20, -6, 12, 900)] == [-20, -5, 10, 10]


def test_metadata_is_json():
    facts = {"recipe": {"size": np.float32(2)}, "path": None}
    layer = Layer.create(*map_to_layer(make(), "M", facts=facts))
    content = json.loads(json.dumps(layer.metadata[KEY]))
    assert content["bias_mV"] == [-20, -5, 10]
    assert content["recipe"] == {"size": 2.0}


def test_layers_without_calibration_say_what_they_lack():
    bare = Image(np.zeros((4, 5)), name="photo")
    assert "size in nm" in missing_calibration(2, layer_attributes(bare))
    with pytest.raises(QpiError, match="photo: it has no size in nm"):
        back(bare)
    no_bias = Image(np.zeros((4, 5)), units=("nm", "nm"), scale=(0.1, 0.1))
    assert "bias" in missing_calibration(2, layer_attributes(no_bias))
    stack = Image(
        np.zeros((3, 4, 5)), units=("mV", "nm", "nm"), scale=(2, 1, 1), translate=(-2, 0, 0)
    )
    assert back(stack)["bias"].values.tolist() == [-2, 0, 2]


def test_other_length_units_become_nm():
    layer = Image(np.zeros((3, 4, 5)), units=("mV", "angstrom", "angstrom"), scale=(1, 5, 5))
    np.testing.assert_allclose(back(layer)["x"].values, 0.5 * np.arange(5))


def test_rotated_layers_and_colour_pictures_are_refused():
    rotated = Image(
        np.zeros((4, 5)), units=("nm", "nm"), rotate=20, metadata={KEY: {"bias_mV": [0]}}
    )
    with pytest.raises(QpiError, match="rotated"):
        back(rotated)
    colour = Image(np.zeros((4, 5, 3), np.uint8), rgb=True, name="photo")
    with pytest.raises(QpiError, match="photo"):
        back(colour)


def test_scatterers_survive_the_way_through_a_layer():
    points = Scatterers(
        [[1.0, 7.0], [2.5, 6.0]], weight=[1, -0.5], species=[0, 1], confidence=[1, 0.3]
    )
    layer = Layer.create(*scatterers_to_layer(points, "P", 0.5))
    again = layer_to_scatterers(layer)
    np.testing.assert_allclose(again.xy_nm, points.xy_nm)
    np.testing.assert_allclose(again.weight, points.weight)
    assert again.species.tolist() == [0, 1]


def test_points_added_by_hand_count_fully():
    layer = Layer.create(*scatterers_to_layer(Scatterers([[1.0, 7.0]], confidence=[0.2]), "P", 0.5))
    layer.add([[3.0, 4.0]])
    again = layer_to_scatterers(layer)
    np.testing.assert_allclose(again.xy_nm[1], [4.0, 3.0])
    assert again.confidence[1] == again.weight[1] == 1
    on_a_stack = Points([[0, 3.0, 4.0]], scale=(2, 0.5, 0.25))
    np.testing.assert_allclose(layer_to_scatterers(on_a_stack).xy_nm, [[1.0, 1.5]])


def test_an_empty_points_layer_has_no_scatterers():
    assert len(layer_to_scatterers(Points(ndim=2))) == 0


def test_regions_are_rectangles_in_nm_on_pictures_and_stacks():
    corners = np.array([[2.0, 1.0], [2.0, 4.0], [6.0, 4.0], [6.0, 1.0]])
    assert region_of(Shapes([corners], shape_type="rectangle")) == (1, 2, 4, 6)
    stacked = np.insert(corners, 0, 3, axis=1)
    layer = Shapes([stacked], shape_type="rectangle", scale=(1, 0.5, 0.25))
    assert region_of(layer) == (0.25, 1, 1, 3)
    assert region_of(Shapes(ndim=2)) is None


@pytest.mark.parametrize("lead", [(), (3.0,)])
def test_a_region_of_any_shape_is_resized_about_its_centre(lead):
    corners = np.array([[2.0, 1.0], [2.0, 4.0], [6.0, 4.0], [6.0, 1.0]])
    stacked = np.array([(*lead, *corner) for corner in corners])
    scale = (1,) * len(lead) + (0.5, 0.25)
    layer = Shapes([stacked + 1, stacked], shape_type="polygon", scale=scale)
    other = layer.data[0].copy()
    resize_region(layer, 2.0, 1.0)
    assert region_of(layer) == pytest.approx((-0.375, 1.5, 1.625, 2.5))
    assert layer.shape_type == ["polygon", "rectangle"]
    np.testing.assert_allclose(layer.data[0], other)
    assert (layer.data[1][:, : len(lead)] == lead).all()
    empty = Shapes(ndim=2)
    resize_region(empty, 2.0, 1.0)
    assert region_of(empty) is None


def test_points_are_tagged_with_a_species_and_its_colour():
    layer = Points([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    tag_species(layer, {0, 2}, 1)
    assert layer_to_scatterers(layer).species.tolist() == [1, 0, 1]
    tag_species(layer, {0}, 2)
    assert layer_to_scatterers(layer).species.tolist() == [2, 0, 1]
    assert len(np.unique(layer.border_color, axis=0)) == 3
