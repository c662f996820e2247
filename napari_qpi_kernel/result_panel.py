"""The last steps of the dock: how far to trust a result, and where to save it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
)
from superqt import QCollapsible

from napari_qpi_kernel.column import offer, row
from napari_qpi_kernel.extraction import Outcome, iter_export_folder, iter_export_kernel
from napari_qpi_kernel.figure import ask_figure
from napari_qpi_kernel.result_view import Shown
from napari_qpi_kernel.trust import linked_points, numbers_html, verdict_html
from qpi_kernel.progress import Steps

MOST_LINES = 4  # of the list in view; more scroll
BACK = "Double click a result to bring back its layers, region, points and settings."


class ResultPanel(QGroupBox):
    """History of the results; verdict, reasons and numbers of the chosen one, and its export."""

    back_wanted = Signal(object, object)
    export_wanted = Signal(object)
    figure_wanted = Signal(object, str)
    points_wanted = Signal(object, list)

    def __init__(self) -> None:
        super().__init__("5  Trust and export")
        self._history: list[tuple[Outcome, Shown]] = []
        self.results = QListWidget()
        self.results.setTextElideMode(Qt.ElideMiddle)
        self.results.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.results.setToolTip(f"Results of this dock, the newest last. {BACK}")
        self.results.currentRowChanged.connect(self.refresh)
        self.results.itemDoubleClicked.connect(self._want_back)
        self.hint = QLabel(BACK)
        self.hint.setWordWrap(True)
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
        self._form = form = QFormLayout(self)
        form.addRow(self.results)
        form.addRow(self.hint)
        form.addRow(self.verdict)
        form.addRow(self.all_numbers)
        form.addRow(row(self.folder, self.tiff))
        form.addRow(row(self.figure, self.compare))
        self.refresh()

    @property
    def outcome(self) -> Outcome | None:
        """The result chosen."""
        return self._history[self.results.currentRow()][0] if self._history else None

    @property
    def shown(self) -> list[Shown]:
        """The layers of all results."""
        return [shown for _, shown in self._history]

    def add(self, outcome: Outcome, shown: Shown) -> None:
        """List a new result with its layers, and choose it."""
        self._history.append((outcome, shown))
        item = QListWidgetItem(f"{shown.kernel.name}: {outcome.assessment.verdict}")
        item.setToolTip(f"{item.text()}\n{BACK}")
        self.results.addItem(item)
        lines = min(self.results.count(), MOST_LINES)
        self.results.setFixedHeight(
            lines * self.results.sizeHintForRow(0) + 2 * self.results.frameWidth()
        )
        self.results.setCurrentItem(item)

    def refresh(self, event: object = None) -> None:
        """Show the result chosen."""
        outcome = self.outcome
        for widget in (self.results, self.hint):
            self._form.setRowVisible(widget, outcome is not None)
        for button in (self.folder, self.tiff, self.figure):
            offer(button, "nothing is extracted yet" if outcome is None else "")
        self.verdict.setText(
            "<i>Nothing extracted yet.</i>" if outcome is None else verdict_html(outcome.assessment)
        )
        self.all_numbers.setVisible(outcome is not None)
        self.numbers.setText("" if outcome is None else numbers_html(outcome.assessment.numbers))

    def _want_points(self, link: str) -> None:
        _, shown = self._history[self.results.currentRow()]
        self.points_wanted.emit(shown.scatterers, linked_points(link))

    def _want_back(self, item: Any) -> None:
        self.back_wanted.emit(*self._history[self.results.row(item)])

    def _export(self, work: Callable[[Outcome, str], Steps[str]], path: str) -> None:
        outcome = self.outcome
        if outcome is not None:
            self.export_wanted.emit(lambda: work(outcome, path))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export the result into a folder")
        if folder:
            self._export(iter_export_folder, folder)

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
            self._export(iter_export_kernel, path)
