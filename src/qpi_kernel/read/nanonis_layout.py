"""Where the points of a Nanonis grid lie: serpentine rows, rows that fall, and the pitch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# The header gives the frame to seven digits, the points carry float32 noise; size / points and
# size / (points - 1) differ by far more than a thousandth on any grid a scan can record.
PITCH_TOLERANCE = 1e-3
POSITIONS = ("X (m)", "Y (m)")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Where the points lie: rows that run backwards, rows that fall in y, a falling sweep."""

    backward: npt.NDArray[np.bool_]
    rows_fall: bool
    pitch_nm: tuple[float, float] | None
    bias_falls: bool = False

    def turned(self, values: Any) -> Any:
        """Return values (..., row, column) with y and bias rising."""
        values = values[..., ::-1, :] if self.rows_fall else values
        return values[::-1] if self.bias_falls and values.ndim == 3 else values

    def image(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a parameter (row, column) with x and y rising."""
        straight: npt.NDArray[Any] = values.copy()
        straight[self.backward] = straight[self.backward, ::-1]
        turned: npt.NDArray[Any] = self.turned(straight)
        return turned


def layout_of(
    columns: dict[str, Array],
    shape: tuple[int, int],
    frame: tuple[float, float, float, float, float] | None,
    bias_falls: bool,
    notes: list[str],
) -> Layout:
    """Return which rows run backwards, whether rows fall in y, and the pitch (dx, dy) [nm].

    In the frame of the scan, turned clockwise by the angle a, a point has u = X cos a - Y sin a
    along a row and v = X sin a + Y cos a across the rows.
    """
    backward = np.zeros(shape[0], dtype=bool)
    if frame is None or not all(name in columns for name in POSITIONS):
        if frame is not None:
            notes.append("no point positions in the file: pitch taken as size / points")
        return Layout(backward, False, None, bias_falls)
    width, height, angle, x0, y0 = frame
    a = np.deg2rad(angle)
    x, y = (columns[name] * 1e9 - centre for name, centre in zip(POSITIONS, (x0, y0), strict=True))
    u, v = x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)

    slopes = np.array([_slope(row) for row in u])
    known = np.isfinite(slopes)
    backward[known] = slopes[known] < 0
    # A row with a single point has no direction: serpentine rows repeat by two.
    for parity in (0, 1):
        rows = slice(parity, None, 2)
        if known[rows].any():
            backward[rows] |= ~known[rows] & (backward[rows].sum() * 2 > known[rows].sum())
    across = _slope(
        np.array(
            [np.mean(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in v]
        )
    )
    along = float(np.median(np.abs(slopes[known]))) if known.any() else np.nan
    pitch = (_snap(along, width, shape[1]), _snap(abs(across), height, shape[0]))
    return Layout(backward, bool(across < 0), pitch, bias_falls)


def _slope(positions: Array) -> float:
    """Return the mean step of positions, NaN if fewer than two are known."""
    known = np.flatnonzero(np.isfinite(positions))
    if known.size < 2:
        return float("nan")
    first, last = known[0], known[-1]
    return float((positions[last] - positions[first]) / (last - first))


def _snap(measured: float, size: float, count: int) -> float:
    """Return the exact pitch that the header means, or the measured one if it means neither."""
    for exact in (size / count, size / (count - 1)):
        if abs(measured - exact) < PITCH_TOLERANCE * exact:
            return exact
    return measured if np.isfinite(measured) and measured > 0 else size / count
