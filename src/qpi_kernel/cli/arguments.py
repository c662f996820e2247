"""The kinds of options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from qpi_kernel.preprocess.settings import PrepareSettings


def _split(count: int | None) -> Any:
    """Make a converter of "1,2,3" to a tuple of numbers."""

    def convert(kind: Any, tokens: Sequence[Any]) -> tuple[float, ...]:
        text = tokens[0].value
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"expected numbers with commas between, found {text!r}") from None
        if count is not None and len(numbers) != count:
            raise ValueError(f"expected {count} numbers with commas between, found {text!r}")
        return numbers

    return convert


def _listed(count: int | None, help_text: str) -> Parameter:
    return Parameter(
        converter=_split(count),
        n_tokens=1,
        accepts_keys=False,
        allow_leading_hyphen=True,
        negative=(),
        help=help_text,
    )


Size = Annotated[
    tuple[float, float] | None,
    _listed(2, "W,H: width and height of the map [nm], where the file states none."),
]
Region = Annotated[
    tuple[float, float, float, float] | None,
    _listed(4, "X0,Y0,X1,Y1: two corners of the part to use [nm]."),
]
QRange = Annotated[
    tuple[float, float] | None, _listed(2, "LO,HI: wave numbers to look between [1/nm].")
]
Biases = Annotated[tuple[float, ...], _listed(None, "MV[,MV...]: sample biases [mV].")]
Lattice = Annotated[
    tuple[float, float, float, float],
    _listed(4, "X1,Y1,X2,Y2: lattice vectors in the plane of the surface [nm]."),
]
Places = Annotated[
    tuple[float, ...] | None,
    _listed(
        None, "X,Y[,X,Y...]: where the orbitals are in the cell, by default at its origin [nm]."
    ),
]
Out = Annotated[Path, Parameter(help="Folder for the results; made if it is not there.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="Where to compute.")]
Prepare = Annotated[
    PrepareSettings | None,
    Parameter(name="*", negative=(), group=Group("What to do to the map before", sort_key=1)),
]
