import subprocess
import sys

import pytest

pytest.importorskip("napari")

OPEN_DOCK = """
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application = QApplication([])
dock = ExtractWidget(ViewerModel())
"""


def modules_after(code):
    code = f"import sys\n{code}\nprint(*sorted({{'torch', 'xarray'}} & set(sys.modules)))"
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return outcome.stdout.split()


@pytest.mark.parametrize(
    "name",
    [
        "batch_widget",
        "extract_widget",
        "qspace_widget",
        "simulate_widget",
        "reader",
        "writer",
        "samples",
    ],
)
def test_importing_the_plugin_is_light(name):
    assert modules_after(f"import napari_qpi_kernel.{name}") == []


def test_opening_the_dock_does_not_wait_for_torch():
    code = f"from napari_qpi_kernel.extract_widget import ExtractWidget\n{OPEN_DOCK}"
    assert "torch" not in modules_after(code)


def test_opening_the_dock_simulate_does_not_wait_for_torch():
    code = OPEN_DOCK.replace("ExtractWidget", "SimulateWidget")
    code = f"from napari_qpi_kernel.simulate_widget import SimulateWidget\n{code}"
    assert "torch" not in modules_after(code)
