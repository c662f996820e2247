"""The dock "Batch": kernels of many files, on all cores or many machines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from napari_qpi_kernel.batch_jobs import (
    BatchRequest,
    iter_batch_request,
    iter_stored,
    iter_summary,
)
from napari_qpi_kernel.batch_panels import FilesPanel, RunPanel, SourcePanel
from napari_qpi_kernel.bridge import show_y_up
from napari_qpi_kernel.column import lay_out, offer
from napari_qpi_kernel.extract_widget import ExtractWidget
from napari_qpi_kernel.extraction import Outcome
from napari_qpi_kernel.job import Job, Turns
from napari_qpi_kernel.job_bar import BUSY, JobBar
from napari_qpi_kernel.preferences import preferences, preferred_model
from napari_qpi_kernel.result_view import show_result
from napari_qpi_kernel.trust import summary
from qpi_kernel.progress import Progress
from qpi_kernel.settings import from_dict

if TYPE_CHECKING:
    from napari.viewer import Viewer


class BatchWidget(QWidget):
    """Extracts the kernels of many files with the settings of the dock "Extract kernel" or a file.

    The results go into a folder; what is there already is taken over, so that an interrupted batch
    goes on where it was.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._told: Any = None
        self.files = FilesPanel()
        self.source = SourcePanel()
        self.running = RunPanel()
        self.job = JobBar()
        panels = (self.files, self.source, self.running)
        lay_out(self, panels, self.job, {"Ctrl+Shift+B": self.running.start})

        self.files.changed.connect(self._refresh)
        self.files.refused.connect(self.job.tell)
        self.files.table.wanted.connect(self._open)
        self.source.source.currentIndexChanged.connect(self._refresh)
        self.source.path.textChanged.connect(self._refresh)
        self.running.out.textChanged.connect(self._refresh)
        self.running.out_chosen.connect(self._look_into)
        self.running.start.clicked.connect(self._start)
        self.running.summary.clicked.connect(self._open_summary)
        self.job.changed.connect(self._refresh)
        self._refresh()

    def problem(self) -> str:
        """Return why the batch cannot start now, "" if it can."""
        if not self.files.files:
            return "measurements, added or dropped on the table"
        if self.source.from_file and not self.source.path.text():
            return "the file of settings, or those of the dock Extract kernel"
        if not self.running.out.text():
            return "a folder for the results"
        return ""

    def _refresh(self, event: object = None) -> None:
        self.running.show_state(self.job.busy, self.problem())
        for button in (self.files.add_button, self.files.remove):
            offer(button, BUSY if self.job.busy else "")
        self.files.table.setAcceptDrops(not self.job.busy)
        self._show_settings()

    def enterEvent(self, event: Any) -> None:
        """Follow the dock "Extract kernel", which may have changed since."""
        self._show_settings()
        super().enterEvent(event)

    def _show_settings(self) -> None:
        dock = self._extract_dock()
        if dock is None:
            text = "The dock is not open: the defaults, with device and model of the Preferences."
        else:
            settings = dock.settings.value()
            window = f"{settings.window_nm:g} nm" if settings.window_nm else "automatic"
            device = dock.settings.device.currentText()
            text = f"Method {settings.method}, window {window}, device {device}."
        self.source.summary.setText(text)

    def _extract_dock(self) -> ExtractWidget | None:
        docks = self._viewer.window.dock_widgets.values()
        return next((dock for dock in docks if isinstance(dock, ExtractWidget)), None)

    def _request(self) -> BatchRequest:
        dock = self._extract_dock()
        own: dict[str, Any] = {}
        if self.source.from_file:
            own["settings_file"] = self.source.path.text()
        elif dock is not None:
            own |= {
                "extract": dock.settings.value(),
                "prepare": dock.prepare.value(),
                "device": dock.settings.device.currentText(),
            }
        else:
            from qpi_kernel.extract.settings import ExtractSettings

            preferred = from_dict(ExtractSettings, {"model": preferred_model()})
            own |= {"extract": preferred, "device": preferences().device}
        return BatchRequest(
            files=tuple(self.files.files),
            out=self.running.out.text(),
            energies=self.source.energies.currentData(),
            bias_mV=self.source.bias_mV.value(),
            find_in=self.source.find_in.currentText(),
            workers=self.running.workers.value() or None
            if self.running.workers.isEnabled()
            else None,
            scheduler=self.running.scheduler.text(),
            **own,
        )

    def _start(self) -> None:
        self.job.run(
            lambda: iter_batch_request(self._request()),
            self._on_done,
            "Starting the workers …",
            self._on_step,
        )

    def _on_step(self, step: Progress) -> None:
        items = getattr(step, "items", None)
        # The same tuple until something has changed.
        if items and items is not self._told:
            self._told = items
            self.files.show_items(items)

    def _on_done(self, items: Any) -> None:
        self.files.show_items(items)
        made = sum(not item.error for item in items)
        self.job.tell(
            f"{made} of {len(items)} results, listed in summary.csv; double click one to open it."
        )

    def _look_into(self, out: str) -> None:
        """Show the batch that a folder holds, unless other files are to be made into it."""
        if self.running.summary_path is not None and not self.files.files:
            self.job.run(lambda: iter_summary(out), self._on_found, "Looking into the folder …")

    def _on_found(self, items: Any) -> None:
        self.files.files = list(dict.fromkeys(item.file for item in items))
        self._on_done(items)

    def _open(self, item: Any) -> None:
        """Show a result as layers, beside what runs."""
        name = Path(item.file).stem + (f" {item.bias_mV} mV" if item.bias_mV else "")
        folder = Path(self.running.out.text()) / item.folder
        job = Job(iter_stored(folder, name), self._on_opened, self)
        job.failed.connect(self.job.tell)
        job.start()

    def _on_opened(self, outcome: Outcome) -> Turns[None]:
        shown = yield from show_result(self._viewer, self, outcome)
        show_y_up(self._viewer)
        dock = self._extract_dock()
        if dock is not None:
            dock.results.add(outcome, shown)
        self.job.tell(f"{shown.kernel.name} is open: {summary(outcome.assessment)}.")

    def _open_summary(self) -> None:
        path = self.running.summary_path
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
