"""The methods side by side: kernels and transforms in a row, one table of the same numbers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHeaderView,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_qpi_kernel.extraction import Request
from napari_qpi_kernel.plot_canvas import PlotCanvas
from qpi_kernel.progress import Progress, Steps, scaled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADINGS = {
    "method": ("Method", "How the kernel was extracted"),
    "verdict": ("Verdict", "How far to trust it"),
    "half_agreement": ("Agreement", "Similarity of the kernels of two halves of the map, 0 to 1"),
    "explained_structure": ("Explained", "Share of the structure in the map, 0 to 1"),
    "spread_over_kernel": ("Spread", "Error bars over the kernel outside the core"),
    "residual_over_noise": ("Residual", "Over white noise"),
    "seconds": ("Seconds", "On the clock [s]"),
}
SMALLEST_PX = (640, 300)


@dataclass(frozen=True)
class Comparison:
    """What every method made of a map, drawn at one energy [mV], the first by default."""

    trials: Any
    bias_mV: float | None
    figure: "Figure"


class ComparisonView(QWidget):
    """What `iter_compare_request` returned, with a button that saves it."""

    folder_wanted = Signal(object, str)

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        from qpi_kernel.comparison import comparison_table

        self._comparison, trials = comparison, comparison.trials
        canvas = PlotCanvas(comparison.figure)
        canvas.setMinimumSize(*SMALLEST_PX)
        canvas.setToolTip("Map and kernels [nm]; below, their transforms, log10 |F| [1/nm]")
        rows = comparison_table(trials)
        self.table = QTableWidget(len(rows), len(HEADINGS))
        for column, (name, (heading, note)) in enumerate(HEADINGS.items()):
            item = QTableWidgetItem(heading)
            item.setToolTip(note)
            self.table.setHorizontalHeaderItem(column, item)
            for row, values in enumerate(rows):
                value = values[name]
                text = value if isinstance(value, str) else f"{value:.2f}"
                cell = QTableWidgetItem("–" if text == "nan" else text)
                cell.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable)
                cell.setToolTip(text if name == "verdict" else note)
                self.table.setItem(row, column, cell)
        self.table.verticalHeader().hide()
        self.save = QPushButton("Save figure and table…")
        self.save.setToolTip("comparison.png and comparison.csv in a folder of your choice")
        self.save.clicked.connect(self._choose_folder)
        # All its lines are in view, and the pictures take what is left.
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.Stretch)
        self.table.setSizeAdjustPolicy(QTableWidget.AdjustToContents)
        self.table.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        column = QVBoxLayout(self)
        column.addWidget(canvas, 1)
        column.addWidget(self.table)
        column.addWidget(self.save)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Save the comparison into a folder")
        if folder:
            self.folder_wanted.emit(self._comparison, folder)


def iter_compare_request(request: Request, bias_mV: float | None) -> Steps[Comparison]:
    """Extract with every method what was asked for, from the same scatterers; draw one energy."""
    yield Progress(0.0, "preparing the map")
    from qpi_kernel.comparison import comparison_figure, iter_compare

    didv = request.region(request.prepared())
    steps = iter_compare(didv, request.scatterers, request.settings, request.device)
    trials = yield from scaled(steps, 0.0, 0.98)
    yield Progress(0.98, "drawing the comparison")
    figure = comparison_figure(trials, bias_mV)
    # Fonts are read and places found here, not in the main thread.
    figure.draw_without_rendering()
    return Comparison(trials, bias_mV, figure)


def iter_save_comparison(comparison: Comparison, folder: str) -> Steps[str]:
    """Write figure and table of a comparison and say so."""
    yield Progress(0.1, "writing the comparison")
    from qpi_kernel.comparison import save_comparison

    written = save_comparison(comparison.trials, folder, comparison.bias_mV)
    return f"comparison.png and comparison.csv written to {written}"
