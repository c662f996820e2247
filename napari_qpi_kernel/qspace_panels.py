"""The parts of the dock "q-space": transform, curves with their band, lattice."""

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
)

from napari_qpi_kernel.bridge import KEY, layer_map
from napari_qpi_kernel.column import offer, row
from napari_qpi_kernel.form import SettingsForm
from napari_qpi_kernel.fourier import PARTS
from napari_qpi_kernel.layer_choice import LayerChoice, is_map
from napari_qpi_kernel.qspace_jobs import Subject
from napari_qpi_kernel.qspace_plot import CurvePlot

if TYPE_CHECKING:
    from napari.viewer import ViewerModel

CENTRED = ("kernel", "kernel spread")


class TransformPanel(QGroupBox):
    """What to transform, how, and what of it to show."""

    changed = Signal()

    def __init__(self, viewer: "ViewerModel") -> None:
        super().__init__("1  Transform")
        self._viewer = viewer
        from qpi_kernel.qspace.settings import TransformSettings

        self.layers = LayerChoice(viewer, has_nm, hint="What to transform: a kernel or a map [nm]")
        self.beside = LayerChoice(
            viewer,
            lambda layer: has_nm(layer) and is_map(layer),
            "none",
            hint="Its transform covers the left half of q space, its curve is grey [1/nm]",
        )
        self.part = QComboBox()
        self.part.addItems(PARTS)
        self.part.setToolTip("Modulus, real or imaginary part, or phase about the scatterer [rad]")
        self.form = SettingsForm(TransformSettings, ("window", "pad", "symmetry", "mirror_deg"))
        self.show_button = QPushButton("Show in the q viewer")
        self.show_button.setToolTip("A second window with axes in 1/nm, q = 2 pi / wavelength")
        self.figure = QPushButton("Save figure…")
        self.figure.setToolTip(
            "The layer, log|F| and the raw map [nm, 1/nm] at the energy shown, as SVG, PDF or PNG"
        )
        rows = QFormLayout(self)
        rows.addRow("Layer", self.layers)
        rows.addRow("Raw map", self.beside)
        rows.addRow("Part", self.part)
        rows.addRow(self.form)
        rows.addRow(row(self.show_button, self.figure))
        self.layers.chosen.connect(self.changed)
        self.beside.chosen.connect(self.changed)
        self.form.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        symmetry = self.form.widgets["symmetry"].value
        mirrored = symmetry == "mirror" or symmetry.endswith("v")
        self.form.layout().setRowVisible(self.form.widgets["mirror_deg"].native, mirrored)
        self.changed.emit()

    @property
    def raw_map(self) -> Any:
        """The layer of the raw map, or None."""
        beside, layer = self.beside.layer, self.layers.layer
        if beside is None and layer is not None and not is_centred(layer):
            return layer
        return beside

    def subject(self) -> Subject:
        """Return what is to be looked at, with the spread of the kernel where it is shown."""
        layer, beside = self.layers.layer, self.beside.layer
        spread = None
        if is_centred(layer):
            name = layer.name.replace("[kernel", "[kernel spread")
            twin = next((each for each in self._viewer.layers if each.name == name), None)
            if twin is not None and twin != layer and twin.data.shape == layer.data.shape:
                spread = layer_map(twin)
        return Subject(
            name=layer.name,
            arguments=layer_map(layer),
            centred=is_centred(layer),
            spread=spread,
            beside=None if beside is None or beside == layer else layer_map(beside),
            beside_name="" if beside is None else beside.name,
        )


