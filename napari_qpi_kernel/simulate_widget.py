"""The dock "Simulate": maps with known truth, and theory over data."""

from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtWidgets import QWidget

from napari_qpi_kernel.bridge import (
    KEY,
    LayerData,
    layer_map,
    show_y_up,
)
from napari_qpi_kernel.column import lay_out, offer
from napari_qpi_kernel.job import Turns
from napari_qpi_kernel.job_bar import BUSY, JobBar
from napari_qpi_kernel.result_layers import GAP
from napari_qpi_kernel.simulate_panels import MaterialPanel, ScenePanel, TheoryPanel
from napari_qpi_kernel.simulation import iter_simulation, iter_theory_over, theory_layers
from qpi_kernel.progress import Steps
from qpi_kernel.settings import from_dict, to_dict

if TYPE_CHECKING:
    from napari.viewer import Viewer


class SimulateWidget(QWidget):
    """Simulates maps of known materials, and materials on the grid of an extracted kernel.

    Long work runs in a thread, one job at a time. Answers are new layers; none is ever changed.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.material = MaterialPanel()
        self.scene = ScenePanel(napari_viewer)
        self.theory = TheoryPanel(napari_viewer)
        self.job = JobBar()
        panels = (self.material, self.scene, self.theory)
        self._column = lay_out(self, panels, self.job, {"Ctrl+Shift+M": self.scene.simulate})

        self.material.materials.currentIndexChanged.connect(self._on_material)
        self.scene.simulate.clicked.connect(self._simulate)
        self.theory.compare.clicked.connect(self._compare)
        self.theory.kernels.chosen.connect(self._refresh)
        self.job.changed.connect(self._refresh)
        show_y_up(napari_viewer)
        napari_viewer.canvas.overlays.scale_bar.visible = True
        self._refresh()

    def settings(self) -> Any:
        """Return the `SimulateSettings` shown."""
        from qpi_kernel.simulate.settings import SimulateSettings

        return from_dict(SimulateSettings, self.scene.form.values() | self.material.values())

    def _on_material(self, event: object = None) -> None:
        self.scene.keep_within(*self.material.range_mV)

    def _refresh(self) -> None:
        busy = BUSY if self.job.busy else ""
        none = "" if self.theory.kernels.layer is not None else "extract a kernel first"
        offer(self.scene.simulate, busy)
        offer(self.theory.compare, busy or none)

    def _simulate(self) -> None:
        self.job.run(
            lambda: iter_simulation(self.settings()), self._on_simulated, "Simulating the map …"
        )

    def _on_simulated(self, layers: list[LayerData]) -> Turns[None]:
        shown = []
        for data in layers:
            shown.append(self._viewer.add_layer(Layer.create(*data)))
            yield
        show_y_up(self._viewer)
        self._viewer.reset_view()
        self.job.tell(
            f"{shown[0].name}: the true kernel lies beside it, the true scatterers hidden on top."
        )

    def _compare(self) -> None:
        layer = self.theory.kernels.layer
        settings = self.settings()

        def ask() -> Steps[Any]:
            return iter_theory_over(layer_map(layer), settings)

        self.job.run(ask, lambda fit: self._on_compared(fit, layer, settings), "Simulating …")

    def _on_compared(self, fit: Any, layer: Any, settings: Any) -> Turns[None]:
        viewer = self._viewer
        right = max(
            float(each.extent.world[1][-1]) for each in viewer.layers if KEY in each.metadata
        )
        low, high = layer.extent.world[:, -2:]
        place = (float(low[0]), right + GAP * float(high[1] - low[1]))
        chosen = to_dict(settings)
        names = ("material", "scatterer", "temperature_K", "modulation_mV")
        facts = {
            "theory": {name: chosen[name] for name in names},
            "correlation": fit.correlation,
            "similarity": fit.similarity,
            "scale": fit.scale,
        }
        for data in theory_layers(fit, layer.name, place, facts):
            viewer.add_layer(Layer.create(*data))
            yield
        viewer.reset_view()
        self.theory.plot.set_theme(viewer.theme)
        self.theory.show_fit(fit, f"{settings.material}, {settings.scatterer}")
        self._column.show_top_of(self.theory)
        left_out = len(layer.metadata[KEY]["bias_mV"]) - fit.kernel.sizes["bias"]
        self.job.tell(
            f"{layer.name}: theory and difference lie beside it."
            + (f" {left_out} energies outside the material are left out." if left_out else "")
        )
