import io
from urllib.error import URLError

import numpy as np
import pytest

pytest.importorskip("napari")
from napari_qpi_kernel import samples
from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.layer_choice import is_map
from qpi_kernel.errors import QpiError

SAMPLES = [("ag111", "Ag(111)", 1), ("square", "Square lattice", 7), ("d_wave", "d-wave", 9)]


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
    assert inside.sum() > 5


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)
    return folder


def served(monkeypatch, answer):
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr(samples, "urlopen", urlopen)
    return asked


@pytest.mark.parametrize(
    ("key", "remote", "local", "name"),
    [
        ("cu111", samples.CU111, "cu111/A200621.160730.dat", "A200621.160730 topography"),
        ("fese", samples.FESE, "fese/FeSe_topography.sxm", "FeSe_topography dI/dV"),
    ],
)
def test_real_samples_are_fetched_once(
    make_napari_viewer, data_dir, cache, monkeypatch, key, remote, local, name
):
    asked = served(monkeypatch, (data_dir / local).read_bytes())
    viewer = make_napari_viewer()
    viewer.open_sample("napari-qpi-kernel", key)
    viewer.open_sample("napari-qpi-kernel", key)
    assert asked == [remote.url]
    assert name in viewer.layers
    assert [path.name for path in cache.iterdir()] == [remote.url.rsplit("/", 1)[1]]


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"<html>", "sha256 differs"), (URLError("no network"), "cannot be fetched")],
)
def test_a_sample_that_cannot_be_had_is_told_and_leaves_nothing(cache, monkeypatch, answer, words):
    served(monkeypatch, answer)
    with pytest.raises(QpiError, match=words):
        samples.cu111()
    assert not cache.exists() or list(cache.iterdir()) == []
