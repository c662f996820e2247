"""What every format reader starts from: the bytes of a file, its errors, numbers in its header."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.errors import QpiError

# A grid that was aborted holds at least a hundredth of its points in practice, and measured noise
# does not compress; below 64 MiB a wrong claim costs nothing.
LARGEST_RATIO = 100
HARMLESS_BYTES = 2**26


class ReadError(QpiError):
    """A file that cannot be read: which, what was expected, what was found, what to do."""


@dataclass(frozen=True)
class Source:
    """The bytes of one file.

    Parameters
    ----------
    path : Path
        Where it lies, for formats of several files and for values that stay on disk.
    format : str
        Name of the format that reads it.
    content : bytes
        The whole file; its first bytes if `lazy`.
    size_nm : (width, height) or None
        Size given by hand [nm], for files that state none.
    lazy : bool
        Leave the values on disk until they are used.
    """

    path: Path
    format: str
    content: bytes
    size_nm: tuple[float, float] | None = None
    lazy: bool = False

    @property
    def name(self) -> str:
        """File name without folders: where somebody keeps a file is nobody else's business."""
        return self.path.name

    @property
    def size(self) -> int:
        """Bytes of the whole file, or of all files of a folder."""
        if self.path.is_dir():
            return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())
        return self.path.stat().st_size if self.lazy else len(self.content)

    def error(self, expected: str, found: str, advice: str) -> ReadError:
        """Return the one-sentence error of this file, ready to be raised."""
        # Units and names of a damaged file may hold line breaks, or commands to a terminal.
        plain = "".join(letter if letter.isprintable() else "?" for letter in found)
        return ReadError(
            f"{self.name} ({self.format}): expected {expected}, found {plain}; {advice}"
        )

    def check_claim(self, claimed: int) -> None:
        """Refuse a header that claims far more bytes than the file can hold.

        Parameters
        ----------
        claimed : int
            Bytes that the values would need in memory.
        """
        if claimed > max(LARGEST_RATIO * self.size, HARMLESS_BYTES):
            raise self.error(
                f"values that fit into its {self.size} bytes",
                f"a header that claims {claimed:.3g} bytes",
                "the header is damaged, copy the file again",
            )


class Reader(NamedTuple):
    """One line of the table of formats."""

    format: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    read: Callable[[Source], xr.Dataset]
    lazy: bool = False


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
