"""The last part of the dock "q-space": what +E and -E say together about the sign of a gap."""

from typing import Any

import numpy as np
from matplotlib import rcParams
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QGroupBox, QLabel, QPushButton

from napari_qpi_kernel.bridge import LayerData, map_to_layer
from napari_qpi_kernel.column import offer, row
from napari_qpi_kernel.contrast import about_zero
from napari_qpi_kernel.form import SettingsForm
from napari_qpi_kernel.plot_canvas import PlotCanvas
from napari_qpi_kernel.preferences import preferences
from napari_qpi_kernel.qspace_jobs import Subject
from qpi_kernel.progress import Progress, Steps

PLOT_HEIGHT_PX = 170
NOTE = "needs a kernel at +E and -E, extracted together"


class PairsPanel(QGroupBox):
    """The antisymmetric and the phase-referenced transform, and the sum of the first (HAEM)."""

    save_wanted = Signal(object, str)

    def __init__(self) -> None:
        super().__init__("4  Pairs of ±E")
        from qpi_kernel.qspace.settings import PairSettings

        self.form = SettingsForm(PairSettings, ("qx_per_nm", "qy_per_nm", "radius_per_nm"))
        self.show_button = QPushButton("Show pairs")
        self.show_button.setToolTip(
            "Re F(+E) - Re F(-E), its sum over the region [1/nm] at every energy [mV], and the"
            " phase-referenced |F(-E)| cos(phase difference), in the q viewer"
        )
        self.save = QPushButton("Save CSV…")
        self.save.setToolTip("The sum over the region at every energy [mV, unit of the kernel]")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.plot = PlotCanvas()
        self.plot.setFixedHeight(PLOT_HEIGHT_PX)
        self.plot.setToolTip(
            "One sign up to the gaps: their order parameters differ in sign; small and changing"
            " its sign: they agree (Hirschfeld et al., PRB 92, 184513)"
        )
        self._curve: Any = None
        rows = QFormLayout(self)
        rows.addRow(self.form)
        rows.addRow(row(self.show_button, self.save))
        rows.addRow(self.text)
        rows.addRow(self.plot)
        rows.setRowVisible(self.plot, False)
        self.save.clicked.connect(self._choose)

    def offer(self, reason: str) -> None:
        """Offer the pairs, or say why there are none."""
        offer(self.show_button, reason)
        offer(self.save, "" if self._curve is not None else "show pairs first")
        if reason:
            self.text.setText(f"Show pairs {reason}.")
        elif self.text.text().startswith("Show pairs"):
            self.text.setText("")
        self.layout().setRowVisible(self.text, bool(self.text.text()))

    def set_theme(self, name: str) -> None:
        """Draw in the colours of a theme of napari."""
        self.plot.set_theme(name)
        if self._curve is not None:
            self.show_sum(self._curve)

    def show_sum(self, curve: Any) -> None:
        """Draw the sum over the region against energy."""
        self._curve = curve
        biases, units = curve["bias"].values, curve.attrs["units"]
        low, high = float(np.min(curve.values)), float(np.max(curve.values))
        kept = "changes its sign among" if low < 0 < high else "keeps one sign at"
        self.text.setText(f"The sum {kept} {len(biases)} energies.")
        self.layout().setRowVisible(self.text, True)
        self.layout().setRowVisible(self.plot, biases.size > 1)
        offer(self.save, "")
        with self.plot.cleared() as figure:
            axes = figure.subplots()
            axes.axhline(0, color=rcParams["text.color"], lw=0.6)
            axes.plot(biases, curve.values, "o-", ms=3)
            axes.set_xlabel("E (mV)", fontsize=9)
            axes.set_ylabel(f"ρ₋ ({units})", fontsize=9)
            axes.tick_params(labelsize=8)

    def _choose(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the sum", "haem.csv", "Table (*.csv)")
        if path:
            path += "" if path.lower().endswith(".csv") else ".csv"
            self.save_wanted.emit(self._curve, path)


def pairs_problem(biases: Any) -> str:
    """Return why these biases [mV] hold no pair, "" if they do."""
    return "" if np.min(biases, initial=0) < 0 < np.max(biases, initial=0) else NOTE


def iter_pairs(subject: Subject, settings: Any) -> Steps[tuple[list[LayerData], Any]]:
    """Return both transforms of the pairs as layers, and the sum over the region."""
    yield Progress(0.1, "pairing the energies")
    from qpi_kernel.maps import make_map
    from qpi_kernel.qspace import antisymmetric_part, haem, phase_referenced

    kernel = make_map(**subject.arguments)
    centre = (settings.qx_per_nm, settings.qy_per_nm)
    curve = haem(kernel, centre=centre, radius=settings.radius_per_nm)
    layers = []
    for field, name in (
        (phase_referenced(kernel), "phase-referenced"),
        (antisymmetric_part(kernel), "ρ₋ = Re F(+E) - Re F(-E)"),
    ):
        layers.append(
            map_to_layer(
                field,
                f"{subject.name} {name}",
                kind=f"FFT {name}",
                facts={"of": subject.name},
                colormap=preferences().colormap,
                contrast_limits=about_zero(field.values),
            )
        )
    return layers, curve


def iter_save_sum(curve: Any, path: str) -> Steps[str]:
    """Write the sum over the region as a table and say so."""
    yield Progress(0.1, "writing the table")
    from qpi_kernel.qspace import save_haem

    save_haem(curve, path)
    return f"Table saved to {path}"
