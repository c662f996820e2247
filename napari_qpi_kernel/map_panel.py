"""The first step of the dock: which map, at which energy, and which region of it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer, Shapes
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_qpi_kernel.bridge import (
    KEY,
    bias_at,
    bias_of,
    layer_attributes,
    missing_calibration,
    show_energy,
)
from napari_qpi_kernel.calibration import Calibration
from napari_qpi_kernel.column import offer, row
from napari_qpi_kernel.job import report
from napari_qpi_kernel.layer_choice import ElidedCombo, LayerChoice, follow, is_map
from napari_qpi_kernel.map_facts import MapFacts
from napari_qpi_kernel.region import RegionSize, extent_nm, region_of, resize_region
from qpi_kernel.errors import QpiError

if TYPE_CHECKING:
    from napari.viewer import ViewerModel

DEBOUNCE_MS = 150
EDGE_SHARE = 1 / 150  # line width of a region as a share of the map's width
PAST = ("added", "removed", "changed")


class MapPanel(QGroupBox):
    """Choice of map, channel, energy and region.

    The energy is the one that the viewer shows; the region is the rectangle around the last shape
    of the chosen layer.
    """

    changed = Signal()
    map_chosen = Signal()
    energy_changed = Signal()
    channel_wanted = Signal(str, str)

    def __init__(self, viewer: "ViewerModel") -> None:
        super().__init__("1  Map and region")
        self._viewer = viewer
        self.layers = LayerChoice(viewer, is_map, hint="The map: dI/dV [nS], or a topograph [nm]")
        self.channels = ElidedCombo("")
        self.channels.textActivated.connect(self._want_channel)
        self.calibration = Calibration()
        self.calibration.add.clicked.connect(self._calibrate)
        self.energy = QLabel()
        self.all_energies = QCheckBox("all energies")
        self.all_energies.setToolTip("Extract a kernel at every bias, with shared positions")
        self.regions = LayerChoice(
            viewer,
            lambda layer: isinstance(layer, Shapes),
            "whole map",
            hint="The part of the map to use: around the last shape of this layer [nm]",
        )
        self.draw = QPushButton("Draw region")
        self.draw.setToolTip("Draw a rectangle on the map; the last one drawn counts")
        self.draw.clicked.connect(self._draw_region)
        self.size = RegionSize()
        self.size.wanted.connect(self._resize_region)
        self.place = QLabel()
        self.place.setWordWrap(True)
        self.place.setToolTip("Where the region lies [nm], and how many pixels it has")
        self.facts = MapFacts(viewer)

        self._form = QFormLayout(self)
        self._form.addRow("Map", self.layers)
        self._form.addRow("Channel", self.channels)
        self._form.addRow(self.calibration)
        self._form.addRow(self.facts)
        self._form.addRow("Energy", _row(self.energy, self.all_energies))
        self._form.addRow("Region", _row(self.regions, self.draw))
        # Across the dock: beside a label the units would be cut.
        self._form.addRow(self.size)
        self._form.addRow(self.place)

        # Dragging a corner fires many events; the size is written when the hand rests.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self.refresh)
        self._followed: set[object] = set()
        self.layers.chosen.connect(self.map_chosen)
        self.layers.chosen.connect(self.refresh)
        self.layers.chosen.connect(self._show_scale)
        self.regions.chosen.connect(self.refresh)
        self.all_energies.toggled.connect(self.refresh)
        follow(viewer.dims.events.point, self._show_energy, self)
        self.refresh()
        self._show_scale()

    @property
    def layer(self) -> Any:
        """The image layer chosen, or None."""
        return self.layers.layer

    @property
    def bias_mV(self) -> float | None:
        """Energy to extract [mV]; None for all of them."""
        if self.layer.ndim == 3 and self.all_energies.isChecked():
            return None
        return self.shown_bias_mV

    @property
    def shown_bias_mV(self) -> float | None:
        """Energy that the viewer shows [mV]; None if it is not known."""
        return bias_at(self.layer, self._viewer.dims.point)

    @property
    def region_nm(self) -> tuple[float, float, float, float] | None:
        """Region (x0, y0, x1, y1) [nm]; None for the whole map."""
        return None if self.regions.layer is None else region_of(self.regions.layer)

    @property
    def _missing(self) -> str:
        """What keeps the layer from being a map, in words; "" if nothing does."""
        return missing_calibration(self.layer.ndim, layer_attributes(self.layer))

    def problem(self) -> str:
        """Return why nothing can be extracted from this choice, "" if it can."""
        if self.layer is None:
            return "open a map first: File > Open, or File > Open Sample > QPI Kernel"
        if self._missing:
            return f"{self.layer.name}: {self._missing}"
        region, (x0, y0, x1, y1) = self.region_nm, extent_nm(self.layer)
        if region and (region[0] > x1 or region[2] < x0 or region[1] > y1 or region[3] < y0):
            return "the region lies outside the map: move it, or choose the whole map"
        return ""

    def refresh(self, event: object = None) -> None:
        """Write everything again that depends on the layers."""
        layer = self.layer
        facts = {} if layer is None else layer.metadata.get(KEY, {})
        known = layer is not None and not self._missing
        bare = layer is not None and not known
        if bare:
            self.calibration.ask_for(layer)
        self._form.setRowVisible(self.calibration, bare)
        self._show_channels(facts)
        self.all_energies.setVisible(layer is not None and layer.ndim == 3)
        offer(self.draw, "" if known else "open a map in nm first")
        shapes = self.regions.layer
        if shapes is not None and shapes.unique_id not in self._followed:
            self._followed.add(shapes.unique_id)
            follow(shapes.events.data, self._on_shape, self)
        self.facts.show_layer(layer if known else None)
        self._form.setRowVisible(self.size, known)
        self._form.setRowVisible(self.place, known)
        if known:
            self._show_size()
        self._show_energy()
        self.changed.emit()

    def _show_scale(self) -> None:
        # Of an empty canvas it would count pixels.
        self._viewer.canvas.overlays.scale_bar.visible = self.layer is not None

    def _show_channels(self, facts: dict[str, Any]) -> None:
        channels, attrs = facts.get("channels", []), facts.get("attrs", {})
        self._form.setRowVisible(self.channels, len(channels) > 1)
        self.channels.clear()
        self.channels.addItems(channels)
        self.channels.setCurrentIndex(self.channels.findText(attrs.get("channel", "")))
        self.channels.setToolTip(
            f"{attrs.get('channel', '')}: {attrs.get('channel_reason', '')}."
            " Choosing another channel opens it as a new layer."
        )

    def _show_size(self) -> None:
        region = self.region_nm
        x0, y0, x1, y1 = region or extent_nm(self.layer)
        dy, dx = (float(step) for step in self.layer.scale[-2:])
        # A map of N pixels is N pitches wide; its axes run between the centres of the outer ones.
        edge = 0 if region else 1
        width, height = x1 - x0 + edge * dx, y1 - y0 + edge * dy
        self.size.show_size(width, height)
        self.place.setText(
            f"x {x0:.2f} to {x1:.2f}, y {y0:.2f} to {y1:.2f} nm,"
            f" {width / dx:.0f} × {height / dy:.0f} px"
        )

    def _resize_region(self, width_nm: float, height_nm: float) -> None:
        if self.region_nm is not None:
            resize_region(self.regions.layer, width_nm, height_nm)
            self.refresh()
            return
        x0, y0, x1, y1 = extent_nm(self.layer)
        x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
        half = 0.5 * width_nm, 0.5 * height_nm
        self.show_region((x - half[0], y - half[1], x + half[0], y + half[1]))

    def _show_energy(self, event: object = None) -> None:
        bias = None if self.layer is None else bias_at(self.layer, self._viewer.dims.point)
        text = show_energy(self._viewer, bias)
        many = bool(text) and self.layer.ndim == 3
        self.energy.setText(text or ("not known" if self.layer is not None else ""))
        self.energy.setToolTip("Move the slider below the map to change it" if many else "")
        self.energy_changed.emit()

    def _on_shape(self, event: Any) -> None:
        if str(event.action) in PAST:
            self._timer.start()

    def _want_channel(self, channel: str) -> None:
        self.channel_wanted.emit(self.layer.metadata[KEY]["path"], channel)
        self.refresh()

    def show_map(self, name: str, bias_mV: float | None) -> bool:
        """Choose a map at an energy [mV], None for all, and hide the others; tell if it is open."""
        maps = self.layers.listed
        chosen = next((layer for layer in maps if layer.name == name), None)
        if chosen is None:
            return False
        for layer in maps:
            layer.visible = layer == chosen
        self.layers.choose(chosen)
        self.all_energies.setChecked(bias_mV is None)
        if bias_mV is not None and chosen.ndim == 3:
            nearest = int(np.argmin(np.abs(bias_of(chosen) - bias_mV)))
            place = float(chosen.translate[0]) + nearest * float(chosen.scale[0])
            self._viewer.dims.set_point(0, place)
        return True

    def show_region(self, region_nm: tuple[float, float, float, float] | None) -> None:
        """Show a region (x0, y0, x1, y1) [nm] instead, drawn if need be; None: the whole map."""
        if self.regions.layer is not None:
            self.regions.layer.visible = False
        if region_nm is None:
            self.regions.setCurrentIndex(0)
            return
        for layer in self.regions.listed:
            region = region_of(layer)
            if region is not None and np.allclose(region, region_nm):
                layer.visible = True
                self.regions.choose(layer)
                return
        x0, y0, x1, y1 = region_nm
        self._add_regions([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])

    def _draw_region(self) -> None:
        self._add_regions().mode = "add_rectangle"

    def _add_regions(self, corners: list[list[float]] | None = None) -> Any:
        rectangles: Any = None if corners is None else [np.array(corners)]
        x0, _, x1, _ = extent_nm(self.layer)
        shapes = self._viewer.add_shapes(
            rectangles,
            ndim=2,
            name=f"{self.layer.name} [region]",
            units=("nm", "nm"),
            axis_labels=("y", "x"),
            edge_color="cyan",
            edge_width=EDGE_SHARE * (x1 - x0),
            face_color="transparent",
            metadata={KEY: {"kind": "region"}},
        )
        self.regions.choose(shapes)
        return shapes

    def _calibrate(self) -> None:
        try:
            data = self.calibration.copy(self.layer)
        except QpiError as error:
            report(error)
            return
        self.layers.choose(self._viewer.add_layer(Layer.create(*data)))


def _row(*widgets: QWidget) -> QWidget:
    """Return a row whose first widget takes the space that the last, at the right, leaves."""
    side_by_side = row(*widgets)
    layout = side_by_side.layout()
    layout.setStretch(0, 1)
    layout.setAlignment(widgets[-1], Qt.AlignRight)
    return side_by_side
