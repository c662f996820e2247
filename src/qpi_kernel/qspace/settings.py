"""Settings of transforms, of curves over q and of a lattice to lay over them."""

from typing import Annotated, Literal

from pydantic import Field

from qpi_kernel.settings import settings


@settings
class TransformSettings:
    """How a kernel or a map is transformed.

    Parameters
    ----------
    window : {"none", "hann", "blackman", "kaiser"}
        What the map or kernel is multiplied by, towards its edges.
    pad : int
        Length of the transform in units of the map or kernel: 2 halves the step in q.
    symmetry : {"none", "C2", "C3", "C4", "C6", "C2v", "C3v", "C4v", "C6v", "mirror"}
        The group over which a kernel is averaged; a map, which has no centre, has |F| averaged.
    mirror_deg : float
        Direction of the mirror line, from x towards y [degrees].
    """

    window: Literal["none", "hann", "blackman", "kaiser"] = "none"
    pad: Annotated[int, Field(ge=1, le=8)] = 1
    symmetry: Literal["none", "C2", "C3", "C4", "C6", "C2v", "C3v", "C4v", "C6v", "mirror"] = "none"
    mirror_deg: Annotated[float, Field(ge=-180, le=180)] = 0.0


@settings
class CurveSettings:
    """Which curve over q is taken at each energy, and which band is fitted to its maxima.

    Parameters
    ----------
    direction : {"all", "ray", "line"}
        All directions together, a ray from q = 0, or the line drawn in the q viewer.
    angle_deg : float
        Direction of the ray, from qx towards qy [degrees].
    width_deg : float
        Width of the ray: the mean of the rays within it [degrees].
    width_per_nm : float
        Width of the line: the mean across it [1/nm].
    lowest_per_nm : float or None
        Where the maxima are looked for [1/nm]; None takes all from one wave per window half.
    highest_per_nm : float or None
        Where that ends [1/nm]; None takes all out to Nyquist.
    band : {"none", "parabola", "linear"}
        The band that is fitted to the maxima of at least three energies.
    q_over_k : float
        How many k there are to a q: 2 for scattering straight back.
    """

    direction: Literal["all", "ray", "line"] = "all"
    angle_deg: Annotated[float, Field(ge=-360, le=360)] = 0.0
    width_deg: Annotated[float, Field(ge=0, le=180)] = 0.0
    width_per_nm: Annotated[float, Field(ge=0, le=50)] = 0.0
    lowest_per_nm: Annotated[float, Field(gt=0, le=500)] | None = None
    highest_per_nm: Annotated[float, Field(gt=0, le=500)] | None = None
    band: Literal["none", "parabola", "linear"] = "none"
    q_over_k: Annotated[float, Field(gt=0.1, le=10)] = 2.0


@settings
class LatticeSettings:
    """The atomic lattice whose Brillouin zone is shown.

    Parameters
    ----------
    symmetry : {"square", "hexagonal"}
        Angle between the lattice vectors: 90 or 60 degrees.
    lattice_nm : float
        Lattice constant [nm].
    rotation_deg : float
        Direction of a lattice vector, from x towards y [degrees].
    """

    symmetry: Literal["square", "hexagonal"] = "square"
    lattice_nm: Annotated[float, Field(gt=0.05, le=5)] = 0.383
    rotation_deg: Annotated[float, Field(ge=-180, le=180)] = 0.0


@settings
class PairSettings:
    """The region of q space over which the antisymmetric part of a pair of energies is summed.

    Parameters
    ----------
    qx_per_nm, qy_per_nm : float
        Its middle: the q that joins two pockets, 0 for scattering within one [1/nm].
    radius_per_nm : float
        Its radius [1/nm].
    """

    qx_per_nm: Annotated[float, Field(ge=-500, le=500)] = 0.0
    qy_per_nm: Annotated[float, Field(ge=-500, le=500)] = 0.0
    radius_per_nm: Annotated[float, Field(gt=0, le=500)] = 2.0
