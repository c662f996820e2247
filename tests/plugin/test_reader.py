import numpy as np
import pytest

pytest.importorskip("napari")
from napari.utils.notifications import notification_manager
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QInputDialog

from napari_qpi_kernel.bridge import KEY, layer_attributes
from napari_qpi_kernel.reader import SUFFIXES, get_reader
from napari_qpi_kernel.writer import write_layer
from qpi_kernel.errors import QpiError
from qpi_kernel.export import write_map
from qpi_kernel.maps import make_map
from qpi_kernel.read import READERS, read_file, select_didv

PLUGIN = "napari-qpi-kernel"


@pytest.fixture
def marked():
    """A map whose corner of smallest x and largest y stands out."""
    values = np.zeros((2, 20, 30))
    values[:, -1, 0] = 1
    return make_map(
        values, bias_mV=[-10, 10], y_nm=0.5 * np.arange(20), x_nm=0.2 * np.arange(30), units="nS"
    )


def test_suffixes_are_recognised_whatever_their_case():
    for name in ("a.3ds", "a.SXM", "a.dat", "a.npz", "a.npy", "a.nc", "a.TIF", "a.tiff", "a.gsf"):
        assert get_reader(name) is not None
    assert get_reader(["a.3ds", "b.sxm"]) is not None
    assert get_reader("a.png") is None
    assert get_reader(["a.3ds", "b.png"]) is None


def test_the_manifest_knows_every_format():
    ours = {suffix for reader in READERS for suffix in reader.suffixes} - {".csv"}
    assert {*SUFFIXES} == ours | {".zarr.zip"}
    manifest = PluginManifest.from_distribution(PLUGIN)
    (contributed,) = manifest.contributions.readers
    assert contributed.filename_patterns == [f"*{suffix}" for suffix in SUFFIXES]


def test_a_zarr_folder_is_dropped_like_a_file(make_napari_viewer, tmp_path, marked):
    write_map(marked, tmp_path / "M.zarr")
    viewer = make_napari_viewer()
    readers = PluginManager.instance().iter_compatible_readers([str(tmp_path / "M.zarr")])
    assert PLUGIN in {reader.plugin_name for reader in readers}
    (layer,) = viewer.open(tmp_path / "M.zarr", plugin=PLUGIN)
    np.testing.assert_array_equal(layer.data, marked.values)
    assert get_reader(str(tmp_path)) is None


@pytest.mark.parametrize("suffix", [".npz", ".nc", ".tif"])
def test_files_open_at_their_physical_place(make_napari_viewer, tmp_path, marked, suffix):
    path = tmp_path / f"M{suffix}"
    write_map(marked, path)
    viewer = make_napari_viewer()
    (layer,) = viewer.open(path, plugin=PLUGIN)
    assert layer.name == "M dI/dV"
    assert [str(unit) for unit in layer.units] == ["millivolt", "nanometer", "nanometer"]
    assert layer.scale == pytest.approx([20, 0.5, 0.2])
    assert layer.metadata[KEY]["bias_mV"] == [-10, 10]
    corner = np.argwhere(layer.data[0] == 1)[0]
    assert corner.tolist() == [19, 0]
    assert viewer.scene.camera.orientation2d == ("up", "right")


def test_the_marked_corner_is_drawn_at_the_top_left(make_napari_viewer, qtbot, tmp_path, marked):
    write_map(marked, tmp_path / "M.npz")
    viewer = make_napari_viewer(show=True)
    viewer.open(tmp_path / "M.npz", plugin=PLUGIN)
    qtbot.wait(300)
    bright = np.argwhere(viewer.screenshot(flash=False)[..., :3].sum(axis=-1) > 600)
    height, width = viewer.screenshot(flash=False).shape[:2]
    assert bright[:, 0].mean() < height / 2
    assert bright[:, 1].mean() < width / 2


def test_foreign_pictures_keep_their_orientation(make_napari_viewer, tmp_path, marked):
    write_map(marked, tmp_path / "M.npz")
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((4, 4)))
    before = viewer.scene.camera.orientation2d
    viewer.open(tmp_path / "M.npz", plugin=PLUGIN)
    assert viewer.scene.camera.orientation2d == before


