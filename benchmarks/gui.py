"""How alive the window stays: opening a dock, finding, extracting, cancelling.

    NAPARI_CONFIG= xvfb-run -a -s "-screen 0 1600x1000x24" python -m benchmarks.gui

A timer of 5 ms ticks in the event loop. Of the turns between two ticks the longest is printed, as
processor time of the main thread and on the clock. The click comes first, and the first time makes
the q viewer; the turns that show a result, of which the first time some show that viewer, stand
apart. On a busy machine the clock says little.
"""

# ruff: noqa: TID251 - the one benchmark of the plugin
import os
import time
from collections.abc import Callable

import napari
from napari.layers import Layer
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication

import qpi_kernel as qk
from napari_qpi_kernel.bridge import map_to_layer
from tests.plugin.ticks import Ticks

HANG_S = 300.0
SETTLE_S = 1.0
PIXELS, SIZE_NM = 256, 40.0


def wait(until: Callable[[], bool]) -> float:
    """Let the window live until something is true; return how long that took [s]."""
    begun = time.perf_counter()
    while not until():
        if time.perf_counter() - begun > HANG_S:
            raise TimeoutError(f"nothing after {HANG_S:.0f} s")
        QApplication.processEvents()
        time.sleep(0.001)
    return time.perf_counter() - begun


def settle() -> None:
    """Let the window paint what the last work added."""
    end = time.perf_counter() + SETTLE_S
    wait(lambda: time.perf_counter() > end)


def idle() -> bool:
    """Return whether no thread is at work."""
    at_work: int = QThreadPool.globalInstance().activeThreadCount()
    return at_work == 0


def main() -> None:
    didv = qk.simulate_map(
        "ag111", bias_mV=[0.0], size_nm=SIZE_NM, pixels=PIXELS, scatterers=14, snr=10.0, seed=4
    ).didv
    print(f"map {PIXELS} x {PIXELS} px; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    viewer = napari.Viewer()
    viewer.window.resize(1280, 720)
    viewer.add_layer(Layer.create(*map_to_layer(didv, "Ag(111)")))
    QApplication.processEvents()

    begun, worked = time.perf_counter(), time.thread_time()
    _, dock = viewer.window.add_plugin_dock_widget("napari-qpi-kernel", "Extract kernel")
    QApplication.processEvents()
    print(
        f"dock: {time.perf_counter() - begun:.2f} s on the clock,"
        f" {time.thread_time() - worked:.2f} s of work"
    )
    print(f"machine line: {wait(lambda: 'model' in dock.settings.machine.text()):.1f} s later")
    print(f"all loaded: {wait(idle):.1f} s later")
    for name, button in (
        ("find", dock.scatterers.find),
        ("extract", dock.settings.extract),
        ("extract again", dock.settings.extract),
    ):
        settle()
        begun = time.thread_time()
        button.click()
        click = time.thread_time() - begun
        with Ticks(dock.job) as ticks:
            seconds = wait(lambda ticks=ticks: ticks.over)
        print(
            f"{name}: click {1e3 * click:.0f} ms of work, then {seconds:.1f} s,"
            f" longest turn {max(ticks.work_ms):.0f} ms of work,"
            f" {max(ticks.gap_ms):.0f} ms on the clock;"
            f" showing the result {sum(ticks.showing_ms):.0f} ms of work,"
            f" longest turn {max(ticks.showing_ms):.0f} ms"
        )
    dock.settings.extract.click()
    wait(lambda: dock.job.bar.value() > 100)
    begun = time.perf_counter()
    dock.job.cancel_button.click()
    free = time.perf_counter() - begun
    stopped = wait(idle)
    print(f"cancel: dock free after {1e3 * free:.0f} ms, thread stopped after {stopped:.2f} s")
    viewer.close()


if __name__ == "__main__":
    main()
