import numpy as np
import pytest

pytest.importorskip("napari")
from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.fourier import PARTS, fft_part
from napari_qpi_kernel.qspace_viewer import TITLE
from qpi_kernel.qspace import kernel_fft


@pytest.fixture
def open_qspace(qtbot):
    def open_it(viewer):
        return viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "q-space")[1]

    return open_it


def q_viewers():
    import napari

    return [each for each in list(napari.Viewer._instances) if each.title == TITLE]


def test_parts_of_a_transform(simulated):
    fft = kernel_fft(simulated.kernel)
    parts = {part: fft_part(fft, part) for part in PARTS}
    np.testing.assert_allclose(10 ** parts["log|F|"].values, parts["|F|"].values, rtol=1e-3)
    rebuilt = parts["|F|"].values * np.exp(1j * parts["phase"].values)
    np.testing.assert_allclose(rebuilt, fft.values, atol=1e-3 * np.abs(fft.values).max())
    np.testing.assert_allclose(parts["Re F"].values + 1j * parts["Im F"].values, fft.values)
    assert parts["phase"].attrs["units"] == "rad"
    assert parts["log|F|"].attrs["units"].startswith("log10(")


@pytest.mark.parametrize("part", ["log|F|", "Im F"])
def test_a_map_is_shown_in_its_own_viewer(make_napari_viewer, qtbot, add_map, open_qspace, part):
    viewer = make_napari_viewer()
    layer = add_map(viewer, bias=None)
    dock = open_qspace(viewer)
    dock.part.setCurrentText(part)
    dock.hann.setChecked(True)
    dock.show_button.click()
    qtbot.waitUntil(lambda: len(q_viewers()) == 1, timeout=60_000)
    (q_viewer,) = q_viewers()
    qtbot.waitUntil(lambda: dock.show_button.isEnabled())
    (shown,) = q_viewer.layers
    assert shown.name == f"Ag {part} (Hann)"
    assert shown.metadata[KEY]["window"] == "hann"
    assert shown.axis_labels == ("bias", "qy", "qx")
    assert [str(unit) for unit in shown.units] == ["millivolt", "1 / nanometer", "1 / nanometer"]
    assert shown.scale[-1] == pytest.approx(2 * np.pi / 30, rel=1e-3)
    assert list(viewer.layers) == [layer]

    q_viewer.close()
    dock.show_button.click()
    qtbot.waitUntil(lambda: len(q_viewers()) == 1, timeout=60_000)
    assert len(q_viewers()[0].layers) == 1


def test_nothing_to_show_is_said(make_napari_viewer, open_qspace):
    dock = open_qspace(make_napari_viewer())
    assert not dock.show_button.isEnabled()
    assert "Open a map" in dock.status.text()
