"""Take the pictures of docs/tutorial-napari.md into docs/napari/.

    NAPARI_CONFIG= xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/screenshots.py

The tutorial, done by a script: the sample is opened, its scatterers are found, the kernel is
extracted, its bands are taken; and noise without any scatterer is judged.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from PIL import Image
from qtpy.QtWidgets import QApplication

import qpi_kernel as qk
from napari_qpi_kernel.bridge import map_to_layer
from napari_qpi_kernel.qspace_viewer import q_viewer_of

FOLDER = Path(__file__).parents[1] / "napari"
PLUGIN = "napari-qpi-kernel"
SIZE = (1280, 800)
BIASES_MV = np.linspace(-20.0, 100.0, 7)
HANG_S = 300.0


def wait(until: Callable[[], bool] = lambda: False, seconds: float = HANG_S) -> None:
    """Let the window live until something is true, or for so many seconds."""
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.02)


def save(viewer: Any, name: str) -> None:
    # The docks take their place first.
    wait(seconds=2)
    viewer.reset_view()
    wait(seconds=1)
    shot = viewer.screenshot(canvas_only=False, flash=False)[..., :3]
    content = io.BytesIO()
    # 128 colours are enough for a window, and a quarter of the bytes.
    Image.fromarray(shot).quantize(128, dither=Image.Dither.NONE).save(
        content, "PNG", optimize=True
    )
    (FOLDER / f"{name}.png").write_bytes(content.getvalue())
    print(
        f"{name}.png: {shot.shape[1]} x {shot.shape[0]} px, {len(content.getvalue()) / 1e3:.0f} kB"
    )


def opened() -> Any:
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    return viewer


def idle(dock: Any) -> Callable[[], bool]:
    return lambda: not dock.job.busy


def one_energy() -> None:
    viewer = opened()
    viewer.open_sample(PLUGIN, "ag111")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Extract kernel")
    wait(lambda: dock.settings.machine.text() != "", 30)
    wait(seconds=5)
    save(viewer, "sample")
    dock.scatterers.find.click()
    wait(idle(dock))
    wait(seconds=3)
    save(viewer, "scatterers")
    dock.settings.extract.click()
    wait(idle(dock))
    save(viewer, "result")
    q_viewer = q_viewer_of(viewer)
    q_viewer.window.resize(900, 700)
    save(q_viewer, "transform")
    q_viewer.close()
    viewer.close()


def band() -> None:
    known = qk.simulate_map(
        "ag111", bias_mV=BIASES_MV, size_nm=50.0, pixels=128, scatterers=15, snr=10.0, seed=1
    )
    result = qk.extract_kernel(known.didv, known.scatterers, qk.ExtractSettings(window_nm=20.0))
    viewer = opened()
    viewer.window.resize(SIZE[0], 960)
    viewer.add_layer(Layer.create(*map_to_layer(known.didv, "Ag(111)")))
    beside = {"offset_nm": (25.0, 75.0)}
    for stack, kind in ((result.spread, "kernel spread"), (result.kernel, "kernel")):
        data = map_to_layer(stack, f"Ag(111) [{kind}]", kind=kind, **beside)
        layer = viewer.add_layer(Layer.create(*data))
    viewer.layers["Ag(111) [kernel spread]"].visible = False
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "q-space")
    dock.transform.layers.choose(layer)
    dock.curves.form.widgets["band"].value = "parabola"
    dock.curves.take.click()
    wait(lambda: dock._curves is not None and not dock.job.busy)
    dock._column.show_top_of(dock.curves)
    save(viewer, "band")
    viewer.close()


def noise() -> None:
    viewer = opened()
    axis = 0.25 * np.arange(128)
    values = np.random.default_rng(0).normal(size=(128, 128))
    didv = qk.make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    viewer.add_layer(Layer.create(*map_to_layer(didv, "Noise")))
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Extract kernel")
    dock.scatterers.find.click()
    wait(idle(dock))
    dock.settings.extract.click()
    wait(idle(dock))
    save(viewer, "untrusted")
    viewer.close()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for part in (one_energy, band, noise):
        part()
