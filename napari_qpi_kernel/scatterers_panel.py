"""The third step of the dock: where the scatterers are, as a points layer the user may edit."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer, Points
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QSpinBox,
)

from napari_qpi_kernel.bridge import layer_to_scatterers, scatterers_to_layer, tag_species
from napari_qpi_kernel.column import offer, row
from napari_qpi_kernel.job import report
from napari_qpi_kernel.layer_choice import LayerChoice, follow, is_map
from napari_qpi_kernel.result_layers import RING_SHARE, free_name
from qpi_kernel.errors import QpiError

if TYPE_CHECKING:
    from napari.viewer import ViewerModel

    from qpi_kernel.scatterers import Scatterers

BLIND = "found by the extraction"
CSV = "Scatterers (*.csv)"
DEBOUNCE_MS = 100
SURFACES = ("map", "topography")
MOST_SPECIES = 4  # as many as the extraction tells apart


class ScatterersPanel(QGroupBox):
    """Choice of a points layer, made by Find, from a CSV file or by hand."""

    changed = Signal()
    find_wanted = Signal()
    told = Signal(str)

    def __init__(self, viewer: "ViewerModel") -> None:
        super().__init__("3  Scatterers")
        self._viewer = viewer
        self._map_name = "map"
        self._ring_nm = 0.5
        self.layers = LayerChoice(
            viewer,
            lambda layer: isinstance(layer, Points),
            BLIND,
            hint="Positions of the scatterers [nm], yours to edit",
        )
        self.source = LayerChoice(
            viewer,
            lambda layer: is_map(layer, SURFACES),
            "the map",
            hint="Where Find looks: cores are often clearer in the topography",
        )
        self.count = QLabel()
        self.count.setWordWrap(True)
        self.find = QPushButton("Find")
        self.find.setToolTip("Find the scatterers and show them as points to edit")
        self.load = QPushButton("Load CSV…")
        self.load.setToolTip("Columns x_nm, y_nm[, weight, species, confidence]")
        self.save = QPushButton("Save CSV…")
        self.save.setToolTip("Columns x_nm, y_nm, weight, species, confidence")
        self.species = QSpinBox()
        self.species.setRange(0, MOST_SPECIES - 1)
        self.species.setToolTip("Number of a kind of scatterer; each kind gets a kernel")
        self.tag = QPushButton("Tag selected")
        self.tag.setToolTip("Give the points selected in the layer this species")
        self.tag.clicked.connect(self._tag)
        self.find.clicked.connect(self.find_wanted)
        self.load.clicked.connect(self._load)
        self.save.clicked.connect(self._save)
        form = QFormLayout(self)
        form.addRow("Points", self.layers)
        form.addRow("Find in", self.source)
        form.addRow(row(self.find, self.load, self.save))
        form.addRow(self.count)
        form.addRow("Species", row(self.species, self.tag))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self.refresh)
        self._followed: set[object] = set()
        self.layers.chosen.connect(self.refresh)
        self.refresh()

    @property
    def layer(self) -> Any:
        """The points layer chosen, or None if the extraction shall find the scatterers."""
        return self.layers.layer

    def scatterers(self) -> "Scatterers | None":
        """Return the points as scatterers; None if the extraction shall find them."""
        return None if self.layer is None else layer_to_scatterers(self.layer)

    def problem(self) -> str:
        """Return why the points cannot be used, "" if they can."""
        if self.layer is not None and not len(self.layer.data):
            return f"{self.layer.name} holds no points: add some, press Find or load a CSV file"
        return ""

    def set_map(self, name: str, width_nm: float) -> None:
        """Name and size new points after this map."""
        self._map_name, self._ring_nm = name, width_nm * RING_SHARE

    def choose(self, scatterers: "Scatterers | None") -> None:
        """Show the layer of these scatterers instead, added if there is none; None: no layer."""
        if self.layer is not None:
            self.layer.visible = False
        if scatterers is None:
            self.layers.setCurrentIndex(0)
            return
        for layer in self.layers.listed:
            if len(layer.data) == len(scatterers) and _same(layer_to_scatterers(layer), scatterers):
                layer.visible = True
                self.layers.choose(layer)
                return
        self.add(scatterers)

    def add(self, scatterers: "Scatterers") -> None:
        """Show scatterers as a new points layer and choose it."""
        name = free_name(self._viewer, self._map_name, "scatterers")
        data = scatterers_to_layer(scatterers, name, self._ring_nm)
        self.layers.choose(self._viewer.add_layer(Layer.create(*data)))

    def refresh(self, event: object = None) -> None:
        """Write the number of points again."""
        layer = self.layer
        if layer is not None and layer.unique_id not in self._followed:
            self._followed.add(layer.unique_id)
            follow(layer.events.data, lambda _: self._timer.start(), self)
        number = 0 if layer is None else len(layer.data)
        self.count.setText(
            "The positions are found during the extraction."
            if layer is None
            else f"{number} scatterer{'s' * (number != 1)}; edit them with napari's point tools."
        )
        self.species.setEnabled(number > 0)
        for button in (self.save, self.tag):
            offer(button, "" if number else "find, load or add points first")
        self.changed.emit()

    def _tag(self) -> None:
        if self.layer.selected_data:
            tag_species(self.layer, self.layer.selected_data, self.species.value())
            self.changed.emit()
        else:
            name = self.layer.name
            self._report(QpiError(f"no point of {name} is selected: select some, then tag"))

    def _report(self, error: QpiError) -> None:
        self.told.emit(report(error))

    def _load(self) -> None:
        from qpi_kernel.scatterers import load_scatterers

        path, _ = QFileDialog.getOpenFileName(self, "Load scatterers", "", CSV)
        if path:
            try:
                self.add(load_scatterers(path))
            except QpiError as error:
                self._report(error)

    def _save(self) -> None:
        from qpi_kernel.scatterers import save_scatterers

        start = f"{self.layer.name}.csv"
        path, _ = QFileDialog.getSaveFileName(self, "Save scatterers", start, CSV)
        if path:
            path += "" if path.lower().endswith(".csv") else ".csv"
            try:
                save_scatterers(layer_to_scatterers(self.layer), path)
                self.told.emit(f"{self.layer.name} saved to {path}")
            except QpiError as error:
                self._report(error)


def _same(one: "Scatterers", other: "Scatterers") -> bool:
    """Tell whether as many scatterers are the same ones."""
    columns = ("xy_nm", "weight", "species")
    return all(np.allclose(getattr(one, name), getattr(other, name)) for name in columns)
