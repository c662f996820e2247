"""The records of a Nanonis grid, one per point, as images: in memory, or piece by piece on disk."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qpi_kernel.read.nanonis_layout import Layout
from qpi_kernel.read.recording import Source

# Records are turned into images a few rows at a time: the whole grid would not fit into the cache.
BLOCK_BYTES = 2**22


@dataclass(frozen=True)
class Body:
    """The records of a grid, (point, value), in memory or still on disk."""

    source: Source
    start: int
    present: int
    width: int
    shape: tuple[int, int]

    @property
    def records(self) -> npt.NDArray[np.float32]:
        """The complete records of the file, big-endian."""
        if self.source.lazy:
            shape = (self.present, self.width)
            return np.memmap(self.source.path, ">f4", "r", self.start, shape)
        count = self.present * self.width
        return np.frombuffer(self.source.content, ">f4", count, self.start).reshape(-1, self.width)

    def column(self, place: int) -> npt.NDArray[np.float64]:
        """Return one parameter of all points (row, column), NaN where there is no record."""
        values = np.full(self.shape[0] * self.shape[1], np.nan)
        values[: self.present] = self.records[:, place]
        return values.reshape(self.shape)

    def rows(self, block: tuple[int, int], values: slice) -> npt.NDArray[np.float32]:
        """Return some values of the points in some rows, (value, row, column)."""
        nx = self.shape[1]
        part = self.records[block[0] * nx : block[1] * nx, values]
        images = np.full((part.shape[1], (block[1] - block[0]) * nx), np.nan, dtype=np.float32)
        images[:, : len(part)] = part.T
        return images.reshape(part.shape[1], -1, nx)

    def blocks(self) -> list[tuple[int, int]]:
        """Return the first and the last row, not included, of pieces that fit into the cache."""
        height = max(1, BLOCK_BYTES // (4 * self.width * self.shape[1]))
        ny = self.shape[0]
        return [(first, min(first + height, ny)) for first in range(0, ny, height)]


def load_images(body: Body, values: slice, layout: Layout, factor: float) -> Any:
    """Return a channel (bias, y, x) times a factor; a dask array if the values stay on disk."""

    def load(block: tuple[int, int]) -> npt.NDArray[np.float32]:
        images = body.rows(block, values)
        rows = layout.backward[block[0] : block[1]]
        images[:, rows] = images[:, rows, ::-1]
        with np.errstate(over="ignore", invalid="ignore"):
            np.multiply(images, factor, out=images, dtype=np.float64, casting="unsafe")
        images[~np.isfinite(images)] = np.nan
        return images

    points, (ny, nx) = values.stop - values.start, body.shape
    if not body.source.lazy:
        images = np.empty((points, ny, nx), dtype=np.float32)
        turned = layout.turned(images)
        for block in body.blocks():
            turned[:, block[0] : block[1]] = load(block)
        return images
    try:
        from dask import array
        from dask.delayed import delayed
    except ImportError:
        raise body.source.error(
            "the package dask", "none", 'run pip install "napari-qpi-kernel[batch]"'
        ) from None
    dask: Any = array
    piece: Any = delayed(load, pure=True)
    pieces = [
        dask.from_delayed(piece(block), shape=(points, block[1] - block[0], nx), dtype=np.float32)
        for block in body.blocks()
    ]
    return layout.turned(dask.concatenate(pieces, axis=1))
