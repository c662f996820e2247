"""The layers of a run with several species: a kernel and a spread for each."""

import numpy as np
import pytest

from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.extraction import Request, make_outcome
from napari_qpi_kernel.result_layers import add_result, result_names
from qpi_kernel.assessment import assess
from qpi_kernel.extract import ExtractSettings, extract_kernel
from qpi_kernel.scatterers import Scatterers


@pytest.fixture(scope="module")
def outcome(simulated):
    points = simulated.scatterers
    labelled = Scatterers(points.xy_nm, points.weight, np.arange(len(points)) % 2 + 1)
    didv = simulated.didv.isel(bias=slice(1, 2))
    settings = ExtractSettings(method="wiener", samples=4, refine=False)
    result = extract_kernel(didv, labelled, settings, device="cpu")
    request = Request("Ag", {}, None, None, labelled)
    return make_outcome(request, didv, result, assess(result), {})


def add(viewer, outcome):
    """Add the layers of a run without waiting between them; return kernel and scatterers."""
    names = result_names(viewer, outcome)
    turns = add_result(viewer, outcome, names)
    while True:
        try:
            next(turns)
        except StopIteration as done:
            return done.value


def test_each_species_has_its_kernel_and_spread_side_by_side(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    add_map(viewer)
    kernel, _ = add(viewer, outcome)
    assert kernel.name == "Ag [kernel species 1]"
    assert "Ag [kernel]" not in viewer.layers
    first, second = (viewer.layers[f"Ag [kernel species {label}]"] for label in (1, 2))
    for layer, part in zip((first, second), outcome.extraction.each_species, strict=True):
        np.testing.assert_array_equal(layer.data, part.kernel.values[0])
        assert layer.metadata[KEY]["kind"] == "kernel"
    assert second.extent.world[0][-1] > first.extent.world[1][-1]
    assert (
        viewer.layers["Ag [kernel spread species 2]"].extent.world[1][0] < second.extent.world[0][0]
    )


def test_the_scatterers_are_coloured_by_species(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    add_map(viewer)
    _, points = add(viewer, outcome)
    colours = {
        tuple(colour): set(
            points.features["species"][np.all(points.border_color == colour, axis=1)]
        )
        for colour in np.unique(points.border_color, axis=0)
    }
    assert sorted(colours.values(), key=min) == [{1}, {2}]


def test_a_second_run_replaces_no_layer(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    add_map(viewer)
    add(viewer, outcome)
    assert add(viewer, outcome)[0].name == "Ag [kernel species 1 2]"
