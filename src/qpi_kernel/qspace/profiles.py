"""Curves over q, one per bias: how they are kept, and where their maxima are."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.signal import find_peaks

from qpi_kernel.errors import QpiError
from qpi_kernel.files import reason_of, replacing
from qpi_kernel.maps import MapError

Array = npt.NDArray[np.floating[Any]]
# What a jump across the whole range costs, in heights of the highest maximum: a weak ring that
# goes on where the last one was beats a strong one elsewhere.
JUMP = 4.0


def as_profile(like: xr.DataArray, values: Array, q: Array, units: str) -> xr.DataArray:
    """Wrap one curve per bias of `like` as a DataArray (bias, q)."""
    return xr.DataArray(
        values,
        dims=("bias", "q"),
        coords={"bias": like["bias"], "q": ("q", q, {"units": "1/nm"})},
        attrs={"units": units},
    )


def check_profile(profile: xr.DataArray) -> None:
    """Raise `MapError` unless `profile` has the dimensions (bias, q) and an even q axis."""
    if not isinstance(profile, xr.DataArray) or profile.dims != ("bias", "q"):
        found = profile.dims if isinstance(profile, xr.DataArray) else type(profile).__name__
        raise MapError(f"expected curves with dimensions (bias, q), found {found}")
    if profile.sizes["q"] < 3:
        raise MapError(f"a curve needs at least 3 values of q, this one has {profile.sizes['q']}")


def q_range_within(
    q_range: tuple[float, float], limits: tuple[float, float]
) -> tuple[float, float]:
    """Return the part of a range of q that lies within limits [1/nm].

    Raises
    ------
    MapError
        If nothing is left.
    """
    low, high = max(q_range[0], limits[0]), min(q_range[1], limits[1])
    if not low < high:
        raise MapError(
            f"the range of q from {q_range[0]:g} to {q_range[1]:g} 1/nm is empty;"
            f" there are values from {limits[0]:.3g} to {limits[1]:.3g} 1/nm"
        )
    return low, high


def maxima(q: Array, row: Array) -> tuple[Array, Array]:
    """Return the inner maxima of a curve, each refined by a parabola, and their heights."""
    peaks = find_peaks(np.nan_to_num(row, nan=-np.inf))[0]
    before, at, after = row[peaks - 1], row[peaks], row[peaks + 1]
    bend = before - 2 * at + after
    offset = np.divide(0.5 * (before - after), bend, out=np.zeros_like(at), where=bend < 0)
    return q[peaks] + offset * (q[1] - q[0]), at - 0.25 * (before - after) * offset


def track_peaks(profile: xr.DataArray, q_range: tuple[float, float] | None = None) -> Array:
    """Follow one maximum through the energies.

    Of all ways to choose one maximum per bias the one counts that is high and does not jump:

        maximise  sum_E P(q_E, E) / max_q P(q, E) - 4 sum_E ((q_E - q_E-1) / range)^2

    Parameters
    ----------
    profile : xarray.DataArray, (bias, q)
        Curves, from `radial_profile`, `ray_profile`, `line_cut` or `radial_average`.
    q_range : (lowest, highest), optional
        Where to look [1/nm]; by default everywhere.

    Returns
    -------
    array, shape (bias,)
        q [1/nm]; NaN where the range holds no maximum.

    Raises
    ------
    MapError
        If `profile` is not (bias, q), or the range is empty.
    """
    check_profile(profile)
    q = profile["q"].values
    whole = (float(q[0]), float(q[-1]))
    low, high = q_range_within(q_range or whole, whole)
    chosen = np.full(profile.sizes["bias"], np.nan)
    # Per bias with a maximum: its place in `chosen`, the candidates, and for each of them the best
    # sum so far and the candidate before it.
    path: list[tuple[int, Array, Array, npt.NDArray[np.intp]]] = []
    for index, row in enumerate(profile.values):
        candidates, heights = maxima(q, row)
        inside = (candidates >= low) & (candidates <= high)
        candidates, heights = candidates[inside], heights[inside]
        if not candidates.size or heights.max() <= 0:
            continue
        score = heights / heights.max()
        before = np.zeros(candidates.size, dtype=np.intp)
        if path:
            _, last, sums, _ = path[-1]
            jump = (candidates[:, None] - last[None, :]) / (high - low)
            total = sums[None, :] - JUMP * jump**2
            before = np.argmax(total, axis=1)
            score = score + total.max(axis=1)
        path.append((index, candidates, score, before))
    at = int(np.argmax(path[-1][2])) if path else 0
    for index, candidates, _, before in reversed(path):
        chosen[index] = candidates[at]
        at = int(before[at])
    return chosen


def save_profile(profile: xr.DataArray, path: Path | str) -> None:
    """Write curves as CSV: the column q_per_nm and one column per bias, named by bias and unit.

    Raises
    ------
    QpiError
        If `profile` is not (bias, q), or the file cannot be written.
    """
    check_profile(profile)
    units = profile.attrs.get("units", "a.u.")
    names = ["q_per_nm", *(f"{bias:g} mV [{units}]" for bias in profile["bias"].values)]
    write_rows(path, names, zip(profile["q"].values, *profile.values, strict=True))


def write_rows(path: Path | str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table of numbers as CSV, each with nine digits.

    Raises
    ------
    QpiError
        If the file cannot be written.
    """
    path = Path(path)
    try:
        with (
            replacing(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            for row in rows:
                writer.writerow([f"{float(value):.9g}" for value in row])
    except OSError as error:
        raise QpiError(f"{path}: the table cannot be written there ({reason_of(error)})") from None
