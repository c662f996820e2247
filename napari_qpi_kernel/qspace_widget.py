"""The dock "q-space": the transform of a kernel or of a whole map, in the q viewer."""

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QPushButton, QWidget

from napari_qpi_kernel.bridge import KEY, LayerData, layer_attributes, map_arguments, map_to_layer
from napari_qpi_kernel.fourier import LOG, PARTS, fft_part
from napari_qpi_kernel.job import Job, report
from napari_qpi_kernel.layer_choice import LayerChoice
from napari_qpi_kernel.qspace_viewer import show_in_q_viewer
from napari_qpi_kernel.result_layers import SIGNED
from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Progress, Steps

if TYPE_CHECKING:
    from napari.viewer import Viewer

CENTRED = ("kernel", "kernel spread")


class QSpaceWidget(QWidget):
    """Shows the Fourier transform of a layer in the second viewer, with axes in 1/nm."""

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._job: Job | None = None
        self.layers = LayerChoice(
            napari_viewer, _has_nm, hint="What to transform: a map or a kernel [nm]"
        )
        self.part = QComboBox()
        self.part.addItems(PARTS)
        self.part.setToolTip("Modulus, real or imaginary part, or phase about the scatterer [rad]")
        self.hann = QCheckBox("Hann window")
        self.hann.setToolTip("Taper the edges; recorded in the layer")
        self.show_button = QPushButton("Show in the q viewer")
        self.show_button.setToolTip("A second window with axes in 1/nm, q = 2 pi / wavelength")
        self.show_button.clicked.connect(self._start)
        self.status = QLabel()
        self.status.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow("Layer", self.layers)
        form.addRow("Part", self.part)
        form.addRow(self.hann)
        form.addRow(self.show_button)
        form.addRow(self.status)
        self.layers.chosen.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        self.show_button.setEnabled(self.layers.layer is not None and self._job is None)
        self.status.setText("" if self.layers.layer is not None else "Open a map in nm first.")

    def _start(self) -> None:
        layer, part = self.layers.layer, self.part.currentText()
        kind = layer.metadata.get(KEY, {}).get("kind", "map")
        window = "hann" if self.hann.isChecked() else "none"
        try:
            arguments = map_arguments(layer.data, layer_attributes(layer))
        except QpiError as error:
            self.status.setText(report(error))
            return
        self._job = Job(_transform(arguments, layer.name, kind, part, window), self)
        self._job.returned.connect(self._show)
        self._job.failed.connect(self.status.setText)
        self._job.ended.connect(self._end)
        self.show_button.setEnabled(False)
        self._job.start()

    def _show(self, data: LayerData) -> None:
        show_in_q_viewer(self._viewer, self, data)
        self.status.setText(f"{data[1]['name']} is in the q viewer.")

    def _end(self) -> None:
        self._job = None
        self.show_button.setEnabled(self.layers.layer is not None)


def _transform(
    arguments: dict[str, Any], name: str, kind: str, part: str, window: Any
) -> Steps[LayerData]:
    yield Progress(0.0, "transforming")
    from qpi_kernel.maps import make_map
    from qpi_kernel.qspace import kernel_fft, map_fft

    didv = make_map(**arguments)
    fft = (kernel_fft if kind in CENTRED else map_fft)(didv, window=window)
    colours = "inferno" if part in (LOG, "|F|") else SIGNED
    title = f"{name} {part}" + (" (Hann)" if window == "hann" else "")
    facts = {"of": name, "window": window}
    return map_to_layer(
        fft_part(fft, part), title, kind=f"FFT {part}", facts=facts, colormap=colours
    )


def _has_nm(layer: Layer) -> bool:
    return isinstance(layer, Image) and layer.ndim in (2, 3) and str(layer.units[-1]) == "nanometer"
