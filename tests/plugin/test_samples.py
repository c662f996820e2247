import numpy as np
import pytest

pytest.importorskip("napari")
from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.map_panel import is_map

SAMPLES = [("ag111", "Ag(111)", 1), ("square", "Square lattice", 7)]


@pytest.mark.parametrize(("key", "name", "slices"), SAMPLES)
def test_samples_come_with_the_truth_beside_them(make_napari_viewer, key, name, slices):
    viewer = make_napari_viewer()
    viewer.open_sample("napari-qpi-kernel", key)
    sample, kernel = viewer.layers[name], viewer.layers[f"{name} [true kernel]"]
    points = viewer.layers[f"{name} [true scatterers]"]
    assert [layer for layer in viewer.layers if is_map(layer)] == [sample]
    assert len(sample.metadata[KEY]["bias_mV"]) == slices
    assert kernel.extent.world[0][-1] > sample.extent.world[1][-1]
    assert [str(unit) for unit in points.units] == ["nanometer"] * 2
    inside = np.all((points.data > 0) & (points.data < 50), axis=1)
    assert inside.sum() > 10
