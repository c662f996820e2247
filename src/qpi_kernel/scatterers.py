"""Where the scatterers are: positions, weights and species, with CSV in and out."""

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError

COLUMNS = ("x_nm", "y_nm", "weight", "species", "confidence")


class ScatterersError(QpiError):
    """Positions that do not have the form an extraction needs."""


@dataclass(frozen=True)
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
        If shapes disagree or a number is not finite.

    Examples
    --------
    >>> points = Scatterers(xy_nm=[[1.0, 2.0], [3.5, 0.2]])
    >>> len(points), points.weight.tolist()
    (2, [1.0, 1.0])
    """

    xy_nm: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64] = field(default=None)  # type: ignore[assignment]  # filled below
    species: npt.NDArray[np.int64] = field(default=None)  # type: ignore[assignment]  # filled below
    confidence: npt.NDArray[np.float64] = field(default=None)  # type: ignore[assignment]  # likewise

    def __post_init__(self) -> None:
        try:
            xy = np.array(self.xy_nm, dtype=np.float64).reshape(-1, 2)
        except ValueError as error:
            raise ScatterersError(f"positions must be (n, 2) numbers x, y in nm: {error}") from None
        count = len(xy)
        columns = {
            "xy_nm": xy,
            "weight": np.ones(count) if self.weight is None else np.array(self.weight, float),
            "species": np.zeros(count, np.int64)
            if self.species is None
            else np.array(self.species, np.int64),
            "confidence": np.ones(count)
            if self.confidence is None
            else np.array(self.confidence, float),
        }
        for name, values in columns.items():
            if len(values) != count or values.ndim != (2 if name == "xy_nm" else 1):
                raise ScatterersError(f"{name} has shape {values.shape} for {count} scatterers")
            if not np.all(np.isfinite(values)):
                raise ScatterersError(f"{name} holds values that are not finite")
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.xy_nm)

    def select(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Scatterers":
        """Return the scatterers picked by a mask or by indices."""
        return Scatterers(
            self.xy_nm[keep], self.weight[keep], self.species[keep], self.confidence[keep]
        )


def save_scatterers(scatterers: Scatterers, path: Path | str) -> None:
    """Write scatterers as CSV with the columns x_nm, y_nm, weight, species, confidence."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for (x, y), weight, species, confidence in zip(
                scatterers.xy_nm,
                scatterers.weight,
                scatterers.species,
                scatterers.confidence,
                strict=True,
            ):
                writer.writerow([repr(float(v)) for v in (x, y, weight)] + [int(species)]
                                + [repr(float(confidence))])
        temporary.replace(path)
    except OSError as error:
        raise ScatterersError(f"{path}: the scatterers cannot be written ({error})") from None
    finally:
        temporary.unlink(missing_ok=True)


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
            if not {"x_nm", "y_nm"} <= set(names) <= set(COLUMNS):
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
                columns[name].append(float(row[name]))
            except (TypeError, ValueError):
                raise ScatterersError(
                    f"{path}, line {number}: {name} should be a number, found {row[name]!r}"
                ) from None
    return Scatterers(
        np.column_stack([columns["x_nm"], columns["y_nm"]]),
        *(
            np.asarray(columns[name], dtype=kind) if name in columns else None  # type: ignore[arg-type]  # None asks for the default
            for name, kind in (("weight", float), ("species", np.int64), ("confidence", float))
        ),
    )
