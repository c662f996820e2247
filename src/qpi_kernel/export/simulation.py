"""Writing a simulated map together with the truth that made it."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qpi_kernel.export.formats import ExportError
from qpi_kernel.files import replacing
from qpi_kernel.simulate.scene import SimulatedMap


def write_simulation(simulated: SimulatedMap, path: Path | str) -> Path:
    """Write a simulated map and its truth to one file, which `read_file` takes for a map.

    Parameters
    ----------
    simulated : SimulatedMap
        What `simulate_map` returned.
    path : path
        ``.npz``, with the arrays values, x_nm, y_nm, bias_mV, units of the map and kernel,
        kernel_x_nm, kernel_y_nm, scatterers_xy_nm, weights, noise, ring_q of the truth; or
        ``.nc``, with the same as variables ("didv" for the values). The folder is made.

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            if suffix == ".npz":
                np.savez_compressed(temporary, **_arrays(simulated))
            else:
                _dataset(simulated).to_netcdf(temporary, engine="h5netcdf")
    except OSError as error:
        raise ExportError(
            f"{path}: the simulated map cannot be written there ({error.strerror or error})"
        ) from None
    return path


def _arrays(simulated: SimulatedMap) -> dict[str, Any]:
    didv, kernel = simulated.didv, simulated.kernel
    return {
        "values": didv.values,
        "x_nm": didv["x"].values,
        "y_nm": didv["y"].values,
        "bias_mV": didv["bias"].values,
        "units": didv.attrs["units"],
        "kernel": kernel.values,
        "kernel_x_nm": kernel["x"].values,
        "kernel_y_nm": kernel["y"].values,
        "scatterers_xy_nm": simulated.scatterers.xy_nm,
        "weights": simulated.scatterers.weight,
        "noise": simulated.noise,
        "ring_q": simulated.ring_q,
    }


def _dataset(simulated: SimulatedMap) -> xr.Dataset:
    didv = simulated.didv
    units = {"units": didv.attrs["units"]}
    kernel = simulated.kernel.rename({"y": "kernel_y", "x": "kernel_x"})
    return xr.Dataset(
        {
            "didv": (didv.dims, didv.values, didv.attrs),
            "kernel": (kernel.dims, kernel.values, units),
            "scatterers_xy_nm": (("scatterer", "xy"), simulated.scatterers.xy_nm, {"units": "nm"}),
            "weights": ("scatterer", simulated.scatterers.weight),
            "noise": ("bias", simulated.noise, units),
            "ring_q": ("bias", simulated.ring_q, {"units": "1/nm"}),
        },
        coords={
            axis.name: (axis.name, axis.values, axis.attrs)
            for axis in (
                didv["bias"],
                didv["y"],
                didv["x"],
                kernel["kernel_y"],
                kernel["kernel_x"],
            )
        },
    )
