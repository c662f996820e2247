"""The parts of the dock "Simulate": material, map, and theory over data."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QGroupBox, QLabel, QPushButton

from napari_qpi_kernel.bridge import KEY, bias_of
from napari_qpi_kernel.form import SettingsForm
from napari_qpi_kernel.layer_choice import ElidedCombo, LayerChoice
from napari_qpi_kernel.plot_canvas import PlotCanvas
from napari_qpi_kernel.qspace_panels import has_nm

if TYPE_CHECKING:
    from napari.viewer import ViewerModel

    from qpi_kernel.qspace import TheoryFit

PLOT_HEIGHT_PX = 190
FIELDS = (
    "first_mV", "last_mV", "energies", "size_nm", "pixels", "scatterers", "snr", "realism",
    "seed",
)  # fmt: skip
LABELS = {
    "first_mV": "Energy from",
    "last_mV": "Energy to",
    "size_nm": "Field",
    "snr": "SNR",
    "modulation_mV": "Lock-in V rms",
}


class MaterialPanel(QGroupBox):
    """Which material, which scatterer in it, and how sharply the instrument sees its energies."""

    def __init__(self) -> None:
        super().__init__("1  Material")
        from qpi_kernel.simulate.materials import MATERIALS
        from qpi_kernel.simulate.settings import SimulateSettings

        self.materials = ElidedCombo("Surface whose kernels are computed from its bands")
        for material in MATERIALS.values():
            self.materials.addItem(f"{material.name}: {material.description}", material)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setToolTip("Where the model holds [mV], and where its parameters come from")
        self.scatterers = ElidedCombo("What scatters: the kinds that this material offers")
        self.form = SettingsForm(SimulateSettings, ("temperature_K", "modulation_mV"))
        _relabel(self.form)
        rows = QFormLayout(self)
        rows.addRow("Material", self.materials)
        rows.addRow(self.about)
        rows.addRow("Scatterer", self.scatterers)
        rows.addRow(self.form)
        self.materials.currentIndexChanged.connect(self._refresh)
        self._refresh()

    @property
    def range_mV(self) -> tuple[float, float]:
        """Energies at which the model of the material holds [mV]."""
        low, high = self.materials.currentData().energies_eV
        return 1e3 * low, 1e3 * high

    def values(self) -> dict[str, Any]:
        """Return the fields of `SimulateSettings` that this part shows."""
        return {
            "material": self.materials.currentData().name,
            "scatterer": self.scatterers.currentText(),
            **self.form.values(),
        }

    def _refresh(self, event: object = None) -> None:
        material = self.materials.currentData()
        low, high = self.range_mV
        self.about.setText(f"Known from {low:g} to {high:g} mV. {material.source}")
        self.scatterers.clear()
        self.scatterers.addItems(list(material.scatterers))


class ScenePanel(QGroupBox):
    """Energies, field, scatterers and noise of the map."""

    def __init__(self, viewer: "ViewerModel") -> None:
        super().__init__("2  Map with truth")
        from qpi_kernel.simulate.settings import SimulateSettings

        self.form = SettingsForm(SimulateSettings, FIELDS)
        _relabel(self.form)
        self.like = LayerChoice(
            viewer, has_nm, "choose a layer", hint="Takes field, pixels and energies of this layer"
        )
        self.simulate = QPushButton("Simulate")
        self.simulate.setToolTip("Adds the map [a.u.], the true kernel and the true scatterers")
        rows = QFormLayout(self)
        rows.addRow("Like layer", self.like)
        rows.addRow(self.form)
        rows.addRow(self.simulate)
        self.like.chosen.connect(self._take_layer)
        self.form.changed.connect(self._refresh)
        self._refresh()

    def keep_within(self, low_mV: float, high_mV: float) -> None:
        """Move energies that a material does not know to the middle of those it knows."""
        quarter = (high_mV - low_mV) / 4
        for name, place in (("first_mV", low_mV + quarter), ("last_mV", high_mV - quarter)):
            widget = self.form.widgets[name]
            if not low_mV <= widget.value <= high_mV:
                widget.value = float(round(place))

    def _take_layer(self) -> None:
        layer = self.like.layer
        if layer is None:
            return
        bias = bias_of(layer)
        pixels = max(layer.data.shape[-2:])
        taken = {"pixels": pixels, "size_nm": pixels * float(layer.scale[-1])}
        if bias.size:
            taken |= {
                "first_mV": float(bias[0]), "last_mV": float(bias[-1]), "energies": bias.size
            }  # fmt: skip
        for name, value in taken.items():
            widget = self.form.widgets[name]
            widget.value = min(max(value, widget.min), widget.max)

    def _refresh(self) -> None:
        many = self.form.widgets["energies"].value > 1
        self.form.layout().setRowVisible(self.form.widgets["last_mV"].native, many)


class TheoryPanel(QGroupBox):
    """The material on the grid and at the energies of an extracted kernel."""

    def __init__(self, viewer: "ViewerModel") -> None:
        super().__init__("3  Theory over data")
        self.kernels = LayerChoice(
            viewer, is_kernel, hint="An extracted kernel; its grid [nm] and energies [mV] are taken"
        )
        self.compare = QPushButton("Compare with this kernel")
        self.compare.setToolTip(
            "Adds theory and difference on the grid, window and energies of the kernel, in its unit"
        )
        self.result = QLabel()
        self.result.setWordWrap(True)
        self.result.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.result.setToolTip("1: the same up to a factor; 0: nothing in common")
        self.plot = PlotCanvas()
        self.plot.setFixedHeight(PLOT_HEIGHT_PX)
        self.plot.setToolTip("Correlation of kernel and theory at each energy [mV]")
        rows = QFormLayout(self)
        rows.addRow("Kernel", self.kernels)
        rows.addRow(self.compare)
        rows.addRow(self.result)
        rows.addRow(self.plot)
        self._rows = rows
        rows.setRowVisible(self.result, False)
        rows.setRowVisible(self.plot, False)

    def show_fit(self, fit: "TheoryFit", name: str) -> None:
        """Show how alike kernel and theory are, as text and over the energies."""
        biases = fit.kernel["bias"].values
        lines = [
            f"{label}: {_range_text(values)}"
            for label, values in (("|F(q)|", fit.correlation), ("ripples", fit.similarity))
        ]
        self.result.setText(f"{name}, correlation of {lines[0]}; of {lines[1]}")
        self._rows.setRowVisible(self.result, True)
        self._rows.setRowVisible(self.plot, biases.size > 1)
        with self.plot.cleared() as figure:
            axes = figure.subplots()
            axes.plot(biases, fit.correlation, "o-", ms=3, label="|F(q)|")
            axes.plot(biases, fit.similarity, "s--", ms=3, label="ripples")
            axes.set_ylim(-1.05, 1.05)
            axes.set_xlabel("E (mV)")
            axes.set_ylabel("correlation")
            axes.legend(frameon=False, fontsize=8)


def is_kernel(layer: Any) -> bool:
    """Tell whether a layer is an extracted or simulated kernel in nm."""
    return has_nm(layer) and layer.metadata.get(KEY, {}).get("kind") == "kernel"


def _range_text(values: Any) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{min(values):.2f} to {max(values):.2f}"


def _relabel(form: SettingsForm[Any]) -> None:
    for name, text in LABELS.items():
        if name in form.widgets:
            form.layout().labelForField(form.widgets[name].native).setText(text)
