"""A matplotlib figure as a part of a dock, in the colours of napari's theme."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from napari.utils.theme import get_theme

COLOURED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
# matplotlib has types for its figures, but none for its Qt widgets.
QtCanvas: Any = FigureCanvasQTAgg


class PlotCanvas(QtCanvas):
    """Shows a figure; one of its own is empty at first."""

    def __init__(self, figure: Figure | None = None) -> None:
        super().__init__(figure or Figure(layout="constrained"))
        self._theme: Any = {}

    def set_theme(self, name: str) -> None:
        """Draw from now on in the colours of a theme of napari."""
        theme = get_theme(name)
        text, ground = theme.text.as_hex(), theme.background.as_hex()
        self._theme = {"axes.facecolor": ground, **dict.fromkeys(COLOURED, text)}
        self.figure.set_facecolor(ground)

    def themed(self) -> AbstractContextManager[None]:
        """Return a context in which what is drawn takes the colours of the theme."""
        return rc_context(self._theme)

    @contextmanager
    def cleared(self) -> Iterator[Figure]:
        """Give the figure, empty, to be drawn anew in the colours of the theme."""
        self.figure.clear()
        with self.themed():
            yield self.figure
        self.draw_idle()

    def draw(self) -> None:
        """Draw the figure; its ticks are made only now."""
        with self.themed():
            super().draw()
