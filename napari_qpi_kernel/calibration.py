"""Size and bias by hand, for image layers that state none."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QPushButton, QWidget

from napari_qpi_kernel.bridge import map_to_layer
from napari_qpi_kernel.column import offer

if TYPE_CHECKING:
    from napari.layers import Image


class Calibration(QWidget):
    """Asks for the size and the bias of a layer and makes a calibrated copy of it."""

    def __init__(self) -> None:
        super().__init__()
        self.width_nm = _spin(0.0, " nm")
        self.height_nm = _spin(0.0, " nm")
        self.first_mV = _spin(-1e5, " mV")
        self.last_mV = _spin(-1e5, " mV")
        self.add = QPushButton("Add calibrated copy")
        self.width_nm.setToolTip("Width of the picture along x, all its pixels [nm]")
        self.height_nm.setToolTip("Height of the picture along y, all its pixels [nm]")
        self.first_mV.setToolTip("Sample bias, of the first slice of a stack [mV]")
        self.last_mV.setToolTip("Sample bias of the last slice; evenly spaced between [mV]")
        self.add.setToolTip("Adds a layer with this size and bias; the picture is kept")
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Width", self.width_nm)
        self._form.addRow("Height", self.height_nm)
        self._form.addRow("Bias", self.first_mV)
        self._form.addRow("Last bias", self.last_mV)
        self._form.addRow(self.add)
        for edge in (self.width_nm, self.height_nm):
            edge.valueChanged.connect(self._check)
        self._check()

    def ask_for(self, layer: "Image") -> None:
        """Show the fields that `layer` needs: a stack has a first and a last bias."""
        self._form.setRowVisible(self.last_mV, layer.ndim == 3)

    def copy(self, layer: "Image") -> tuple[Any, dict[str, Any], str]:
        """Return the data of a calibrated copy; the user's layer is never changed.

        Raises
        ------
        QpiError
            If the values do not make a map.
        """
        from qpi_kernel.maps import make_map

        rows, columns = layer.data.shape[-2:]
        slices = layer.data.shape[0] if layer.ndim == 3 else 1
        didv = make_map(
            layer.data,
            bias_mV=np.linspace(self.first_mV.value(), self.last_mV.value(), slices),
            y_nm=np.arange(rows) * self.height_nm.value() / rows,
            x_nm=np.arange(columns) * self.width_nm.value() / columns,
            name=layer.name,
            attrs={"calibration": "size and bias given by hand"},
        )
        return map_to_layer(didv, f"{layer.name} [calibrated]")

    def _check(self) -> None:
        given = self.width_nm.value() > 0 and self.height_nm.value() > 0
        offer(self.add, "" if given else "give the width and the height in nm first")


def _spin(low: float, suffix: str) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setRange(low, 1e5)
    spin.setDecimals(3)
    spin.setSuffix(suffix)
    spin.setValue(0.0)
    return spin
