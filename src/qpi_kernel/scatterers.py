"""Where the scatterers are: positions, weights and species, with CSV in and out."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.files import reason_of, replacing

COLUMNS = ("x_nm", "y_nm", "weight", "species", "confidence")


class ScatterersError(QpiError):
    """Positions that do not have the form an extraction needs."""


# Compared by identity: arrays have no single truth value.
@dataclass(frozen=True, eq=False)
class Scatterers:
    """The scatterers of a map.

    Parameters
    ----------
    xy_nm : array, shape (n, 2)
        Positions (x, y) [nm] in the coordinates of the map; sub-pixel.
    weight : array, shape (n,), optional
        Strength of each scatterer relative to the kernel, with sign; 1 if not given.
    species : array of int, shape (n,), optional
        Kind of each scatterer, counted from 0; scatterers of one species share a kernel.
    confidence : array, shape (n,), optional
        How sure the finder is of each one, 0 to 1; 1 for positions given by hand.

    Raises
    ------
    ScatterersError
        If shapes disagree, a number is not finite or a species is not whole.

    Examples
    --------
    >>> points = Scatterers(xy_nm=[[1.0, 2.0], [3.5, 0.2]])
    >>> len(points), points.weight.tolist()
    (2, [1.0, 1.0])
    """

    xy_nm: npt.NDArray[np.float64]
    # None asks for the default, which needs the number of scatterers; see __post_init__.
    weight: npt.NDArray[np.float64] = None  # type: ignore[assignment]
    species: npt.NDArray[np.int64] = None  # type: ignore[assignment]
    confidence: npt.NDArray[np.float64] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        xy = _numbers("xy_nm", self.xy_nm)
        if xy.size == 0:
            xy = xy.reshape(0, 2)
        if xy.ndim != 2 or xy.shape[1] != 2:
            raise ScatterersError(f"xy_nm has shape {xy.shape}, expected (n, 2): one row x, y each")
        count = len(xy)
        columns = {
            "xy_nm": xy,
            "weight": np.ones(count) if self.weight is None else _numbers("weight", self.weight),
            "species": np.zeros(count)
            if self.species is None
            else _numbers("species", self.species),
            "confidence": np.ones(count)
            if self.confidence is None
            else _numbers("confidence", self.confidence),
        }
        if np.any(columns["species"] != np.rint(columns["species"])):
            raise ScatterersError("species holds numbers that are not whole")
        columns["species"] = columns["species"].astype(np.int64)
        for name, values in columns.items():
            if name != "xy_nm" and values.shape != (count,):
                raise ScatterersError(f"{name} has shape {values.shape} for {count} scatterers")
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.xy_nm)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The species that occur, ascending."""
        return np.unique(self.species)

    def select(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Scatterers":
        """Return the scatterers picked by a mask or by indices."""
        return Scatterers(
            self.xy_nm[keep], self.weight[keep], self.species[keep], self.confidence[keep]
        )


def _numbers(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ScatterersError(f"{name} should hold numbers: {error}") from None
    if not np.all(np.isfinite(array)):
        raise ScatterersError(f"{name} holds values that are not finite")
    return array


def save_scatterers(scatterers: Scatterers, path: Path | str) -> None:
    """Write scatterers as CSV with the columns x_nm, y_nm, weight, species, confidence.

    Raises
    ------
    ScatterersError
        If the file cannot be written.
    """
    table = np.column_stack(
        [scatterers.xy_nm, scatterers.weight, scatterers.species, scatterers.confidence]
    )
    try:
        with (
            replacing(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for x, y, weight, species, confidence in table.tolist():
                writer.writerow([x, y, weight, int(species), confidence])
    except OSError as error:
        raise ScatterersError(
            f"{path}: the scatterers cannot be written ({reason_of(error)})"
        ) from None


def load_scatterers(path: Path | str) -> Scatterers:
    """Read scatterers from CSV: columns x_nm, y_nm and, if there, weight, species, confidence.

    Raises
    ------
    ScatterersError
        If the file cannot be read, a column is missing or unknown, or an entry is no number.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            names = [name.strip() for name in reader.fieldnames or []]
            known = {"x_nm", "y_nm"} <= set(names) <= set(COLUMNS)
            if not known or len(names) != len(set(names)):
                raise ScatterersError(
                    f"{path}: expected the columns x_nm,y_nm[,weight,species,confidence],"
                    f" found {','.join(names) or 'an empty file'}"
                )
            reader.fieldnames = names
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScatterersError(f"{path}: the scatterers cannot be read ({error})") from None
    columns: dict[str, list[float]] = {name: [] for name in names}
    for number, row in enumerate(rows, start=2):
        for name in names:
            try:
                value = float(row[name])
            except (TypeError, ValueError):
                value = math.nan
            if not math.isfinite(value):
                raise ScatterersError(
                    f"{path}, line {number}: {name} should be a number, found {row[name]!r}"
                )
            columns[name].append(value)
    return Scatterers(
        np.column_stack([columns["x_nm"], columns["y_nm"]]),
        *(
            columns.get(name)  # type: ignore[arg-type]  # lists become arrays, None the default
            for name in ("weight", "species", "confidence")
        ),
    )
