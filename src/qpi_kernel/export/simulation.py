"""Writing a simulated map together with the truth that made it."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qpi_kernel.export.formats import (
    ExportError,
    map_arrays,
    map_dataset,
    write_dataset,
    writing,
)
from qpi_kernel.simulate.scene import SimulatedMap


def write_simulation(simulated: SimulatedMap, path: Path | str) -> Path:
    """Write a simulated map and its truth to one file, which `read_file` takes for a map.

    Parameters
    ----------
    simulated : SimulatedMap
        What `simulate_map` returned.
    path : path
        ``.npz``, with the arrays values, x_nm, y_nm, bias_mV, units of the map and kernel,
        kernel_x_nm, kernel_y_nm, scatterers_xy_nm, weights, species, noise, ring_q of the truth
        and all settings as JSON in simulation; or ``.nc``, with the same as variables ("didv" for
        the values, which has the settings among its attributes). Further species have their kernels
        in kernel_species_1 and so on. The folder is made.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ExportError
        If the suffix is another, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".npz", ".nc"}:
        raise ExportError(f"{path.name}: a simulated map is written as .npz or .nc; name it so")
    with writing(path, "the simulated map") as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".npz":
            np.savez_compressed(temporary, **_arrays(simulated))
        else:
            write_dataset(_dataset(simulated), temporary)
    return path


def _arrays(simulated: SimulatedMap) -> dict[str, Any]:
    kernel = simulated.kernel
    return {
        **map_arrays(simulated.didv),
        "kernel": kernel.values,
        "kernel_x_nm": kernel["x"].values,
        "kernel_y_nm": kernel["y"].values,
        "scatterers_xy_nm": simulated.scatterers.xy_nm,
        "weights": simulated.scatterers.weight,
        "species": simulated.scatterers.species,
        "noise": simulated.noise,
        "ring_q": simulated.ring_q,
        "simulation": simulated.didv.attrs["simulation"],
        **{name: other.values for name, other in _others(simulated).items()},
    }


def _others(simulated: SimulatedMap) -> dict[str, xr.DataArray]:
    kernels = enumerate(simulated.kernels[1:], 1)
    return {f"kernel_species_{number}": kernel for number, kernel in kernels}


def _dataset(simulated: SimulatedMap) -> xr.Dataset:
    units = {"units": simulated.didv.attrs["units"]}
    kernel = simulated.kernel.rename({"y": "kernel_y", "x": "kernel_x"})
    return map_dataset(simulated.didv).assign(
        {
            "kernel": (kernel.dims, kernel.values, units),
            **{
                name: (kernel.dims, other.values, units)
                for name, other in _others(simulated).items()
            },
            "scatterers_xy_nm": (("scatterer", "xy"), simulated.scatterers.xy_nm, {"units": "nm"}),
            "weights": ("scatterer", simulated.scatterers.weight),
            "species": ("scatterer", simulated.scatterers.species),
            "noise": ("bias", simulated.noise, units),
            "ring_q": ("bias", simulated.ring_q, {"units": "1/nm"}),
            **{dim: (dim, kernel[dim].values, kernel[dim].attrs) for dim in kernel.dims[1:]},
        }
    )
