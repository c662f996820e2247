"""What a simulated map is asked for in a form or a file: one kind of scatterer in one material."""

from typing import Annotated

import numpy as np
from pydantic import Field

from qpi_kernel.settings import settings
from qpi_kernel.simulate.nuisance import Realism


@settings
class SimulateSettings:
    """A map of many scatterers of one kind, at evenly spaced energies; see `simulate_map`.

    Parameters
    ----------
    material : str
        A name in the table of materials.
    scatterer : str or None
        A kind that the material offers; None is the usual one.
    first_mV : float
        Lowest sample bias [mV].
    last_mV : float
        Highest sample bias [mV]; counts where there are several energies.
    energies : int
        Number of energies, evenly spaced.
    size_nm : float
        Side of the square map [nm].
    pixels : int
        Pixels along each side.
    scatterers : int
        How many scatterers stand in the map.
    snr : float
        Variance of the ripples over the variance of the white noise.
    realism : {"clean", "lab", "hard"}
        White noise alone, or drift, 1/f noise, hum, row offsets, spikes and lattice too, as in a
        good (lab) or a bad (hard) scan.
    temperature_K : float
        Temperature of the tip, which smears the energies [K].
    modulation_mV : float
        Lock-in modulation V_rms, which smears the energies [mV].
    seed : int
        Seed of all random numbers: the same seed gives the same map.
    """

    material: str = "ag111"
    scatterer: str | None = None
    first_mV: Annotated[float, Field(ge=-5000, le=5000)] = -20.0
    last_mV: Annotated[float, Field(ge=-5000, le=5000)] = 20.0
    energies: Annotated[int, Field(ge=1, le=500)] = 1
    size_nm: Annotated[float, Field(gt=0, le=1000)] = 40.0
    pixels: Annotated[int, Field(ge=16, le=1024)] = 160
    scatterers: Annotated[int, Field(ge=1, le=1000)] = 14
    snr: Annotated[float, Field(gt=0, le=1e6)] = 10.0
    realism: Realism = "clean"
    temperature_K: Annotated[float, Field(ge=0, le=300)] = 0.0
    modulation_mV: Annotated[float, Field(ge=0, le=100)] = 0.0
    seed: Annotated[int, Field(ge=0, le=999_999)] = 0

    @property
    def biases_mV(self) -> list[float]:
        """The sample biases, lowest first [mV]."""
        if self.energies == 1:
            return [self.first_mV]
        low, high = sorted((self.first_mV, self.last_mV))
        return [float(bias) for bias in np.linspace(low, high, self.energies)]
