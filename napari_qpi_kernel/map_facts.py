"""What is known of a map, in words: channel, energies, set point, and the place under the mouse."""

from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_qpi_kernel.bridge import KEY, bias_of
from napari_qpi_kernel.layer_choice import follow

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import ViewerModel

AMBER = "#d97706"
HERE = "Move the mouse over the map."


class MapFacts(QWidget):
    """A line about the map, its banners, and what is under the mouse.

    napari's own status line knows no units.
    """

    def __init__(self, viewer: "ViewerModel") -> None:
        super().__init__()
        self._viewer = viewer
        self._layer: Any = None
        self.facts, self.here = QLabel(), QLabel(HERE)
        self.facts.setWordWrap(True)
        self.facts.setTextFormat(Qt.RichText)
        self.facts.setToolTip(
            "As the file states it: bias [mV], current [pA], scan angle [degrees]"
        )
        self.here.setToolTip("Place [nm] and value under the mouse")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.facts)
        column.addWidget(self.here)
        follow(viewer.cursor.events.position, lambda _: self._show_place(), self)
        self.show_layer(None)

    def show_layer(self, layer: Any) -> None:
        """Tell what is known of an image layer; None hides the lines."""
        self._layer = layer
        self.setVisible(layer is not None)
        self.facts.setText("" if layer is None else facts_html(layer))
        self.facts.setVisible(bool(self.facts.text()))
        self.here.setText(HERE)

    def _show_place(self) -> None:
        if self._layer is not None:
            self.here.setText(place_text(self._layer, self._viewer.cursor.position))


def facts_html(layer: "Image") -> str:
    """Return what the file says about a map; its banners stand out."""
    attrs = layer.metadata.get(KEY, {}).get("attrs", {})
    bias = bias_of(layer)
    words = [attrs["channel_reason"]] if attrs.get("channel_reason") else []
    if bias.size > 1:
        words.append(f"{bias.size} energies, {bias[0]:g} to {bias[-1]:g} mV")
    if "setpoint_bias_mV" in attrs and "setpoint_current_pA" in attrs:
        point = f"{attrs['setpoint_bias_mV']:g} mV, {attrs['setpoint_current_pA']:g} pA"
        words.append(f"set point {point}")
    if attrs.get("modulation_mV"):
        words.append(f"lock-in {attrs['modulation_mV']:g} mV")
    if attrs.get("angle_deg"):
        words.append(f"angle {attrs['angle_deg']:g}°")
    lines = [escape("; ".join(words))] if words else []
    lines += [
        f"<span style='color:{AMBER}'>{escape(note)}</span>" for note in attrs.get("notes", ())
    ]
    return "<br>".join(lines)


def place_text(layer: "Image", position: Any) -> str:
    """Return place and value of an image layer at a position of the world, with units."""
    y, x = (float(each) for each in position[-2:])
    value = layer.get_value(position, world=True)
    unit = layer.metadata.get(KEY, {}).get("attrs", {}).get("units", "a.u.")
    known = "" if value is None else f":  {float(value):.4g} {unit}"
    return f"x = {x:.2f} nm, y = {y:.2f} nm{known}"
