"""What every format reader starts from and returns: a source of bytes, and a Dataset of channels.

A Dataset has one variable per channel on one grid: (bias, y, x) for channels measured along a bias
sweep and for scan images (one bias, the set point), (y, x) for the maps that a grid records beside
its sweeps. Row 0 has the smallest y. Values are float32 in pm, pA, nS or the unit of the file, NaN
where nothing was measured.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import make_map

# Deflate reaches 1030 : 1 at most, and an aborted grid holds at least a hundredth of its points in
# practice; below 256 MiB a wrong claim costs nothing.
LARGEST_RATIO = 1100
HARMLESS_BYTES = 2**28

DISPLAY_UNITS = {
    "m": (1e12, "pm"),
    "nm": (1e3, "pm"),
    "Å": (1e2, "pm"),
    "A": (1e12, "pA"),
    "S": (1e9, "nS"),
}


class ReadError(QpiError):
    """A file that cannot be read: which, what was expected, what was found, what to do."""


@dataclass(frozen=True)
class Source:
    """The bytes of one file.

    Parameters
    ----------
    name : str
        File name without folders.
    format : str
        Name of the format that reads it.
    content : bytes
        The whole file.
    size_nm : (width, height) or None
        Size given by hand [nm], for files that state none.
    """

    name: str
    format: str
    content: bytes
    size_nm: tuple[float, float] | None = None

    def error(self, expected: str, found: str, advice: str) -> ReadError:
        """Return the one-sentence error of this file, ready to be raised."""
        return ReadError(
            f"{self.name} ({self.format}): expected {expected}, found {found}; {advice}"
        )

    def check_claim(self, claimed: int, ratio: int = 1) -> None:
        """Refuse a header that claims far more bytes than the file can hold.

        Parameters
        ----------
        claimed : int
            Bytes that the values would need in memory.
        ratio : int
            How many bytes one byte of the file may honestly stand for.
        """
        if claimed > max(ratio * len(self.content), HARMLESS_BYTES):
            raise self.error(
                f"values that fit into its {len(self.content)} bytes",
                f"a header that claims {claimed:.3g} bytes",
                "the header is damaged, copy the file again",
            )


class Reader(NamedTuple):
    """One line of the table of formats."""

    format: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    read: Callable[[Source], xr.Dataset]


class Channel(NamedTuple):
    """One channel as a format reader hands it over: (bias, y, x) or (y, x), row 0 at smallest y."""

    name: str
    values: npt.NDArray[Any]
    units: str


def number(text: str | None) -> float | None:
    """Return the first number in a header entry, None if there is none or it is not finite."""
    match = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)", text or "")
    value = float(match[1]) if match else float("nan")
    return value if np.isfinite(value) else None


def integer(text: str | None) -> int | None:
    """Return the first whole number in a header entry, None if there is none."""
    match = re.match(r"\s*([-+]?\d{1,18})(?![\d.])", text or "")
    return int(match[1]) if match else None


def in_milli(value: float | None) -> float | None:
    """Return a header entry in V as mV, rounded to the digits that float32 files carry."""
    return None if value is None else round(value * 1e3, 9)


def build_dataset(
    source: Source,
    channels: Sequence[Channel],
    *,
    bias_mV: npt.ArrayLike | None,
    size_nm: tuple[float, float] | None,
    facts: Mapping[str, Any],
    axes_nm: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    unit_of_progress: str = "points",
    notes: Sequence[str] = (),
) -> xr.Dataset:
    """Put channels on calibrated axes.

    Parameters
    ----------
    source : Source
        The file; its `size_nm` is used where the file states no size.
    channels : sequence of Channel
        Values (bias, y, x) or (y, x), row 0 at the smallest y, in any unit; m, A and S become pm,
        pA and nS.
    bias_mV : array_like, shape (bias,), or None
        Sweep, or set point of an image [mV]; None: not stated, 0 stands in with a note.
    size_nm : (width, height) or None
        Size of the frame as the file states it [nm].
    facts : mapping
        Further facts of the file; None means that the file does not say.
    axes_nm : (x, y), optional
        Positions of the columns and rows [nm]; from 0 in steps of size / points if not given.
    unit_of_progress : {"points", "rows"}
        What the banner of an unfinished measurement counts.
    notes : sequence of str
        Banners for the user.

    Raises
    ------
    ReadError
        If there is no channel, no size, or not a single measured point.
    """
    notes = list(notes)
    if not channels:
        raise source.error("at least one channel", "none", "record a channel or check the file")
    ny, nx = channels[0].values.shape[-2:]
    if min(ny, nx) < 2:
        raise source.error(
            "a map of at least 2 x 2 points", f"{nx} x {ny} points (a line)", "choose a map"
        )
    calibrated = size_nm is not None
    size = size_nm if size_nm is not None else source.size_nm
    if size is None:
        raise source.error(
            "a calibrated map", "no size in nm", "give the size (--size W,H on the command line)"
        )
    if not all(np.isfinite(edge) and 0 < edge < 1e9 for edge in size):
        raise source.error(
            "a size of more than 0 nm", f"{size[0]:g} x {size[1]:g} nm", "give the true size"
        )
    if not calibrated:
        notes.append(f"size given by hand: {size[0]:g} x {size[1]:g} nm")
    elif source.size_nm is not None:
        notes.append("the size given by hand was not used: the file states its own")
    if bias_mV is None:
        bias_mV = [0.0]
        notes.append("the file states no bias: 0 mV stands in")
    bias = np.atleast_1d(np.asarray(bias_mV, dtype=np.float64))
    x, y = axes_nm or (np.arange(nx) * (size[0] / nx), np.arange(ny) * (size[1] / ny))

    variables: dict[str, xr.DataArray] = {}
    measured = np.zeros((ny, nx), dtype=bool)
    for channel in channels:
        factor, units = DISPLAY_UNITS.get(channel.units, (1.0, channel.units or "a.u."))
        with np.errstate(over="ignore", invalid="ignore"):
            values = (channel.values * np.float64(factor)).astype(np.float32)
        values[~np.isfinite(values)] = np.nan
        measured |= np.isfinite(values).any(axis=tuple(range(values.ndim - 2)))
        swept = values.ndim == 3 or bias.size == 1
        variable = make_map(
            values,
            bias_mV=bias if swept else bias[:1],
            y_nm=y,
            x_nm=x,
            units=units,
            name=channel.name,
        )
        variables[_distinct(channel.name, variables)] = (
            variable if swept else variable.isel(bias=0, drop=True)
        )
    if not measured.any():
        raise source.error(
            "at least one measured point", "none", "the measurement was aborted at its start"
        )
    done, total = int(measured.sum()), int(measured.size)
    if done < total:
        if unit_of_progress == "rows":
            notes.insert(0, f"scan unfinished: {int(measured.any(axis=1).sum())} of {ny} rows")
        else:
            notes.insert(0, f"grid unfinished: {done} of {total} points")
    attrs = {
        "format": source.format,
        "source": source.name,
        **{name: fact for name, fact in facts.items() if fact is not None},
        "size_nm": (float(size[0]), float(size[1])),
        "points_measured": done,
        "points_total": total,
        "calibrated": calibrated,
        "notes": notes,
    }
    return xr.Dataset(variables, attrs=attrs)


def _distinct(name: str, taken: Mapping[str, object]) -> str:
    """Return `name`, numbered if it is taken: two channels may never become one."""
    candidate, count = name or "channel", 1
    while candidate in taken or candidate in ("bias", "y", "x"):
        count += 1
        candidate = f"{name or 'channel'} ({count})"
    return candidate
