"""The fourth step of the dock: how to extract, with the button that starts it."""

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
)
from superqt import QCollapsible

from napari_qpi_kernel.column import offer
from napari_qpi_kernel.form import SettingsForm
from napari_qpi_kernel.gauge import Gauge
from napari_qpi_kernel.job_bar import BUSY
from napari_qpi_kernel.preferences import preferences, preferred_model
from qpi_kernel.settings import from_dict

FIELDS = ("method", "window_nm", "refine")
MORE_FIELDS = ("position_error_nm", "background_degree", "samples")
DEVICES = ("auto", "cpu", "cuda")


class SettingsPanel(QGroupBox):
    """Settings of the extraction and the button that starts it."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("4  Extract")
        from qpi_kernel.extract.settings import ExtractSettings

        self._cls = ExtractSettings
        self.form = SettingsForm(ExtractSettings, FIELDS)
        self.more = SettingsForm(ExtractSettings, MORE_FIELDS)
        for form in (self.form, self.more):
            form.changed.connect(self.changed)
        self.gauge = Gauge()
        self.device = QComboBox()
        self.device.addItems(DEVICES)
        self.device.setToolTip("auto: the GPU if there is one")
        self.device.setCurrentText(preferences().device)
        self.machine = QLabel("looking at the machine …")
        self.machine.setWordWrap(True)
        self.machine.setToolTip(
            "What computes and which model; another one: File > Preferences > QPI Kernel"
        )
        self.extract = QPushButton("Extract")
        self.extract.setToolTip("Extract the kernel; earlier results stay")
        self.reason = QLabel()
        self.reason.setWordWrap(True)
        layout = QFormLayout(self)
        details = QCollapsible("Details")
        details.toggleButton().setToolTip("Finer settings of the extraction")
        details.addWidget(self.more)
        layout.addRow(self.form)
        layout.addRow(details)
        layout.addRow("Device", self.device)
        layout.addRow(self.machine)
        layout.addRow(self.gauge)
        layout.addRow(self.extract)
        layout.addRow(self.reason)
        self._layout = layout
        self.show_state(False, "")

    def value(self) -> Any:
        """Return the `ExtractSettings` shown."""
        shown = self.form.values() | self.more.values()
        return from_dict(self._cls, shown | {"model": preferred_model()})

    def show_state(self, busy: bool, reason: str) -> None:
        """Show whether something runs, or why nothing can be extracted."""
        offer(self.extract, BUSY if busy else reason)
        self.reason.setText(f"Not yet: {reason}." if reason and not busy else "")
        self._layout.setRowVisible(self.reason, bool(self.reason.text()))
