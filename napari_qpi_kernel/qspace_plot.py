"""The curve at the energy shown and the image E(q), in the colours of napari's theme."""

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy

from napari_qpi_kernel.plot_canvas import PlotCanvas
from napari_qpi_kernel.qspace_jobs import Curves

# Of one plot, in pixels: both are in view at once on a screen 720 pixels high.
HEIGHT_PX = 210


class CurvePlot(PlotCanvas):
    """Draws curves; a click on the image E(q) asks for that energy."""

    energy_wanted = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.mpl_connect("button_press_event", self._on_click)
        self.setToolTip(
            "Blue: the curve at the energy shown. Orange: its maximum, with its error bar [1/nm]."
            " Green: the band. Click on the image to go to an energy [mV]."
        )
        self._curves: Curves | None = None
        self._bias_mV = 0.0
        self._axes: list[Any] = []
        self._energy_line: Any = None
        self.hide()

    def set_theme(self, name: str) -> None:
        """Draw again in the colours of a theme of napari."""
        super().set_theme(name)
        if self._curves is not None:
            self.show_curves(self._curves, self._bias_mV)

    def show_curves(self, curves: Curves, bias_mV: float) -> None:
        """Draw curves, with that at an energy [mV] above the image of all energies."""
        from qpi_kernel.qspace.plots import draw_image

        self._curves, found = curves, curves.found
        rows = 2 if found.profile.sizes["bias"] > 1 else 1
        self.setFixedHeight(rows * HEIGHT_PX)
        self.figure.set_layout_engine("constrained")
        with self.cleared() as figure:
            self._axes = list(figure.subplots(rows, 1, squeeze=False)[:, 0])
            self._energy_line = None
            if rows == 2:
                draw_image(self._axes[1], found.profile, found.dispersion, found.fit)
                # White: the image is dark in every theme.
                self._energy_line = self._axes[1].axhline(bias_mV, color="white", lw=0.8, ls=":")
        self.show_energy(bias_mV)
        self.show()
        # Places stay where they are while the energy changes: to find them is most of the work.
        self.draw()
        self.figure.set_layout_engine("none")

    def show_energy(self, bias_mV: float) -> None:
        """Draw the curve at another energy [mV]."""
        self._bias_mV = bias_mV
        if self._curves is None:
            return
        from qpi_kernel.qspace.plots import draw_curve

        found = self._curves.found
        with self.themed():
            self._axes[0].clear()
            draw_curve(self._axes[0], found.profile, bias_mV, found.dispersion, self._curves.beside)
        if self._energy_line is not None:
            self._energy_line.set_ydata([bias_mV, bias_mV])
        self.draw_idle()

    def _on_click(self, event: Any) -> None:
        if self._energy_line is not None and event.inaxes is self._axes[1]:
            self.energy_wanted.emit(float(event.ydata))
