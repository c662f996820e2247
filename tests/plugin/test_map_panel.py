import numpy as np
import pytest

pytest.importorskip("napari")
from napari.layers import Image

from tests.plugin.hands import click, extract


def test_a_bare_picture_is_calibrated_as_a_copy(make_napari_viewer, qtbot, open_dock):
    viewer = make_napari_viewer()
    bare = viewer.add_image(np.random.default_rng(0).normal(size=(40, 60)), name="photo")
    dock = open_dock(viewer)
    assert "photo: it has no size in nm" in dock.settings.reason.text()
    form = dock.maps.calibration
    assert not form.add.isEnabled()
    form.width_nm.setValue(30)
    form.height_nm.setValue(20)
    form.first_mV.setValue(-12)
    click(qtbot, form.add)
    copy = viewer.layers["photo [calibrated]"]
    assert isinstance(copy, Image)
    assert copy.scale == pytest.approx([0.5, 0.5])
    assert dock.maps.layer == copy
    assert dock.maps.energy.text() == "E = -12.0 mV"
    assert bare.scale.tolist() == [1, 1]


def test_a_region_drawn_on_a_stack_counts(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer, bias=None)
    dock = open_dock(viewer, method="average")
    corners = np.array([[4.0, 3.0], [4.0, 27.0], [26.0, 27.0], [26.0, 3.0]])
    shapes = viewer.add_shapes(
        [np.insert(corners, 0, 5.0, axis=1)], name="mine", units=("mV", "nm", "nm")
    )
    dock.maps.regions.choose(shapes)
    assert dock.maps.region_nm == (3.0, 4.0, 27.0, 26.0)
    extract(qtbot, dock)
    assert viewer.layers["Ag [reconstruction]"].data.shape == pytest.approx((59, 64), abs=1)
