"""Maps with known truth: kernels of held-out families, scanned as a laboratory scans."""

import math
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from qpi_kernel.evaluate.measures import inside
from qpi_kernel.preprocess import prepare
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.simulate.families import draw_kernel
from qpi_kernel.simulate.material import Defect
from qpi_kernel.simulate.materials import MATERIALS
from qpi_kernel.simulate.scene import simulate_map

PIXELS, PIXEL_NM, WINDOW_PX = 128, 0.25, 63
WINDOW_NM = WINDOW_PX * PIXEL_NM
JITTER_PX, WEIGHT_SPREAD = 0.3, 0.2
SNRS = (0.5, 2.0, 10.0)
# Scatterers in the map times the share of it that one kernel window covers.
OVERLAPS: dict[str, tuple[float, float]] = {
    "low": (0.5, 2.0), "medium": (2.0, 6.0), "high": (6.0, 15.0),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One map with its truth.

    Parameters
    ----------
    family, overlap : str
    snr : float
        Variance of the ripples, cores cut out, over that of the white noise.
    didv : xarray.DataArray, (1, y, x)
        The map, prepared as `prepare` does by default.
    truth : xarray.DataArray, (1, y, x)
        The true kernel on the window.
    true : Scatterers
        Those in the map, with their weights; more lie outside.
    told : Scatterers
        What the methods are told: positions 0.3 px off (rms), no weights.
    """

    family: str
    overlap: str
    snr: float
    didv: xr.DataArray
    truth: xr.DataArray
    true: Scatterers
    told: Scatterers


def draw_scene(family: str, snr: float, overlap: str, seed: tuple[int, ...]) -> Scene:
    """Draw a scene of 128 x 128 px (0.25 nm each) with the nuisances of realism "lab"."""
    rng = np.random.default_rng(seed)
    drawn = draw_kernel(family, rng, 2 * PIXELS + 1).astype(float)
    defect = Defect(lambda y_nm, x_nm, energy_eV: drawn, "C1")
    material = replace(MATERIALS["ag111"], name=family, band=None, scatterers={family: defect})
    low, high = (math.log(number * (PIXELS / WINDOW_PX) ** 2) for number in OVERLAPS[overlap])
    simulated = simulate_map(
        material, bias_mV=[0.0], size_nm=PIXELS * PIXEL_NM, pixels=PIXELS, snr=snr,
        scatterers=round(math.exp(rng.uniform(low, high))), weight_spread=WEIGHT_SPREAD,
        seed=int(rng.integers(2**31)), nuisance="lab",
    )  # fmt: skip
    middle = slice(PIXELS - WINDOW_PX // 2, PIXELS + WINDOW_PX // 2 + 1)
    true = inside(simulated.scatterers, simulated.didv)
    jitter = JITTER_PX * PIXEL_NM / math.sqrt(2) * rng.normal(size=true.xy_nm.shape)
    return Scene(
        family,
        overlap,
        snr,
        prepare(simulated.didv),
        simulated.kernel.isel(y=middle, x=middle),
        true,
        Scatterers(true.xy_nm + jitter),
    )
