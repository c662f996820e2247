"""Where the tip really is: drift, creep and sheared axes, row by row.

Rows are scanned from the smallest y upwards. What shifts the tip depends on time, so that all
pixels of a row are shifted alike. Places are (row, column) in pixels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

Floats = npt.NDArray[np.float64]

# A step of the fixed point gains a factor of 0.7 at least, see `Nuisance`.
STEPS = 80


@dataclass(frozen=True)
class TipPath:
    """The way of the tip over a square map.

    Parameters
    ----------
    pixels : int
        Pixels along each side.
    skew : (row, column)
        Displacement that each row adds, by drift and shear [px per row].
    creep : (row, column)
        Displacement at the first row, by the piezo's creep [px].
    creep_rows : float
        Rows after which creep has fallen to 1/e.
    """

    pixels: int
    skew: tuple[float, float] = (0.0, 0.0)
    creep: tuple[float, float] = (0.0, 0.0)
    creep_rows: float = 1.0

    def displacement(self, row: npt.ArrayLike) -> Floats:
        """Return how far the tip is from where it is thought to be, shape (2, *row) [px]."""
        rows = np.asarray(row, float)
        fading = np.exp(-np.maximum(rows, 0) / self.creep_rows)
        shift = np.multiply.outer(self.skew, rows - (self.pixels - 1) / 2)
        return np.asarray(shift + np.multiply.outer(self.creep, fading))

    @property
    def margin_px(self) -> int:
        """How far beyond the map the tip strays [px]; 0 if it does not."""
        farthest = np.abs(self.displacement(np.arange(self.pixels))).max()
        return int(np.ceil(farthest)) + 3 if farthest else 0

    def true_places(self) -> Floats:
        """Return where the tip is when it measures each pixel, shape (2, pixels, pixels)."""
        rows, columns = np.indices((self.pixels, self.pixels)).astype(float)
        return np.asarray(np.stack([rows, columns]) + self.displacement(rows))

    def as_scanned(self, places: Floats) -> Floats:
        """Return where in the map true places appear, shape (n, 2)."""
        row = places[:, 0]
        for _ in range(STEPS):
            row = places[:, 0] - self.displacement(row)[0]
        return np.column_stack([row, places[:, 1] - self.displacement(row)[1]])

    def sample(self, wide: Floats, margin: int, shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
        """Sample a true map where the tip is.

        Parameters
        ----------
        wide : array, shape (bias, pixels + 2 margin, pixels + 2 margin)
            The truth, on a margin around the map.
        margin : int
        shift : (row, column)
            From the tip to the point of it that sees [px].

        Returns
        -------
        array, shape (bias, pixels, pixels)
        """
        if not self.margin_px and not any(shift):
            inner = slice(margin, margin + self.pixels)
            return wide[:, inner, inner]
        true = self.true_places() + margin + np.reshape(shift, (2, 1, 1))
        return np.stack([map_coordinates(plane, true, order=3, mode="nearest") for plane in wide])
