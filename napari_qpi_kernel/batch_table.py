"""The table of the dock "Batch": files to be made, and what became of each item."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_qpi_kernel.trust import COLOURS
from qpi_kernel.batch_summary import WAITING, BatchItem

COLUMNS = {
    "File": "The measurement",
    "E (mV)": "Bias, or lowest and highest bias [mV]",
    "Result": "The verdict, or why there is none",
    "Agree": "Similarity of the kernels of two halves of the map, median over the energies, 0 to 1",
    "t (s)": "Time it took on its worker [s]",
}


class BatchTable(QTableWidget):
    """One line per item; files are dropped on it, and a double click opens a result."""

    dropped = Signal(list)
    wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self._items: list[BatchItem | str] = []
        for column, (heading, note) in enumerate(COLUMNS.items()):
            item = QTableWidgetItem(heading)
            item.setToolTip(note)
            self.setHorizontalHeaderItem(column, item)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.Stretch)
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectRows)
        self.setTextElideMode(Qt.ElideMiddle)
        self.setWordWrap(False)
        self.setAcceptDrops(True)
        self.viewport().setAcceptDrops(True)
        self.setDragDropMode(QAbstractItemView.DropOnly)
        self.setToolTip("Drop measurements here; double click a result to open it as layers")
        self.itemDoubleClicked.connect(lambda cell: self._want(cell.row()))

    @property
    def selected(self) -> list[Any]:
        """The items of the lines selected, or the files where none ran yet."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return [self._items[row] for row in rows]

    def show_files(self, files: Sequence[str]) -> None:
        """List files of which nothing is known yet."""
        self._show(list(files))

    def show_items(self, items: Sequence[BatchItem]) -> None:
        """List what became of the items; lines that have not changed are left alone."""
        self._show(list(items))

    def _show(self, items: list[BatchItem | str]) -> None:
        self.setRowCount(len(items))
        for row, item in enumerate(items):
            if row >= len(self._items) or str(self._items[row]) != str(item):
                self._write(row, item)
        self._items = items

    def _write(self, row: int, item: BatchItem | str) -> None:
        file = item if isinstance(item, str) else item.file
        texts = ["", "not started", "", ""]
        result, note, colour = "", "", None
        if not isinstance(item, str):
            result, note, colour = _result(item)
            numbers = (f"{item.agreement:.2f}", f"{item.seconds:.1f}")
            texts = [item.bias_mV, result, *("" if text == "nan" else text for text in numbers)]
        for column, text in enumerate([Path(file).name, *texts]):
            cell = QTableWidgetItem(text)
            cell.setToolTip(file if column == 0 else note)
            if column > 2:
                cell.setTextAlignment(Qt.AlignRight | Qt.AlignVCenter)
            if column == 2 and colour is not None:
                cell.setForeground(QColor(colour))
            self.setItem(row, column, cell)

    def _want(self, row: int) -> None:
        item = self._items[row]
        if not isinstance(item, str) and item.folder and not item.error:
            self.wanted.emit(item)

    def dragEnterEvent(self, event: Any) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    dragMoveEvent = dragEnterEvent

    def dropEvent(self, event: Any) -> None:
        """Hand on the files that were dropped."""
        self.dropped.emit([url.toLocalFile() for url in event.mimeData().urls()])
        event.acceptProposedAction()


def details(item: BatchItem | str) -> str:
    """Return what is known of an item, in words."""
    if isinstance(item, str):
        return item
    if item.error:
        name = Path(item.file).name
        return item.error if name in item.error else f"{name}: {item.error}"
    return (
        f"{Path(item.file).name}: {item.verdict}, {item.scatterers} scatterers,"
        f" {100 * item.explained:.0f} % of the structure explained"
    )


def _result(item: BatchItem) -> tuple[str, str, str | None]:
    """Return the result in a word, in full, and its colour."""
    if item.error == WAITING:
        return "in the queue", "Its turn has not come, or it is being made", None
    if item.error:
        return "error", item.error, COLOURS["untrusted"]
    return item.verdict, details(item), COLOURS.get(item.verdict)
