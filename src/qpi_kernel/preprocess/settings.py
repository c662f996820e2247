"""Settings of the preparation of a map."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from qpi_kernel.settings import settings

Normalisation = Literal["none", "g/I", "gV/I"]
Symmetry = Literal["square", "hexagonal"]
# On a command line nothing is a word.
Degree = Annotated[
    Annotated[int, Field(ge=0, le=3)] | None,
    BeforeValidator(lambda given: None if given == "none" else given),
]


@settings
class DistortionSettings:
    """How the frame of a scan is straightened; by default it is left as it is.

    The lattice is looked for in the topography of the same scan, without one in the map.

    Parameters
    ----------
    drift_x_nm : float
        How far the tip drifts along x over the sample from the lowest row to the highest [nm].
    drift_y_nm : float
        How far it drifts along y [nm].
    shear_deg : float
        How far the slow scan axis leans towards the fast one [deg].
    lawler_fujita : bool
        Take the displacement field of the lattice away.
    smoothing_nm : float or None
        Distance over which the phase of the lattice is averaged [nm]; None takes three periods.
    lattice : {"none", "square", "hexagonal"}
        Make the Bragg peaks those of this lattice by a linear map.
    lattice_constant_nm : float or None
        Lattice constant [nm]; None keeps the measured area of the unit cell.
    """

    drift_x_nm: Annotated[float, Field(ge=-100, le=100)] = 0.0
    drift_y_nm: Annotated[float, Field(ge=-100, le=100)] = 0.0
    shear_deg: Annotated[float, Field(ge=-30, le=30)] = 0.0
    lawler_fujita: bool = False
    smoothing_nm: Annotated[float, Field(gt=0, le=100)] | None = None
    lattice: Literal["none", "square", "hexagonal"] = "none"
    lattice_constant_nm: Annotated[float, Field(gt=0, le=10)] | None = None


@settings
class PrepareSettings:
    """What to do to a map before the extraction, in the order in which it is done.

    Parameters
    ----------
    average_traces : bool
        Average the forward with the backward trace, after moving the latter onto the former.
    normalise : {"none", "g/I", "gV/I"}
        Divide dI/dV by the current, or by the current over the bias, of the same spectrum.
    despike : bool
        Replace outlier pixels by the median of their neighbours.
    remove_streaks : bool
        Replace streaks along the rows by what the rows above and below show.
    hum_px : float or None
        Period of the hum of the mains along a row [px], to be taken away; None leaves it.
    mask_cores : bool
        Level by what lies between the scatterers, without their cores.
    level_degree : int or None
        Degree of the polynomial surface that is subtracted; None subtracts nothing.
    level_rows : bool
        Subtract the median of every row.
    distortion : DistortionSettings
        How drift and distortion of the frame are corrected.
    clusters_nm : float or None
        Mark what stands out and is wider than this as not measured [nm]; None leaves it.
    pixel_nm : float or None
        Bring the map to square pixels of this size without aliasing [nm]; None keeps its own.
    """

    average_traces: bool = False
    normalise: Normalisation = "none"
    despike: bool = False
    remove_streaks: bool = False
    hum_px: Annotated[float, Field(gt=2, le=1000)] | None = None
    mask_cores: bool = False
    level_degree: Degree = 1
    level_rows: bool = False
    distortion: DistortionSettings = Field(default_factory=DistortionSettings)
    clusters_nm: Annotated[float, Field(gt=0, le=100)] | None = None
    pixel_nm: Annotated[float, Field(gt=0, le=100)] | None = None
