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

FIND_AND_EXTRACT = """
from dataclasses import replace
import qpi_kernel as qk
from napari_qpi_kernel import extraction
from napari_qpi_kernel.bridge import map_arguments, map_to_layer
from qpi_kernel.progress import drain
known = qk.simulate_map("ag111", bias_mV=[0.0], size_nm=16.0, pixels=64, scatterers=3, seed=2)
values, attributes, _ = map_to_layer(known.didv, "Ag")
asked = extraction.Request("Ag", map_arguments(values, attributes), None, None)
drain(extraction.iter_machine())
before = set(sys.modules)
found = drain(extraction.iter_locate_request(asked))
drain(extraction.iter_extract_request(replace(asked, scatterers=found)))
print(*sorted(set(sys.modules) - before))
"""


def modules_after(code):
    return words_of(f"{code}\nprint(*sorted({{'torch', 'xarray'}} & set(sys.modules)))")


def words_of(code):
    outcome = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
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


def test_find_and_extract_import_next_to_nothing_once_the_machine_is_known():
    """A handful of small modules, where scipy or the compiler of torch would be hundreds."""
    assert len(words_of(FIND_AND_EXTRACT)) < 20
