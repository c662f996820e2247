"""The dock "q-space": transforms in the q viewer, curves with maxima and bands, the lattice."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_qpi_kernel.bridge import (
    LayerData,
    bias_at,
    bias_of,
    layer_map,
)
from napari_qpi_kernel.column import lay_out, offer
from napari_qpi_kernel.figure import ask_figure, iter_curves_figure, iter_transform_figure
from napari_qpi_kernel.job import Show, Turns
from napari_qpi_kernel.job_bar import BUSY, JobBar
from napari_qpi_kernel.layer_choice import follow
from napari_qpi_kernel.qspace_jobs import (
    Curves,
    iter_bragg,
    iter_curves,
    iter_export_curves,
    iter_transform,
    iter_zone,
)
from napari_qpi_kernel.qspace_overlays import cut_layer, draw_cut, line_of, show_bragg, show_zone
from napari_qpi_kernel.qspace_pairs import (
    NOTE,
    PairsPanel,
    iter_pairs,
    iter_save_sum,
    pairs_problem,
)
from napari_qpi_kernel.qspace_panels import (
    CurvesPanel,
    LatticePanel,
    TransformPanel,
    is_centred,
)
from napari_qpi_kernel.qspace_viewer import q_viewer_of, show_in_q_viewer, shown_reach
from qpi_kernel.progress import Steps

if TYPE_CHECKING:
    from napari.viewer import Viewer

DEBOUNCE_MS = 250
NO_MAP = "Open a map in nm first."
PAST = ("added", "removed", "changed")


class QSpaceWidget(QWidget):
    """Shows what a kernel or a map holds in q space.

    Long work runs in a thread. Curves are taken on request; from then on they follow the layer,
    the settings and the line in the q viewer.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._curves: Curves | None = None
        self._live = self._taking = False
        self._followed: set[object] = set()
        self.transform = TransformPanel(napari_viewer)
        self.curves = CurvesPanel()
        self.lattice = LatticePanel()
        self.pairs = PairsPanel()
        self.job = JobBar()
        panels = (self.transform, self.curves, self.lattice, self.pairs)
        keys = {
            "Ctrl+Shift+Y": self.transform.show_button,
            "Ctrl+Shift+K": self.curves.take,
        }
        self._column = lay_out(self, panels, self.job, keys)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self._take_curves)

        self.transform.changed.connect(self._refresh)
        self.job.changed.connect(self._show_state)
        self.transform.show_button.clicked.connect(self._transform)
        self.transform.figure.clicked.connect(self._save_transform)
        self.curves.changed.connect(self._follow_curves)
        self.curves.take.clicked.connect(self._start_curves)
        self.curves.draw_line.clicked.connect(self._draw_line)
        self.curves.export.clicked.connect(self._export)
        self.curves.figure.clicked.connect(self._save_figure)
        self.curves.plot.energy_wanted.connect(self._go_to_energy)
        self.pairs.show_button.clicked.connect(self._show_pairs)
        self.pairs.save_wanted.connect(self._save_pairs)
        self.lattice.zone.clicked.connect(self._show_zone)
        self.lattice.bragg.clicked.connect(self._find_bragg)
        follow(napari_viewer.dims.events.point, lambda _: self._show_energy(), self)
        follow(napari_viewer.events.theme, lambda _: self._set_theme(), self)
        self._set_theme()
        self._refresh()

    def _refresh(self) -> None:
        self._show_state()
        if self.transform.layers.layer is None:
            self.job.tell(NO_MAP)
        elif self.job.status.text() == NO_MAP:
            self.job.tell("")
        self._follow_curves()

    def _show_state(self) -> None:
        self._taking = self._taking and self.job.busy
        none = "" if self.transform.layers.layer is not None else "open a map in nm first"
        busy = BUSY if self.job.busy and not self._taking else ""
        offer(self.transform.show_button, busy or none)
        for button in (self.transform.figure, self.curves.take):
            offer(button, none)
        offer(
            self.lattice.bragg,
            "" if self.transform.raw_map is not None else "choose a raw map first",
        )
        self.pairs.offer(self._pairs_problem())

    def _pairs_problem(self) -> str:
        layer = self.transform.layers.layer
        if layer is None or not is_centred(layer):
            return NOTE
        return pairs_problem(bias_of(layer))

    def _set_theme(self) -> None:
        for part in (self.curves.plot, self.pairs):
            part.set_theme(self._viewer.theme)

    def _run(self, ask: Callable[[], Steps[Any]], done: Show, what: str) -> None:
        """Do what a button asks for; curves that are just being taken are taken again after it."""
        if self._taking:
            self.job.cancel()
            self._timer.start()
        self.job.run(ask, done, what)

    def _transform(self) -> None:
        def ask() -> Steps[list[LayerData]]:
            settings, part = self.transform.form.value(), self.transform.part.currentText()
            return iter_transform(self.transform.subject(), settings, part)

        self._run(ask, self._show, "Transforming …")

    def _show(self, data: list[LayerData]) -> Turns[None]:
        layers = [Layer.create(*each) for each in data]
        yield from show_in_q_viewer(self._viewer, self, *layers)
        names = " and ".join(layer.name for layer in layers)
        self.job.tell(f"In the q viewer: {names}.")

    def _start_curves(self) -> None:
        self._live = True
        self._take_curves()

    def _follow_curves(self) -> None:
        if self._live:
            self._timer.start()

    def _take_curves(self) -> None:
        if self.transform.layers.layer is None:
            self._live = False
            return
        if self.job.busy and not self._taking:
            self._timer.start()
            return

        def ask() -> Steps[Curves]:
            q_viewer = q_viewer_of(self._viewer)
            line = None if q_viewer is None else line_of(cut_layer(q_viewer))
            settings, group = self.curves.form.value(), self.transform.form.value()
            return iter_curves(self.transform.subject(), settings, group, line)

        self.job.cancel()
        self.job.run(ask, self._show_curves, "Taking curves …")
        self._taking = self.job.busy

    def _show_curves(self, curves: Curves) -> None:
        self._curves = curves
        found = curves.found
        text = str(found.fit).replace(", ", "\n") if found.fit else found.problem
        self.curves.show_found(True, text)
        many = len(found.dispersion)
        energies = f"{many} energies" if many > 1 else "one energy"
        self.job.tell(f"Curves of {curves.name} at {energies}.")
        self.curves.plot.show_curves(curves, self._shown_bias())

    def _show_energy(self) -> None:
        self.curves.plot.show_energy(self._shown_bias())

    def _shown_bias(self) -> float:
        layer = self.transform.layers.layer
        bias = None if layer is None else bias_at(layer, self._viewer.dims.point)
        return 0.0 if bias is None else bias

    def _go_to_energy(self, bias_mV: float) -> None:
        if self._viewer.dims.ndim == 3:
            self._viewer.dims.set_point(0, bias_mV)

    def _draw_line(self) -> None:
        q_viewer = q_viewer_of(self._viewer)
        if q_viewer is None:
            self.job.tell("Show the transform in the q viewer first, then draw a line on it.")
            return
        layer = draw_cut(q_viewer, shown_reach(q_viewer))
        if layer.unique_id not in self._followed:
            self._followed.add(layer.unique_id)
            follow(layer.events.data, self._on_line, self)
        self._start_curves()

    def _on_line(self, event: Any) -> None:
        if str(event.action) in PAST and self.curves.form.values()["direction"] == "line":
            self._follow_curves()

    def _export(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export the curves into a folder")
        if folder and self._curves is not None:
            curves, bias = self._curves, self._shown_bias()
            self._run(
                lambda: iter_export_curves(curves, folder, bias), self.job.tell, "Exporting …"
            )

    def _save_figure(self) -> None:
        path = ask_figure(self, "curves.svg")
        if path and self._curves is not None:
            curves, bias = self._curves, self._shown_bias()
            self._run(lambda: iter_curves_figure(curves, path, bias), self.job.tell, "Drawing …")

    def _save_transform(self) -> None:
        path = ask_figure(self, "transform.svg")
        if path:
            settings, bias = self.transform.form.value(), self._shown_bias()
            self._run(
                lambda: iter_transform_figure(self.transform.subject(), settings, path, bias),
                self.job.tell,
                "Drawing …",
            )

    def _show_pairs(self) -> None:
        def done(answer: tuple[list[LayerData], Any]) -> Turns[None]:
            layers, curve = answer
            yield from self._show(layers)
            self.pairs.show_sum(curve)

        settings = self.pairs.form.value
        self._run(
            lambda: iter_pairs(self.transform.subject(), settings()), done, "Pairing the energies …"
        )

    def _save_pairs(self, curve: Any, path: str) -> None:
        self._run(lambda: iter_save_sum(curve, path), self.job.tell, "Writing the table …")

    def _show_zone(self) -> None:
        if q_viewer_of(self._viewer) is None:
            self.job.tell("Show a transform in the q viewer first.")
            return
        self._run(
            lambda: iter_zone(self.lattice.form.value()), self._add_zone, "Drawing the zone …"
        )

    def _add_zone(self, drawn: tuple[Any, Any]) -> None:
        q_viewer = q_viewer_of(self._viewer)
        if q_viewer is not None:
            show_zone(q_viewer, *drawn, shown_reach(q_viewer))

    def _find_bragg(self) -> None:
        settings = self.lattice.form.value()

        def done(found: tuple[Any, float, float]) -> None:
            peaks, constant, rotation = found
            self.lattice.show_found(settings.lattice_nm, constant, rotation)
            q_viewer = q_viewer_of(self._viewer)
            if q_viewer is not None:
                show_bragg(q_viewer, peaks, shown_reach(q_viewer))
                # A job of its own, once this one is over.
                QTimer.singleShot(0, self._show_zone)

        self._run(
            lambda: iter_bragg(layer_map(self.transform.raw_map), settings),
            done,
            "Looking for Bragg peaks …",
        )
