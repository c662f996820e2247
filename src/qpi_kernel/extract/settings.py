"""Settings of an extraction."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from qpi_kernel.settings import settings

Method = Literal["aligned", "wiener", "sbd", "average"]
METHODS: tuple[Method, ...] = get_args(Method)


@settings
class ExtractSettings:
    """How a kernel is extracted.

    Parameters
    ----------
    method : {"aligned", "wiener", "sbd", "average"}
        Learned prior and posterior; the same linear problem without a learned prior; that with
        scatterers found by sparse blind deconvolution, if none are given; or the plain average of
        the map around the scatterers.
    window_nm : float or None
        Side of the kernel window [nm]; None takes eight ripple wavelengths, at most half the map.
    refine : bool
        Improve positions and weights together with the kernel.
    position_error_nm : float or None
        How far given positions may be off [nm]; None takes one pixel, 0.1 nm at least.
    background_degree : int
        Degree of the polynomial background that is fitted with the kernel.
    set_aside : bool
        Leave out pixels whose residual stands out (clusters, crash sites, other species' cores).
    max_species : int
        Tell up to so many species of scatterers apart where nobody labelled them; 1 tells none.
    samples : int
        Draws from the posterior behind the spread.
    model : str or None
        File of a trained model; None takes the one shipped with the library.
    """

    method: Method = "aligned"
    window_nm: Annotated[float, Field(gt=0, le=500)] | None = None
    refine: bool = True
    position_error_nm: Annotated[float, Field(gt=0, le=10)] | None = None
    background_degree: Annotated[int, Field(ge=0, le=3)] = 2
    set_aside: bool = True
    max_species: Annotated[int, Field(ge=1, le=4)] = 1
    samples: Annotated[int, Field(ge=4, le=64)] = 8
    model: str | None = None
