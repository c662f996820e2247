"""A drop-down list of the viewer's layers that follows the viewer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

from napari_qpi_kernel.bridge import KEY

if TYPE_CHECKING:
    from napari.viewer import ViewerModel

MARGIN_PX = 2  # style sheets pad the name inside its field


class ElidedCombo(QComboBox):
    """A drop-down list that cuts long names in the middle; the tooltip shows them whole.

    Parameters
    ----------
    hint : str
        What the list is for; the second line of the tooltip.
    """

    def __init__(self, hint: str) -> None:
        super().__init__()
        self._hint = hint
        # Long names must not widen the dock.
        self.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.view().setTextElideMode(Qt.ElideMiddle)
        self.currentTextChanged.connect(self.show_tip)
        self.show_tip()

    def show_tip(self, event: object = None) -> None:
        """Write the whole name into the tooltip."""
        self.setToolTip("\n".join(filter(None, (self.currentText(), self._hint))))

    def paintEvent(self, event: object) -> None:
        """Paint the list as its style does, with the name cut in the middle."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.CC_ComboBox, option, QStyle.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.ElideMiddle, field.width() - 2 * MARGIN_PX
        )
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.CC_ComboBox, option)
        painter.drawControl(QStyle.CE_ComboBoxLabel, option)


class LayerChoice(ElidedCombo):
    """A drop-down list of layers.

    Parameters
    ----------
    viewer : ViewerModel
        The viewer whose layers are listed, the newest last.
    accept : callable
        Tells of a layer whether it belongs in the list.
    none_text : str, optional
        A first entry that stands for no layer; without it the list may still be empty.
    hint : str
        What the list is for.
    """

    chosen = Signal()

    def __init__(
        self,
        viewer: "ViewerModel",
        accept: Callable[[Layer], bool],
        none_text: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(hint)
        self._viewer = viewer
        self._accept = accept
        self._none_text = none_text
        for name in ("inserted", "removed", "reordered", "renamed"):
            follow(getattr(viewer.layers.events, name), self.refresh, self)
        self.refresh()
        if not none_text:
            # What the user works on: after Extract the kernel, for one.
            active = self._index(viewer.layers.selection.active)
            self.setCurrentIndex(max(active, self.currentIndex()))
        self.currentIndexChanged.connect(lambda _: self.chosen.emit())

    @property
    def layer(self) -> Any:
        """The layer chosen, or None."""
        return self.currentData()

    @property
    def listed(self) -> list[Any]:
        """The layers of the list."""
        return [layer for i in range(self.count()) if (layer := self.itemData(i)) is not None]

    def choose(self, layer: Layer) -> None:
        """Choose a layer of the list."""
        self.setCurrentIndex(self._index(layer))

    def refresh(self, event: object = None) -> None:
        """List the layers of the viewer again, keeping the choice where it still exists."""
        before = self.layer
        self.blockSignals(True)
        self.clear()
        if self._none_text:
            self.addItem(self._none_text, None)
        for layer in self._viewer.layers:
            if self._accept(layer):
                self.addItem(layer.name, layer)
        self.setCurrentIndex(max(self._index(before), 0 if self.count() else -1))
        self.blockSignals(False)
        self.show_tip()
        if self.layer != before:
            self.chosen.emit()

    def _index(self, layer: object) -> int:
        # napari hands plugins proxies of its layers, new ones each time: equal, but not identical.
        return next((i for i in range(self.count()) if self.itemData(i) == layer), -1)


def is_map(layer: Layer, kinds: tuple[str, ...] = ("map",)) -> bool:
    """Tell whether a layer can be a map: a grey image (y, x) or (bias, y, x), not a result.

    The topography beside a dI/dV map only counts if `kinds` names it; its channel can be opened as
    a map.
    """
    kind = layer.metadata.get(KEY, {}).get("kind", "map")
    return (
        isinstance(layer, Image)
        and layer.ndim in (2, 3)
        and not layer.rgb
        and not layer.multiscale
        and kind in kinds
    )


def follow(emitter: Any, callback: Callable[..., None], owner: QObject) -> None:
    """Connect a napari event to `callback` until `owner` is destroyed."""

    def run(event: object = None) -> None:
        callback(event)

    emitter.connect(run)
    owner.destroyed.connect(lambda: emitter.disconnect(run))
