"""The region of a map: the rectangle around a shape, whose size can be read and typed."""

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes

LARGEST_NM = 1e5


class RegionSize(QWidget):
    """Two lengths [nm] that follow the region; typing one asks for a region of that size."""

    wanted = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self.width_nm, self.height_nm = QDoubleSpinBox(), QDoubleSpinBox()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for edge, name in ((self.width_nm, "Width"), (self.height_nm, "Height")):
            edge.setRange(0.0, LARGEST_NM)
            edge.setDecimals(2)
            edge.setSuffix(" nm")
            edge.setToolTip(f"{name} of the region [nm]; type one to change it about its centre")
            # Half a typed number is no size yet.
            edge.setKeyboardTracking(False)
            edge.valueChanged.connect(lambda _: self._want())
        row.addWidget(self.width_nm, 1)
        row.addWidget(QLabel("×"))
        row.addWidget(self.height_nm, 1)

    def show_size(self, width_nm: float, height_nm: float) -> None:
        """Show the size of the region without asking for it."""
        for edge, value in ((self.width_nm, width_nm), (self.height_nm, height_nm)):
            edge.blockSignals(True)
            edge.setValue(value)
            edge.blockSignals(False)

    def _want(self) -> None:
        size = self.width_nm.value(), self.height_nm.value()
        if min(size) > 0:
            self.wanted.emit(*size)


def extent_nm(layer: "Layer") -> tuple[float, float, float, float]:
    """Return the extent (x0, y0, x1, y1) of an image layer, between its outer pixel centres."""
    low, high = np.sort(
        [
            layer.data_to_world((0,) * layer.ndim),
            layer.data_to_world(np.array(layer.data.shape) - 1),
        ],
        axis=0,
    )
    return float(low[-1]), float(low[-2]), float(high[-1]), float(high[-2])


def region_of(layer: "Shapes") -> tuple[float, float, float, float] | None:
    """Return the region (x0, y0, x1, y1) [nm] around the selected shape, or else the last one.

    A shape drawn on a stack has a bias coordinate too, which does not matter here.
    """
    if not len(layer.data):
        return None
    corners = np.array([layer.data_to_world(point)[-2:] for point in layer.data[_counting(layer)]])
    (y0, x0), (y1, x1) = corners.min(axis=0), corners.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def resize_region(layer: "Shapes", width_nm: float, height_nm: float) -> None:
    """Make the shape that is the region a rectangle of this size [nm] about the same centre."""
    region = region_of(layer)
    if region is None:
        return
    x, y = 0.5 * (region[0] + region[2]), 0.5 * (region[1] + region[3])
    place = _counting(layer)
    bias = layer.data_to_world(layer.data[place][0])[:-2]
    signs = ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))
    corners = [(*bias, y + i * height_nm, x + j * width_nm) for i, j in signs]
    shapes, kinds = list(layer.data), list(layer.shape_type)
    shapes[place], kinds[place] = np.array([layer.world_to_data(c) for c in corners]), "rectangle"
    layer.data = list(zip(shapes, kinds, strict=True))


def _counting(layer: "Shapes") -> int:
    """Return the place of the shape that is the region: the selected one, or else the last."""
    return int(max(layer.selected_data, default=len(layer.data) - 1))
