"""The second step of the dock: what is done to the map before anything is looked for in it."""

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QPushButton, QVBoxLayout
from superqt import QCollapsible

from napari_qpi_kernel.column import offer
from napari_qpi_kernel.form import SettingsForm

# Without those that need other channels of the scan: a layer has one.
FIELDS = (
    "level_degree",
    "level_rows",
    "mask_cores",
    "despike",
    "remove_streaks",
    "hum_px",
    "clusters_nm",
    "pixel_nm",
    "distortion",
)


class PreparePanel(QGroupBox):
    """Steps of the preparation, and a button that shows what they make of the map."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("2  Prepare")
        from qpi_kernel.preprocess import PrepareSettings

        self.form = SettingsForm(PrepareSettings, FIELDS)
        self.form.changed.connect(self.changed)
        self.show_prepared = QPushButton("Show prepared map")
        self.show_prepared.setToolTip(
            "Adds the map as Find and Extract see it, all energies; the map itself is kept"
        )
        steps = QCollapsible("Steps")
        steps.toggleButton().setToolTip("What is done to the map, in the library's order")
        steps.addWidget(self.form)
        rows = QVBoxLayout(self)
        rows.addWidget(self.show_prepared)
        rows.addWidget(steps)

    def value(self) -> Any:
        """Return the `PrepareSettings` shown."""
        return self.form.value()

    def show_state(self, reason: str) -> None:
        """Show why nothing can be prepared now, "" if it can."""
        offer(self.show_prepared, reason)
