"""The kinds of options that several commands share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from qpi_kernel.preprocess.settings import PrepareSettings
from qpi_kernel.settings import from_dict, to_dict

# Heavy modules load when something runs, so that --help and mistyped commands answer at once.
if TYPE_CHECKING:
    from qpi_kernel.pipeline import PipelineSettings


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


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What an extraction needs to know beside its file.

    Parameters
    ----------
    channel
        Channel to use; by default the one that `info` names.
    bias
        Use the nearest bias [mV].
    all_biases
        Use all biases.
    scatterers
        "auto" (found in the map), "topography" (found there), or a CSV file with the columns
        x_nm,y_nm[,weight,species].
    window
        Width of the kernel [nm]; by default it follows from the map.
    method
        How to extract.
    max_species
        Tell up to so many species of scatterers apart where the positions name none.
    position_error
        How far given positions may be off [nm]; by default one pixel, 0.1 nm at least.
    refine
        Improve positions and weights together with the kernel.
    model
        A model file of your own; by default the shipped one.
    seed
        Seed of all random numbers.
    """

    channel: str | None = None
    bias: float | None = None
    all_biases: Annotated[bool, Parameter(negative=())] = False
    region: Region = None
    scatterers: str = "auto"
    window: float | None = None
    method: Literal["aligned", "wiener", "sbd", "average"] = "aligned"
    max_species: int = 1
    position_error: float | None = None
    refine: bool = True
    model: Path | None = None
    size: Size = None
    device: Device = "auto"
    seed: int = 0
    prepare: Prepare = None

    def settings(self) -> "PipelineSettings":
        """Return the settings that these options ask for."""
        from qpi_kernel.pipeline import PipelineSettings

        named = self.scatterers in ("auto", "topography")
        return from_dict(
            PipelineSettings,
            {
                "channel": self.channel,
                "bias_mV": self.bias,
                "all_biases": self.all_biases,
                "region_nm": self.region,
                "size_nm": self.size,
                "scatterers_file": None if named else self.scatterers,
                "find_in": "topography" if self.scatterers == "topography" else "map",
                "device": self.device,
                "seed": self.seed,
                "prepare": to_dict(self.prepare) if self.prepare else {},
                "extract": {
                    "method": self.method,
                    "window_nm": self.window,
                    "max_species": self.max_species,
                    "position_error_nm": self.position_error,
                    "refine": self.refine,
                    "model": None if self.model is None else str(self.model),
                },
            },
        )


Options = Annotated[RunOptions | None, Parameter(name="*")]
