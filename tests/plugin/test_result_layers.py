"""The layers of a run with several species: a kernel and a spread for each."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.extraction import Request, make_outcome
from napari_qpi_kernel.result_layers import result_names
from napari_qpi_kernel.result_view import add_result
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


def widened(outcome):
    """The same run, with colour ranges of its own that are twice as wide."""
    twice = {kind: (2 * low, 2 * high) for kind, (low, high) in outcome.contrast.items()}
    return replace(outcome, contrast=twice)


def add(viewer, outcome):
    """Add the layers of a run without waiting between them; return them by name."""
    names = result_names(viewer, outcome)
    turns = add_result(viewer, outcome, names)
    while True:
        try:
            next(turns)
        except StopIteration as done:
            return {layer.name: layer for layer in done.value}


def test_each_species_has_a_row_of_kernel_and_spread(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    add_map(viewer)
    add(viewer, outcome)
    assert "Ag [kernel]" not in viewer.layers
    first, second = (viewer.layers[f"Ag [kernel species {label}]"] for label in (1, 2))
    for layer, part in zip((first, second), outcome.extraction.each_species, strict=True):
        np.testing.assert_array_equal(layer.data, part.kernel.values[0])
        assert layer.metadata[KEY]["kind"] == "kernel"
    assert second.extent.world[1][0] < first.extent.world[0][0]
    spread = viewer.layers["Ag [kernel spread species 2]"]
    assert spread.extent.world[0][1] > second.extent.world[1][1]
    assert spread.extent.world[0][0] == second.extent.world[0][0]


def test_the_scatterers_are_coloured_by_species(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    add_map(viewer)
    points = add(viewer, outcome)["Ag [scatterers]"]
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
    assert "Ag [kernel species 1 2]" in add(viewer, outcome)


def test_results_line_up_below_each_other_beside_all_maps(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    edge = add_map(viewer).extent.world[1]
    boxes = []
    for _ in range(3):
        layers = add(viewer, outcome)
        beside = [layer.extent.world for name, layer in layers.items() if "kernel" in name]
        low, high = np.min([box[0] for box in beside], 0), np.max([box[1] for box in beside], 0)
        assert low[1] > edge[1]
        boxes.append((low, high))
    assert boxes[0][1][0] == pytest.approx(edge[0], abs=0.4)
    assert len({round(low[1], 3) for low, _ in boxes}) == 1
    for (low, _), (_, high) in pairwise(boxes):
        assert high[0] < low[0]


def test_what_is_compared_has_one_colour_range(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    add_map(viewer)
    first, other = add(viewer, outcome), add(viewer, widened(outcome))
    kernels = [layer for name, layer in (first | other).items() if "[kernel species" in name]
    spreads = [layer for name, layer in (first | other).items() if "[kernel spread" in name]
    for group in (kernels, spreads):
        assert len(group) == 4
        assert len({tuple(layer.contrast_limits) for layer in group}) == 1
        group[-1].contrast_limits = (0.0, 7.5)
        assert {tuple(layer.contrast_limits) for layer in group} == {(0.0, 7.5)}

    prepared, image, residual = (
        first[f"Ag [{kind}]"] for kind in ("prepared", "reconstruction", "residual")
    )
    assert prepared.contrast_limits == image.contrast_limits
    image.contrast_limits = (1.0, 4.0)
    assert prepared.contrast_limits == [1.0, 4.0]
    assert residual.contrast_limits == [-1.5, 1.5]
    residual.contrast_limits = (-0.5, 0.5)
    assert prepared.contrast_limits == [1.0, 4.0]


def test_kernels_of_other_energies_keep_their_own_colour_range(add_map, outcome):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    add_map(viewer)
    first = add(viewer, outcome)
    for layer in first.values():
        layer.metadata[KEY]["bias_mV"] = [99.0]
    first["Ag [kernel species 1]"].contrast_limits = (0.0, 7.5)
    second = add(viewer, outcome)["Ag [kernel species 1 2]"]
    assert tuple(second.contrast_limits) == pytest.approx(outcome.contrast["kernel species 1"])
