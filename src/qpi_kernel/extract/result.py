"""What an extraction returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.scatterers import Scatterers


@dataclass(frozen=True)
class Extraction:
    """A kernel with everything needed to judge, save and repeat it.

    The maps obey ``didv = reconstruction + residual`` and
    ``reconstruction = sum_j weight_j kernel(r - r_j) + background`` at every measured point; where
    there are several species, each scatterer adds the kernel of its own.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        The part of the map that was used; NaN where nothing was measured.
    kernel, spread : xarray.DataArray, (bias, y, x)
        Kernel of one scatterer of weight 1 [unit of the map] on a window centred on the scatterer
        (y = x = 0 there), and its standard deviation; of several species those of the first.
    prior : xarray.DataArray or None
        What the learned prior alone would have answered, on the grid of the kernel.
    background, reconstruction : xarray.DataArray, (bias, y, x)
        Smooth background, and kernel convolved with the scatterers plus background.
    scatterers : Scatterers
        Positions and weights as used, after refinement.
    noise : array, shape (bias,)
        Standard deviation of the noise per pixel [unit of the map].
    settings : object
        The `ExtractSettings` of the run.
    numbers : mapping of str to tuple of float
        One value per bias for each measure the extraction itself knows (see `assess`).
    provenance : mapping
        JSON-able: library version, model name and sha256, device, seed.
    used : array of bool, shape (y, x), optional
        The points that the fit used: measured, and not set aside as foreign to the kernel; all
        measured ones if not given.
    parts : tuple of Extraction
        One per species where there are several, by ascending label; else empty. See
        `each_species`.
    """

    didv: xr.DataArray
    kernel: xr.DataArray
    spread: xr.DataArray
    prior: xr.DataArray | None
    background: xr.DataArray
    reconstruction: xr.DataArray
    scatterers: Scatterers
    noise: npt.NDArray[np.float64]
    settings: Any
    numbers: Mapping[str, tuple[float, ...]]
    provenance: Mapping[str, Any]
    used: npt.NDArray[np.bool_] | None = None
    parts: tuple["Extraction", ...] = ()

    @property
    def each_species(self) -> tuple["Extraction", ...]:
        """One extraction per species: its kernel, its scatterers, the map less the other waves.

        The result itself where there is only one species.
        """
        return self.parts or (self,)

    @property
    def residual(self) -> xr.DataArray:
        """What the model does not explain: data minus reconstruction, (bias, y, x)."""
        residual = self.didv.copy(data=self.didv.values - self.reconstruction.values)
        residual.name = "residual"
        return residual
