"""WSxM ASCII XYZ: a line with the units, then x, y and one value per line."""

import re

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, covered
from qpi_kernel.read.recording import Channel, Reader, Source
from qpi_kernel.read.units import nanometres

MAGIC = re.compile(rb"WSxM file copyright[^\n]*\nWSxM ASCII XYZ file")
COLUMN = re.compile(r"([^\[\]\t]+?)\s*\[([^\]]*)\]")
# Exporters write four digits or more: the points of a grid lie on their lines to a hundredth.
OFF_THE_GRID = 0.02


def recognises(content: bytes) -> bool:
    """Tell the file by its first two lines."""
    return MAGIC.match(content[:1000]) is not None


def read(source: Source) -> xr.Dataset:
    """Read points on a grid, in any order; y points up.

    Points of the grid that the file leaves out are NaN. Lengths are in the units of the header,
    X[nm], Y[nm], Z[m].

    Raises
    ------
    ReadError
        If the units are missing, a line is damaged, or the points form no grid.
    """
    lines = source.content.decode("latin-1").splitlines()
    columns = COLUMN.findall(lines[2]) if len(lines) > 2 and recognises(source.content) else []
    scale = [nanometres(unit) for _, unit in columns[:2]]
    if len(columns) < 3 or scale[0] is None or scale[1] is None:
        raise source.error(
            "a third line with units, such as X[nm] Y[nm] Z[m]",
            repr(lines[2][:40]) if len(lines) > 2 else "none",
            "export the map again",
        )
    rows = [line.split() for line in lines[3:] if line.strip() and not line.startswith("#")]
    try:
        points = np.array(rows, dtype=np.float64).reshape(len(rows), -1)[:, : len(columns)]
    except ValueError:
        raise source.error("lines of numbers", "other text", "export the map again") from None
    if len(points) < 4 or points.shape[1] < 3 or not np.isfinite(points[:, :2]).all():
        raise source.error(
            "a map of at least 2 x 2 points", f"{len(points)} points", "export the map again"
        )
    x, column = _lines(points[:, 0] * scale[0])
    y, row = _lines(points[:, 1] * scale[1])
    if len(points) > 2 * x.size * y.size or x.size * y.size > 4 * len(points):
        raise source.error(
            "points on a grid",
            f"{len(points)} points at {x.size} x {y.size} places",
            "export the map unrotated",
        )
    channels = []
    for place, (name, unit) in enumerate(columns[2 : points.shape[1]], start=2):
        image = np.full((y.size, x.size), np.nan)
        image[row, column] = points[:, place]
        channels.append(Channel(name.strip(), image, unit))
    return build_dataset(
        source,
        channels,
        bias_mV=None,
        size_nm=(covered(x), covered(y)),
        axes_nm=(x, y),
        facts={},
    )


def _lines(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the lines of a grid, rising, and the line of each point."""
    order = np.sort(positions)
    steps = np.diff(order)
    # Between points of one line there is rounding, between lines the pitch.
    new = steps > OFF_THE_GRID * float(steps.max()) if steps.max() > 0 else steps > 0
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    lines = np.add.reduceat(order, starts) / np.diff(np.append(starts, order.size))
    middles = (lines[1:] + lines[:-1]) / 2
    even, step = np.linspace(lines[0], lines[-1], lines.size, retstep=True)
    if np.all(np.abs(lines - even) <= OFF_THE_GRID * step):
        lines = even
    return lines, np.searchsorted(middles, positions)


READER = Reader("WSxM XYZ", (".xyz",), recognises, read)