class CurvesPanel(QGroupBox):
    """Which curves to take, and what they show."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("2  Curves and bands")
        from qpi_kernel.qspace.settings import CurveSettings

        names = (
            "direction", "angle_deg", "width_deg", "width_per_nm", "lowest_per_nm",
            "highest_per_nm", "band", "q_over_k",
        )  # fmt: skip
        self.form = SettingsForm(CurveSettings, names)
        labels = {
            "lowest_per_nm": "Maxima from",
            "highest_per_nm": "Maxima to",
            "q_over_k": "q / k",
        }
        for name, text in labels.items():
            self.form.layout().labelForField(self.form.widgets[name].native).setText(text)
        self.draw_line = QPushButton("Draw line")
        self.draw_line.setToolTip("A line in the q viewer; drag its ends, the curve follows [1/nm]")
        self.take = QPushButton("Take curves")
        self.take.setToolTip("Curves and their maxima at all energies; then they follow the dock")
        self.plot = CurvePlot()
        self.result = QLabel()
        self.result.setWordWrap(True)
        self.result.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.result.setToolTip("The band with its errors, from those of the maxima")
        self.export = QPushButton("Export folder…")
        self.export.setToolTip("curves.csv, dispersion.csv, fit.json [1/nm, mV] and a figure")
        self.figure = QPushButton("Save figure…")
        self.figure.setToolTip("SVG, PDF or PNG, black on white")
        rows = QFormLayout(self)
        rows.addRow(self.form)
        rows.addRow(row(self.draw_line, self.take))
        rows.addRow(self.plot)
        rows.addRow(self.result)
        rows.addRow(row(self.export, self.figure))
        self.form.changed.connect(self._refresh)
        self._refresh()
        self.show_found(False, "")

    def show_found(self, found: bool, text: str) -> None:
        """Show what was found, in words, and offer to save it if there is something."""
        self.result.setText(text)
        self.layout().setRowVisible(self.result, bool(text))
        for button in (self.export, self.figure):
            offer(button, "" if found else "take curves first")

    def _refresh(self) -> None:
        rows, widgets = self.form.layout(), self.form.widgets
        direction = widgets["direction"].value
        for name, wanted in (
            ("angle_deg", "ray"), ("width_deg", "ray"), ("width_per_nm", "line"),
        ):  # fmt: skip
            rows.setRowVisible(widgets[name].native, direction == wanted)
        rows.setRowVisible(widgets["q_over_k"].native, widgets["band"].value != "none")
        self.draw_line.setVisible(direction == "line")
        self.changed.emit()


class LatticePanel(QGroupBox):
    """The lattice whose Brillouin zone is shown, and the Bragg peaks that check the map's size."""

    def __init__(self) -> None:
        super().__init__("3  Lattice")
        from qpi_kernel.qspace.settings import LatticeSettings

        names = ("symmetry", "lattice_nm", "rotation_deg")
        self.form = SettingsForm(LatticeSettings, names)
        self.form.layout().labelForField(self.form.widgets["lattice_nm"].native).setText("Constant")
        constant = self.form.widgets["lattice_nm"]
        constant.native.setDecimals(4)
        constant.value = LatticeSettings().lattice_nm
        self.zone = QPushButton("Show zone")
        self.zone.setToolTip("The Brillouin zone and the Bragg peaks of this lattice [1/nm]")
        self.bragg = QPushButton("Find Bragg peaks")
        self.bragg.setToolTip("Of the raw map, within 20 % of the lattice constant [1/nm]")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextSelectableByMouse)
        rows = QFormLayout(self)
        rows.addRow(self.form)
        rows.addRow(row(self.zone, self.bragg))
        rows.addRow(self.text)
        rows.setRowVisible(self.text, False)

    def show_found(self, known_nm: float, found_nm: float, rotation_deg: float) -> None:
        """Turn the lattice to its Bragg peaks, and say what they mean for the size of the map."""
        self.form.widgets["rotation_deg"].value = rotation_deg
        off = 100 * (found_nm / known_nm - 1)
        lengths, waves = ("large", "small") if off > 0 else ("small", "large")
        self.text.setText(
            f"The Bragg peaks say {found_nm:.4f} nm. If the lattice constant is {known_nm:g} nm,"
            f" lengths of this map are {abs(off):.1f} % too {lengths} and all q too {waves}."
        )
        self.layout().setRowVisible(self.text, True)


def has_nm(layer: Layer) -> bool:
    """Tell whether a layer is a map or a kernel whose size is known."""
    return isinstance(layer, Image) and layer.ndim in (2, 3) and str(layer.units[-1]) == "nanometer"


def is_centred(layer: Any) -> bool:
    """Tell whether a layer is a kernel, with its scatterer at 0."""
    return layer.metadata.get(KEY, {}).get("kind", "map") in CENTRED
