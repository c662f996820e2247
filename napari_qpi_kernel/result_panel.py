"""The last steps of the dock: how far to trust a result, and where to save it."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLabel,
    QPushButton,
)
from superqt import QCollapsible

from napari_qpi_kernel.column import offer, row
from napari_qpi_kernel.extraction import Outcome
from napari_qpi_kernel.figure import ask_figure
from napari_qpi_kernel.layer_choice import ElidedCombo
from napari_qpi_kernel.trust import linked_points, numbers_html, verdict_html

POINTS_ROLE = Qt.UserRole + 1


class ResultPanel(QGroupBox):
    """Verdict, reasons and numbers of the results, and their export."""

    folder_wanted = Signal(object, str)
    tiff_wanted = Signal(object, str)
    figure_wanted = Signal(object, str)
    points_wanted = Signal(object, list)

    def __init__(self) -> None:
        super().__init__("5  Trust and export")
        self.results = ElidedCombo("Results of this dock, the newest last")
        self.results.currentIndexChanged.connect(self.refresh)
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setTextFormat(Qt.RichText)
        self.verdict.setTextInteractionFlags(Qt.TextBrowserInteraction)
        self.verdict.setOpenExternalLinks(False)
        self.verdict.linkActivated.connect(self._want_points)
        self.numbers = QLabel()
        self.numbers.setTextFormat(Qt.RichText)
        self.numbers.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.all_numbers = QCollapsible("All numbers")
        self.all_numbers.toggleButton().setToolTip("Every measure, one value per energy")
        self.all_numbers.addWidget(self.numbers)
        self.folder = QPushButton("Export folder…")
        self.folder.setToolTip("TIFF, .gsf, netCDF, CSV, figure, recipe and methods text")
        self.tiff = QPushButton("Export kernel TIFF…")
        self.tiff.setToolTip("float32, with pixel size and unit")
        self.figure = QPushButton("Save figure…")
        self.figure.setToolTip(
            "Map, kernel, |F|, reconstruction and residual [nm, 1/nm] as SVG, PDF or PNG"
        )
        self.compare = QPushButton("Compare methods")
        self.compare.setToolTip(
            "Every method on this map, region and points; sbd finds its own points"
        )
        self.folder.clicked.connect(self._choose_folder)
        self.tiff.clicked.connect(self._choose_tiff)
        self.figure.clicked.connect(self._choose_figure)
        form = QFormLayout(self)
        form.addRow("Result", self.results)
        form.addRow(self.verdict)
        form.addRow(self.all_numbers)
        form.addRow(row(self.folder, self.tiff))
        form.addRow(row(self.figure, self.compare))
        self.refresh()

    @property
    def outcome(self) -> Outcome | None:
        """The result chosen."""
        outcome: Outcome | None = self.results.currentData()
        return outcome

    def add(self, name: str, outcome: Outcome, points: Any) -> None:
        """List a new result with the layer of the scatterers it used, and choose it."""
        self.results.addItem(name, outcome)
        self.results.setItemData(self.results.count() - 1, points, POINTS_ROLE)
        self.results.setCurrentIndex(self.results.count() - 1)

    def refresh(self, event: object = None) -> None:
        """Show the result chosen."""
        outcome = self.outcome
        self.results.setEnabled(outcome is not None)
        for button in (self.folder, self.tiff, self.figure):
            offer(button, "nothing is extracted yet" if outcome is None else "")
        self.verdict.setText(
            "<i>Nothing extracted yet.</i>" if outcome is None else verdict_html(outcome.assessment)
        )
        self.all_numbers.setVisible(outcome is not None)
        self.numbers.setText("" if outcome is None else numbers_html(outcome.assessment.numbers))

    def _want_points(self, link: str) -> None:
        self.points_wanted.emit(self.results.currentData(POINTS_ROLE), linked_points(link))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export the result into a folder")
        if folder:
            self.folder_wanted.emit(self.outcome, folder)

    def _choose_figure(self) -> None:
        path = ask_figure(self)
        if path:
            self.figure_wanted.emit(self.outcome, path)

    def _choose_tiff(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export the kernel", "kernel.tif", "Calibrated TIFF (*.tif *.tiff)"
        )
        if path:
            if Path(path).suffix.lower() not in (".tif", ".tiff"):
                path += ".tif"
            self.tiff_wanted.emit(self.outcome, path)
