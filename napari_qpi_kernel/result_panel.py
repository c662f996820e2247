"""The last steps of the dock: how far to trust a result, and where to save it."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_qpi_kernel.extraction import Outcome

if TYPE_CHECKING:
    from qpi_kernel.assessment import Assessment

MANY = 3  # biases whose numbers are written out; of more, the median and the range
COLOURS = {"good": "#2ea043", "doubtful": "#d97706", "untrusted": "#dc2626"}


class ResultPanel(QGroupBox):
    """Verdict, reasons and numbers of the results, and their export."""

    folder_wanted = Signal(object, str)
    tiff_wanted = Signal(object, str)

    def __init__(self) -> None:
        super().__init__("4  Trust and export")
        self.results = QComboBox()
        self.results.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.results.setMinimumContentsLength(12)
        self.results.currentIndexChanged.connect(self.refresh)
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setTextFormat(Qt.RichText)
        self.verdict.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.folder = QPushButton("Export folder…")
        self.folder.setToolTip("TIFF, .gsf, netCDF, CSV, figure, recipe and methods text")
        self.tiff = QPushButton("Export kernel TIFF…")
        self.tiff.setToolTip("float32, with pixel size and unit")
        self.folder.clicked.connect(self._choose_folder)
        self.tiff.clicked.connect(self._choose_tiff)
        buttons = QWidget()
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.folder)
        row.addWidget(self.tiff)
        form = QFormLayout(self)
        form.addRow("Result", self.results)
        form.addRow(self.verdict)
        form.addRow(buttons)
        self.refresh()

    @property
    def outcome(self) -> Outcome | None:
        """The result chosen."""
        outcome: Outcome | None = self.results.currentData()
        return outcome

    def add(self, name: str, outcome: Outcome) -> None:
        """List a new result and choose it."""
        self.results.addItem(name, outcome)
        self.results.setCurrentIndex(self.results.count() - 1)

    def refresh(self, event: object = None) -> None:
        """Show the result chosen."""
        outcome = self.outcome
        for widget in (self.results, self.folder, self.tiff):
            widget.setEnabled(outcome is not None)
        self.verdict.setText(
            "<i>Nothing extracted yet.</i>" if outcome is None else verdict_html(outcome.assessment)
        )

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export the result into a folder")
        if folder:
            self.folder_wanted.emit(self.outcome, folder)

    def _choose_tiff(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export the kernel", "kernel.tif", "Calibrated TIFF (*.tif *.tiff)"
        )
        if path:
            if Path(path).suffix.lower() not in (".tif", ".tiff"):
                path += ".tif"
            self.tiff_wanted.emit(self.outcome, path)


def verdict_html(assessment: "Assessment") -> str:
    """Return the verdict in its colour, the reasons as a list and the numbers as a table."""
    colour = COLOURS.get(assessment.verdict, "gray")
    reasons = "".join(f"<li>{escape(str(reason))}</li>" for reason in assessment.reasons)
    rows = "".join(
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td align='right'>&nbsp;&nbsp;"
        f"{escape(_number(value))}</td></tr>"
        for name, value in assessment.numbers.items()
    )
    return (
        f"<p style='color:{colour}; font-size:15pt; font-weight:bold; margin:0'>"
        f"{escape(assessment.verdict)}</p>"
        f"<ul style='margin-left:-20px'>{reasons}</ul><table>{rows}</table>"
    )


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple) and len(value) > MANY:
        ordered = sorted(value)
        middle, low, high = ordered[len(value) // 2], ordered[0], ordered[-1]
        return f"{_number(middle)} ({_number(low)} to {_number(high)})"
    if isinstance(value, list | tuple):
        return ", ".join(_number(item) for item in value)
    return str(value)