def test_a_real_createc_image_shows_its_channel(make_napari_viewer, data_dir):
    path = data_dir / "cu111" / "A200622.083153.dat"
    didv = select_didv(read_file(path))
    viewer = make_napari_viewer()
    layers = viewer.open(path, plugin=PLUGIN)
    layer = next(each for each in layers if each.metadata[KEY]["kind"] == "map")
    facts = layer.metadata[KEY]
    assert facts["attrs"]["channel"] == didv.attrs["channel"]
    assert facts["attrs"]["channel_reason"]
    assert len(facts["channels"]) > 1
    # This file has no lock-in channel, and what stands in for it must not be called dI/dV.
    assert layer.name == "A200622.083153 topography"
    np.testing.assert_array_equal(layer.data, didv.values[0])
    extent = layer.extent.world
    for axis, dim in enumerate(("y", "x")):
        assert extent[:, axis] == pytest.approx([didv[dim].values[0], didv[dim].values[-1]])


def test_another_channel_opens_as_a_new_layer(make_napari_viewer, qtbot, data_dir, open_dock):
    viewer = make_napari_viewer()
    viewer.open(data_dir / "cu111" / "A200622.083153.dat", plugin=PLUGIN)
    dock = open_dock(viewer)
    first, count = dock.maps.layer.name, len(viewer.layers)
    other = next(
        name
        for name in dock.maps.layer.metadata[KEY]["channels"]
        if name != dock.maps.channels.currentText()
    )
    dock.maps.channels.textActivated.emit(other)
    qtbot.waitUntil(lambda: len(viewer.layers) > count, timeout=60_000)
    assert viewer.layers[-1].metadata[KEY]["attrs"]["channel"] == other
    assert first in [layer.name for layer in viewer.layers]


def test_an_uncalibrated_file_asks_for_its_size(tmp_path, qapp, monkeypatch):
    np.save(tmp_path / "bare.npy", np.random.default_rng(0).normal(size=(10, 20)))
    answers = iter([(12.0, True), (6.0, True)])
    monkeypatch.setattr(QInputDialog, "getDouble", lambda *_: next(answers))
    path = str(tmp_path / "bare.npy")
    ((_, attributes, _),) = get_reader(path)(path)
    assert attributes["scale"] == pytest.approx([0.6, 0.6])


def test_cancelling_the_size_leaves_nothing(tmp_path, qapp, monkeypatch):
    np.save(tmp_path / "bare.npy", np.zeros((10, 20)))
    monkeypatch.setattr(QInputDialog, "getDouble", lambda *_: (10.0, False))
    path = str(tmp_path / "bare.npy")
    with pytest.raises(QpiError, match="no size in nm"):
        get_reader(path)(path)


def test_banners_of_the_file_become_notifications(make_napari_viewer, tmp_path, marked):
    values = marked.values.copy()
    values[:, 12:] = np.nan
    write_map(marked.copy(data=values), tmp_path / "M.npz")
    before = len(notification_manager.records)
    make_napari_viewer().open(tmp_path / "M.npz", plugin=PLUGIN)
    said = [record.message for record in notification_manager.records[before:]]
    assert any("unfinished" in message for message in said)


@pytest.mark.parametrize("suffix", [".tif", ".nc"])
def test_saved_layers_read_back_the_same(make_napari_viewer, tmp_path, marked, suffix):
    folder = tmp_path / "someone"
    folder.mkdir()
    write_map(marked, folder / "M.npz")
    viewer = make_napari_viewer()
    (layer,) = viewer.open(folder / "M.npz", plugin=PLUGIN)
    path = tmp_path / f"saved{suffix}"
    assert viewer.layers.save(str(path), plugin=PLUGIN) == [str(path)]
    assert b"someone" not in path.read_bytes()
    again = select_didv(read_file(path))
    np.testing.assert_array_equal(again.values, layer.data)
    np.testing.assert_allclose(again["x"].values, marked["x"].values, atol=1e-6)
    assert again["bias"].values.tolist() == [-10, 10]


def test_gsf_holds_one_bias(tmp_path, marked):
    from napari.layers import Layer

    from napari_qpi_kernel.bridge import map_to_layer

    stack = Layer.create(*map_to_layer(marked, "M"))
    with pytest.raises(QpiError, match="one bias"):
        write_layer(str(tmp_path / "M.gsf"), stack.data, layer_attributes(stack))
    single = Layer.create(*map_to_layer(marked.isel(bias=slice(0, 1)), "M"))
    path = str(tmp_path / "M.gsf")
    assert write_layer(path, single.data, layer_attributes(single)) == [path]
    np.testing.assert_array_equal(select_didv(read_file(path)).values[0], single.data)
    assert [file.name for file in tmp_path.iterdir()] == ["M.gsf"]
