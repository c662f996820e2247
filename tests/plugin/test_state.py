import numpy as np
import pytest

pytest.importorskip("napari")

from napari_qpi_kernel.state import state_path
from qpi_kernel.export import write_map
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.scatterers import Scatterers

WAIT = {"timeout": 20_000}


@pytest.fixture
def file(simulated, tmp_path):
    return write_map(simulated.didv, tmp_path / "scan.nc")


def opened(make_napari_viewer, open_dock, file):
    """Open the file and the dock as after a restart: nothing but the disk is shared."""
    viewer = make_napari_viewer()
    viewer.open(str(file), plugin="napari-qpi-kernel")
    return viewer, open_dock(viewer, method="aligned")


@pytest.fixture
def open_dock():
    def open_it(viewer, **_):
        return viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "Extract kernel")[1]

    return open_it


def kept(data_folder):
    return list((data_folder / "state").glob("*.json"))


def test_region_points_and_settings_come_back(
    make_napari_viewer, qtbot, open_dock, file, data_folder
):
    _, dock = opened(make_napari_viewer, open_dock, file)
    dock.maps.show_region((3.0, 4.0, 27.0, 26.0))
    dock.scatterers.add(Scatterers([[5.0, 6.0], [20.0, 21.5]], [1.0, -0.5], [0, 1], [1.0, 0.7]))
    dock.settings.form.widgets["method"].value = "wiener"
    dock.settings.form.widgets["window_nm"].value = 7.5
    dock.settings.more.widgets["samples"].value = 9
    rows = dock.prepare.form.widgets["level_rows"]
    rows.value = not rows.value
    dock.settings.device.setCurrentText("cpu")
    qtbot.waitUntil(
        lambda: '"cpu"' in "".join(path.read_text() for path in kept(data_folder)), **WAIT
    )
    asked = dock._request()

    _, again = opened(make_napari_viewer, open_dock, file)
    request = again._request()
    assert request.region_nm == pytest.approx((3.0, 4.0, 27.0, 26.0))
    for name in ("xy_nm", "weight", "species", "confidence"):
        np.testing.assert_allclose(
            getattr(request.scatterers, name), getattr(asked.scatterers, name)
        )
    assert request.settings == asked.settings
    assert (request.settings.method, request.settings.window_nm) == ("wiener", 7.5)
    assert request.prepare == asked.prepare != type(asked.prepare)()
    assert request.device == "cpu"
    # Nothing is written beside the measurement.
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == ["scan.nc"]


def test_a_damaged_state_is_left_aside_with_a_word(
    make_napari_viewer, qtbot, open_dock, file, data_folder
):
    _, dock = opened(make_napari_viewer, open_dock, file)
    dock.settings.more.widgets["samples"].value = 9
    qtbot.waitUntil(lambda: len(kept(data_folder)) == 1, **WAIT)
    (path,) = kept(data_folder)
    path.write_text(path.read_text()[:-20])
    _, again = opened(make_napari_viewer, open_dock, file)
    assert "left aside" in again.job.status.text()
    assert again.settings.more.widgets["samples"].value == ExtractSettings().samples
    assert again.problem() == ""


def test_maps_without_a_file_leave_no_trace(
    make_napari_viewer, qtbot, open_dock, add_map, data_folder
):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    dock.settings.more.widgets["samples"].value = 9
    qtbot.wait(700)
    assert kept(data_folder) == []
    assert state_path("ab").parent == data_folder / "state"
