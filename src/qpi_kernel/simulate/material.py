"""What a material is: a kernel, its ring and where both hold."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate.continuum import ParabolicBand

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """A surface whose kernels can be simulated.

    Parameters
    ----------
    name, description, source : str
        Key, what it is, where its parameters come from.
    kernel : callable (y_nm, x_nm, energy_eV) -> array
        delta rho [1/(eV nm^2)] on the axes y (ny,) and x (nx,), scatterer at the origin.
    ring_q : callable (energy_eV) -> float
        Wave vector of the ring (for crystals: along a lattice vector unless the description says
        otherwise) [1/nm]; NaN where there is none.
    energies_eV : (low, high)
        Range in which the model holds.
    band : ParabolicBand, optional
        The band, where it is one for which multiple scattering is known.
    ring_narrows : bool
        The ring of a hole band narrows with energy.
    site_inversion : bool
        The scatterer sits on a centre of inversion, so that the kernel is even, K(-r) = K(r).
    """

    name: str
    description: str
    source: str
    kernel: Callable[[Floats, Floats, float], Floats] = field(repr=False)
    ring_q: Callable[[float], float] = field(repr=False)
    energies_eV: tuple[float, float]
    band: ParabolicBand | None = field(default=None, repr=False)
    ring_narrows: bool = False
    site_inversion: bool = True
