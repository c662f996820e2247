"""Figures for papers: asks where to, the library draws and writes them."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QWidget

from qpi_kernel.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_qpi_kernel.extraction import Outcome
    from napari_qpi_kernel.qspace_jobs import Curves, Subject

FORMATS = "Figure (*.svg *.pdf *.png)"


def ask_figure(parent: QWidget, name: str = "figure.svg") -> str:
    """Ask for the path of a figure; "" if the user cancels."""
    path, _ = QFileDialog.getSaveFileName(parent, "Save the figure", name, FORMATS)
    return str(path)


def iter_result_figure(outcome: "Outcome", path: str, bias_mV: float | None) -> Steps[str]:
    """Draw a result and say where it is."""
    yield Progress(0.1, "drawing the figure")
    from qpi_kernel.figures import result_figure, save_figure

    figure = result_figure(outcome.extraction, outcome.assessment, bias_mV=bias_mV)
    return f"Figure saved to {save_figure(figure, path)}"


def iter_curves_figure(curves: "Curves", path: str, bias_mV: float) -> Steps[str]:
    """Draw curves, maxima and band, and say where it is."""
    yield Progress(0.1, "drawing the figure")
    from qpi_kernel.figures import save_figure
    from qpi_kernel.qspace.plots import analysis_figure

    return f"Figure saved to {save_figure(analysis_figure(curves.found, bias_mV), path)}"


def iter_transform_figure(
    subject: "Subject", settings: Any, path: str, bias_mV: float
) -> Steps[str]:
    """Draw a kernel or a map with its transform, and the raw map below, and say where it is."""
    yield Progress(0.1, "drawing the figure")
    from qpi_kernel.figures import save_figure, transform_figure
    from qpi_kernel.maps import make_map
    from qpi_kernel.qspace import transformed

    field, beside = make_map(**subject.arguments), None
    if subject.beside is not None:
        raw = make_map(**subject.beside)
        beside = raw, transformed(raw, settings, centred=False)
    fft = transformed(field, settings, centred=subject.centred)
    figure = transform_figure(field, fft, bias_mV=bias_mV, title=subject.name, beside=beside)
    return f"Figure saved to {save_figure(figure, path)}"
