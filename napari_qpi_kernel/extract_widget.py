"""The dock "Extract kernel", in the order of work: map, prepare, scatterers, extract, trust."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_qpi_kernel.bridge import LayerData, Map, layer_map, show_y_up
from napari_qpi_kernel.column import lay_out, offer
from napari_qpi_kernel.comparison_view import (
    Comparison,
    ComparisonView,
    iter_compare_request,
    iter_save_comparison,
)
from napari_qpi_kernel.contrast import Limits
from napari_qpi_kernel.extraction import (
    Outcome,
    Request,
    iter_extract_request,
    iter_locate_request,
    iter_machine,
    iter_prepare_request,
    iter_read_channel,
)
from napari_qpi_kernel.figure import iter_result_figure
from napari_qpi_kernel.job import Job, Show, Turns
from napari_qpi_kernel.job_bar import BUSY, JobBar
from napari_qpi_kernel.layer_choice import follow
from napari_qpi_kernel.map_panel import MapPanel
from napari_qpi_kernel.preferences import preferences, preferred_model
from napari_qpi_kernel.prepare_panel import PreparePanel
from napari_qpi_kernel.qspace_viewer import q_viewer_for
from napari_qpi_kernel.region import extent_nm
from napari_qpi_kernel.result_panel import ResultPanel
from napari_qpi_kernel.result_view import Shown, add_prepared, show_again, show_result
from napari_qpi_kernel.scatterers_panel import ScatterersPanel
from napari_qpi_kernel.settings_panel import SettingsPanel
from napari_qpi_kernel.state import DockState, Memory
from napari_qpi_kernel.trust import summary
from qpi_kernel.progress import Steps

if TYPE_CHECKING:
    from napari.viewer import Viewer

MACHINE_DELAY_MS = 300


class ExtractWidget(QWidget):
    """Extracts the kernel of one scatterer from the map of a layer.

    Long work runs in a thread, one job at a time; the dock stays usable. Results are new layers;
    no input layer and no earlier result is ever changed.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.maps = MapPanel(napari_viewer)
        self.prepare = PreparePanel()
        self.scatterers = ScatterersPanel(napari_viewer)
        self.settings = SettingsPanel()
        self.results = ResultPanel()
        self.job = JobBar(lambda: self.settings.device.setCurrentText("cpu"))
        panels = (self.maps, self.prepare, self.scatterers, self.settings, self.results)
        keys = {
            "Ctrl+Shift+F": self.scatterers.find,
            "Ctrl+Shift+E": self.settings.extract,
        }
        self._column = lay_out(self, panels, self.job, keys)

        self.maps.changed.connect(self._refresh)
        self.maps.map_chosen.connect(self._on_other_map)
        self.maps.channel_wanted.connect(self._open_channel)
        self.maps.energy_changed.connect(self._gauge)
        self.prepare.changed.connect(self._gauge)
        self.settings.changed.connect(self._gauge)
        self.scatterers.changed.connect(self._refresh)
        self.scatterers.told.connect(self.job.tell)
        self.scatterers.find_wanted.connect(self._find)
        self.settings.extract.clicked.connect(self._extract)
        self.job.changed.connect(self._refresh)
        self.prepare.show_prepared.clicked.connect(self._show_prepared)
        self.results.back_wanted.connect(self._bring_back)
        self.results.export_wanted.connect(self._export)
        self.results.figure_wanted.connect(self._save_figure)
        self.results.points_wanted.connect(self._select_points)
        self.results.compare.clicked.connect(self._compare)
        show_y_up(napari_viewer)
        # The machine is looked at after the dock is drawn: torch takes seconds to import. And a
        # path is typed letter by letter.
        delay = QTimer(self)
        delay.setSingleShot(True)
        delay.setInterval(MACHINE_DELAY_MS)
        delay.timeout.connect(self._look_at_machine)
        delay.start()
        follow(preferences().events.model, lambda _: delay.start(), self)
        self._refresh()
        parts = (self.maps, self.prepare, self.scatterers, self.settings)
        self._memory = Memory(*parts, self._request, self)
        self._memory.told.connect(self.job.tell)
        self._memory.follow()

    def problem(self) -> str:
        """Return why Extract is not possible now, "" if it is."""
        return self.maps.problem() or self.scatterers.problem()

    def _refresh(self) -> None:
        layer = self.maps.layer
        if layer is not None:
            x0, _, x1, _ = extent_nm(layer)
            self.scatterers.set_map(layer.name, x1 - x0)
        busy = self.job.busy
        reason = self.problem()
        map_reason = BUSY if busy else self.maps.problem()
        self.prepare.show_state(map_reason)
        offer(self.scatterers.find, map_reason)
        self.settings.show_state(busy, reason)
        self.results.setEnabled(not busy)
        offer(self.results.compare, BUSY if busy else reason)
        self._gauge()

    def _on_other_map(self) -> None:
        # The verdict and the status in view would be those of the map before.
        self._column.show_top()
        if not self.job.busy:
            self.job.tell("")

    def _gauge(self) -> None:
        """Keep the gauge at what the dock shows; it rests while something runs."""
        if self.maps.problem():
            self.settings.gauge.clear_readings()
        elif not self.job.busy:
            points = self.scatterers.layer
            key = (
                self.maps.layer.unique_id,
                self.maps.shown_bias_mV,
                self.maps.region_nm,
                None if points is None else np.asarray(points.data).tobytes(),
                self.settings.value(),
                self.prepare.value(),
            )
            self.settings.gauge.ask(key, self._shown_request)

    def _shown_request(self) -> Request:
        """Return the request for the energy shown, also where all of them are to be extracted."""
        return replace(self._request(), bias_mV=self.maps.shown_bias_mV)

    def _request(self) -> Request:
        layer = self.maps.layer
        return Request(
            map_name=layer.name,
            arguments=layer_map(layer),
            region_nm=self.maps.region_nm,
            bias_mV=self.maps.bias_mV,
            scatterers=self.scatterers.scatterers(),
            settings=self.settings.value(),
            prepare=self.prepare.value(),
            device=self.settings.device.currentText(),
        )

    def _find_request(self) -> Request:
        """Return the request for Find: the chosen layer, topography for one, instead of the map."""
        layer = self.scatterers.source.layer
        request = self._request()
        if layer is None or layer == self.maps.layer:
            return request
        return replace(request, map_name=layer.name, arguments=layer_map(layer), bias_mV=None)

    def _start(
        self,
        ask: Callable[[], Request],
        work: Callable[[Request], Steps[Any]],
        done: Show,
        what: str,
    ) -> None:
        self.job.run(lambda: work(ask()), done, what)

    def _find(self) -> None:
        self._start(
            self._find_request, iter_locate_request, self._on_found, "Finding the scatterers …"
        )

    def _on_found(self, scatterers: Any) -> None:
        self.scatterers.add(scatterers)
        self.job.tell(f"{len(scatterers)} scatterers found; check them before you extract.")

    def _extract(self) -> None:
        q_viewer_for(self._viewer, self)
        self._start(
            self._request, iter_extract_request, self._on_extracted, "Extracting the kernel …"
        )

    def _on_extracted(self, outcome: Outcome) -> Turns[None]:
        shown = yield from show_result(self._viewer, self, outcome)
        self.results.add(outcome, shown)
        self._column.show_top_of(self.results)
        self.job.tell(
            f"{shown.kernel.name}: {summary(outcome.assessment)}. Kernel and spread lie beside the"
            " prepared map; reconstruction and residual are hidden on top of it."
        )

    def _bring_back(self, outcome: Outcome, shown: Shown) -> None:
        """Show a result alone, and the dock as it was when it was extracted."""
        request = outcome.request
        others = [each for each in self.results.shown if each is not shown]
        told = f"its map {request.map_name} is not open"
        if self.maps.show_map(request.map_name, request.bias_mV):
            self._memory.show(DockState.of(request))
            told = "with its region, points and settings"
        # It was computed before: what is left to do is over in one turn.
        list(show_again(self._viewer, self, outcome, shown, others))
        self._column.show_top_of(self.results)
        self.job.tell(f"{shown.kernel.name} is back, {told}.")

    def _show_prepared(self) -> None:
        self._start(
            self._prepare_request, iter_prepare_request, self._on_prepared, "Preparing the map …"
        )

    def _prepare_request(self) -> Request:
        """Return the request for a prepared map: the whole of it, at all its energies."""
        return replace(self._request(), bias_mV=None, region_nm=None)

    def _on_prepared(self, answer: tuple[Request, Map, Limits]) -> None:
        layer = add_prepared(self._viewer, *answer)
        self.job.tell(f"{layer.name} is shown above the map; the map itself is unchanged.")

    def _select_points(self, layer: Any, numbers: list[int]) -> None:
        """Select points of a result, counted from 1, where the user can move or remove them."""
        if layer not in self._viewer.layers:
            self.job.tell("The scatterers of this result have been removed.")
            return
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.selected_data = {number - 1 for number in numbers if number <= len(layer.data)}
        self.job.tell(f"Selected in {layer.name}; choose it under Points to use your edits.")

    def _save_figure(self, outcome: Outcome, path: str) -> None:
        # An energy that the result does not have gives the nearest.
        bias = None if self.maps.layer is None else self.maps.shown_bias_mV
        self._export(lambda: iter_result_figure(outcome, path, bias))

    def _export(self, ask: Callable[[], Steps[str]]) -> None:
        self.job.run(ask, self.job.tell, "Exporting …")

    def _compare(self) -> None:
        bias = self.maps.shown_bias_mV
        self._start(
            self._request,
            lambda request: iter_compare_request(request, bias),
            self._on_compared,
            "Comparing …",
        )

    def _on_compared(self, comparison: Comparison) -> None:
        view = ComparisonView(comparison)
        view.folder_wanted.connect(self._save_comparison)
        docked = self._viewer.window.add_dock_widget(view, name="Compare methods", area="bottom")
        # Below the map it would leave no room for the map on a small screen.
        docked.setFloating(True)
        self.job.tell(
            f"{len(comparison.trials)} methods on the same map, compared in a window of their own."
        )

    def _save_comparison(self, comparison: Comparison, folder: str) -> None:
        self._export(lambda: iter_save_comparison(comparison, folder))

    def _open_channel(self, path: str, channel: str) -> None:
        self.job.run(
            lambda: iter_read_channel(path, channel), self._on_read, f"Reading {channel} …"
        )

    def _on_read(self, layers: list[LayerData]) -> Turns[None]:
        for data in layers:
            self.maps.layers.choose(self._viewer.add_layer(Layer.create(*data)))
            yield
        self.job.tell(f"{layers[-1][1]['name']} is open.")

    def _look_at_machine(self) -> None:
        job = Job(iter_machine(preferred_model()), self.settings.machine.setText, self)
        job.progressed.connect(lambda _, text: self.settings.machine.setText(text))
        job.failed.connect(self.settings.machine.setText)
        job.ended.connect(self.settings.gauge.wake)
        job.start()
