"""Take the pictures of docs/tutorial-napari.md into docs/napari/.

    NAPARI_CONFIG= xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/screenshots.py

The tutorial, done by a script: the sample is opened, its scatterers are found, the kernel is
extracted and drawn; all methods are compared; a scatterer that was left out stands in the residual;
bands are taken, and two files go through the queue; and noise without any scatterer is judged.
Names of parts after the command take the pictures of these only.
"""

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from PIL import Image
from qtpy.QtCore import QBuffer
from qtpy.QtWidgets import QApplication

import qpi_kernel as qk
from napari_qpi_kernel.bridge import map_to_layer
from napari_qpi_kernel.qspace_viewer import q_viewer_of

FOLDER = Path(__file__).parents[1] / "napari"
PLUGIN = "napari-qpi-kernel"
SIZE = (1280, 800)
BIASES_MV = np.linspace(-20.0, 100.0, 7)
HANG_S = 600.0


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
    store(Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3]), name)


def store(picture: Image.Image, name: str) -> None:
    content = io.BytesIO()
    # These 256 colours keep those of lines and kernels true, at a third of the bytes.
    picture.convert("RGB").quantize(
        256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    ).save(content, "PNG", optimize=True)
    (FOLDER / f"{name}.png").write_bytes(content.getvalue())
    print(f"{name}.png: {picture.size} px, {len(content.getvalue()) / 1e3:.0f} kB")


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

    outcome = dock.results.outcome
    drawn = io.BytesIO()
    qk.result_figure(outcome.extraction, outcome.assessment).savefig(drawn, dpi=80)
    store(Image.open(drawn), "figure")
    dock.results.compare.click()
    wait(idle(dock))
    view = viewer.window.dock_widgets["Compare methods"]
    view.window().resize(1060, 640)
    wait(seconds=2)
    grabbed = QBuffer()
    view.grab().save(grabbed, "PNG")
    store(Image.open(io.BytesIO(bytes(grabbed.data()))), "compare")
    viewer.window.remove_dock_widget(view)
    viewer.close()


def residual() -> None:
    """One scatterer is left out: where it stood, the residual shows a whole kernel."""
    viewer = opened()
    viewer.open_sample(PLUGIN, "ag111")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Extract kernel")
    wait(lambda: "model" in dock.settings.machine.text(), 60)
    dock.scatterers.find.click()
    wait(idle(dock))
    points = dock.scatterers.layer
    centre = viewer.layers["Ag(111)"].extent.world.mean(0)[-2:]
    points.selected_data = {int(np.argmin(np.hypot(*(points.data - centre).T)))}
    points.remove_selected()
    wait(seconds=1)
    dock.settings.extract.click()
    wait(idle(dock))
    shown = viewer.layers["Ag(111) [residual]"]
    shown.visible = True
    viewer.layers.selection.active = shown
    save(viewer, "residual")
    viewer.close()


def batch() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, seed in ((17, 3), (18, 8)):
            known = qk.simulate_map(
                "ag111", bias_mV=[0.0], size_nm=50.0, pixels=192, scatterers=18, snr=10.0, seed=seed
            )
            files.append(str(qk.write_map(known.didv, Path(folder) / f"Grid_0{number}.nc")))
        viewer = opened()
        viewer.window.resize(SIZE[0], 860)
        _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Batch")
        dock.files.add([*files, str(Path(folder) / "Grid_019.nc")])
        dock.running.out.setText(str(Path(folder) / "results"))
        dock.running.workers.setValue(1)
        dock.running.start.click()
        wait(idle(dock))
        table = dock.files.table
        table.itemDoubleClicked.emit(table.item(0, 0))
        wait(lambda: "is open" in dock.job.status.text(), 30)
        table.selectRow(0)
        dock.running.out.setText("results")
        save(viewer, "batch")
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
    for part in (one_energy, residual, band, batch, noise):
        if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
            part()
