"""The parts of the dock "Batch": files, settings, where and what runs."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
)

from napari_qpi_kernel.batch_table import BatchTable, details
from napari_qpi_kernel.column import offer, row
from napari_qpi_kernel.job_bar import BUSY
from napari_qpi_kernel.reader import SUFFIXES

DOCK, FILE = "the dock Extract kernel", "a recipe or settings file"
SETTINGS = "Recipe or settings (*.json *.toml)"
ENERGIES = {
    "all": "all, shared positions",
    "each": "each on its own",
    "nearest": "nearest to",
    "stated": "as in the settings file",
}
# Names are legible beside the numbers, and Start is in view on a screen 720 pixels high.
TABLE_PX = (345, 150)


class FilesPanel(QGroupBox):
    """Files in a table that becomes the table of their results."""

    changed = Signal()
    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__("1  Files and results")
        self.files: list[str] = []
        self.table = BatchTable()
        self.table.setMinimumSize(*TABLE_PX)
        self.add_button = QPushButton("Add files…")
        self.add_button.setToolTip("Measurements, each of which gives a folder of results")
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Take the files of the selected lines off the list; results stay")
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.add_button.clicked.connect(self._choose)
        self.remove.clicked.connect(self._remove)
        self.table.dropped.connect(self.add)
        self.table.itemSelectionChanged.connect(self._show_details)
        rows = QVBoxLayout(self)
        rows.addWidget(self.table)
        rows.addWidget(row(self.add_button, self.remove))
        rows.addWidget(self.about)
        self._show_details()

    def add(self, paths: list[str]) -> None:
        """Add files that can be measurements, and say which cannot."""
        good = [path for path in paths if path.lower().endswith((*SUFFIXES, ".csv"))]
        self.files += [path for path in dict.fromkeys(good) if path not in self.files]
        self.table.show_files(self.files)
        self.changed.emit()
        bad = [Path(path).name for path in paths if path not in good]
        if bad:
            self.refused.emit(f"not a measurement by its name, left out: {', '.join(bad)}")

    def show_items(self, items: Any) -> None:
        """Show what became of the files, and keep the selected line explained."""
        self.table.show_items(items)
        self._show_details()

    def _choose(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        paths, _ = QFileDialog.getOpenFileNames(
            self, "Add measurements", "", f"Measurements ({patterns});;All files (*)"
        )
        if paths:
            self.add(paths)

    def _remove(self) -> None:
        gone = {item if isinstance(item, str) else item.file for item in self.table.selected}
        self.files = [file for file in self.files if file not in gone]
        self.table.show_files(self.files)
        self.changed.emit()

    def _show_details(self) -> None:
        selected = self.table.selected
        self.about.setText(
            details(selected[0])
            if len(selected) == 1
            else "Select a line to read about it; double click a result to open it."
        )


class SourcePanel(QGroupBox):
    """Where the settings come from, and which energies are taken."""

    def __init__(self) -> None:
        super().__init__("2  Settings")
        self.source = QComboBox()
        self.source.addItems([DOCK, FILE])
        self.source.setToolTip(
            "Method, window, preparation and device of that dock, or all that a file states;"
            " positions and the drawn region belong to one map and are not taken over"
        )
        self.path = QLineEdit()
        self.path.setPlaceholderText("recipe.json or settings.toml")
        self.path.setToolTip("recipe.json of a result, or settings as .toml or .json")
        self.browse = QPushButton("Choose…")
        self.browse.setToolTip("Choose a recipe.json of a result, or a file of settings")
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.energies = QComboBox()
        for key, text in ENERGIES.items():
            self.energies.addItem(text, key)
        self.energies.setToolTip("Which biases of each file give a kernel")
        self.bias_mV = QDoubleSpinBox()
        self.bias_mV.setRange(-1e5, 1e5)
        self.bias_mV.setSuffix(" mV")
        self.bias_mV.setToolTip("Of each file the nearest bias is taken [mV]")
        self.find_in = QComboBox()
        self.find_in.addItems(["map", "topography"])
        self.find_in.setToolTip("Where the scatterers are found, anew in each file")
        self._rows = QFormLayout(self)
        self._rows.addRow("Like", self.source)
        self._file_row = row(self.path, self.browse)
        self._rows.addRow(self._file_row)
        self._rows.addRow(self.summary)
        self._rows.addRow("Energies", self.energies)
        self._rows.addRow("Bias", self.bias_mV)
        self._rows.addRow("Find in", self.find_in)
        self.source.currentIndexChanged.connect(self._refresh)
        self.energies.currentIndexChanged.connect(self._refresh)
        self.browse.clicked.connect(self._choose)
        self._refresh()

    @property
    def from_file(self) -> bool:
        """Whether the settings come from a file."""
        return bool(self.source.currentText() == FILE)

    def _refresh(self, event: object = None) -> None:
        for widget in (self._file_row, self.find_in):
            self._rows.setRowVisible(widget, self.from_file == (widget is self._file_row))
        self._rows.setRowVisible(self.summary, not self.from_file)
        stated = self.energies.findData("stated")
        self.energies.model().item(stated).setEnabled(self.from_file)
        if not self.from_file and self.energies.currentIndex() == stated:
            self.energies.setCurrentIndex(0)
        self._rows.setRowVisible(self.bias_mV, self.energies.currentData() == "nearest")

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Settings of the batch", "", SETTINGS)
        if path:
            self.path.setText(path)
            self.energies.setCurrentIndex(self.energies.findData("stated"))


class RunPanel(QGroupBox):
    """Where the results go, who computes, and Start."""

    out_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__("3  Run")
        self.out = QLineEdit()
        self.out.setPlaceholderText("folder for the results")
        self.out.setToolTip("One folder per item and summary.csv; what is there is not made again")
        self.browse = QPushButton("Choose…")
        self.browse.setToolTip("Choose a new folder, or that of a batch to go on with")
        self.workers = QSpinBox()
        self.workers.setRange(0, 512)
        self.workers.setSpecialValueText("automatic")
        self.workers.setToolTip(
            "Processes on this machine [number]; automatic: one per core, or per GPU if there are"
        )
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("this machine")
        self.scheduler.setToolTip(
            "Address of a dask scheduler (tcp://host:8786) whose workers see the same folders"
        )
        self.start = QPushButton("Start")
        self.start.setToolTip("Extract from every file; results that are there stay")
        self.reason = QLabel()
        self.reason.setWordWrap(True)
        self.summary = QPushButton("Open summary.csv")
        self.summary.setToolTip("The table with all numbers, in the program for .csv files")
        self._rows = QFormLayout(self)
        self._rows.addRow("Output", row(self.out, self.browse))
        self._rows.addRow("Workers", self.workers)
        self._rows.addRow("Scheduler", self.scheduler)
        self._rows.addRow(row(self.start, self.summary))
        self._rows.addRow(self.reason)
        self.browse.clicked.connect(self._choose)
        self.out.editingFinished.connect(lambda: self.out_chosen.emit(self.out.text()))
        self.scheduler.textChanged.connect(lambda text: self.workers.setEnabled(not text))

    @property
    def summary_path(self) -> Path | None:
        """The summary in the folder of the results, if there is one."""
        path = Path(self.out.text()) / "summary.csv"
        return path if self.out.text() and path.is_file() else None

    def show_state(self, busy: bool, reason: str) -> None:
        """Show whether the batch runs, or why it cannot start."""
        known = self.summary_path is not None
        self.start.setText("Start, or go on" if known else "Start")
        offer(self.start, BUSY if busy else reason and f"Start needs {reason}")
        self.reason.setText(f"Start needs {reason}." if reason and not busy else "")
        self._rows.setRowVisible(self.reason, bool(self.reason.text()))
        offer(self.summary, "" if known else "the folder holds no batch yet")
        self.workers.setEnabled(not busy and not self.scheduler.text())

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the results of the batch")
        if folder:
            self.out.setText(folder)
            self.out_chosen.emit(folder)
