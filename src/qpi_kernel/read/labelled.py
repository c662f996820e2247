"""Maps that xarray wrote, with named dimensions: what netCDF and Zarr have in common."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_dataset, covered
from qpi_kernel.read.recording import Channel, Source

# A result holds the measurement beside what was made of it; only the measurement is data.
MEASUREMENT = "didv"
DIMENSIONS = (("bias", "y", "x"), ("y", "x"))
# Numbers that belong to one file or one reading, not to the measurement.
PASSING = {"calibrated", "points_measured", "points_total"}
# Any other text may be the name of somebody, a comment or a path.
TEXTS = {"date", "prepared", "symmetrised", "window", "material", "scatterer", "simulation"}


def read_labelled(source: Source, stored: xr.Dataset) -> xr.Dataset:
    """Return the variable "didv", or else every variable (bias, y, x) or (y, x), as channels.

    Axes are bias in mV, y and x in nm. Facts such as the set point are taken from the attributes
    of the map and of the whole: numbers, and texts that this library writes.

    Raises
    ------
    ReadError
        If no variable has these dimensions and axes.
    """
    maps = [name for name, values in stored.items() if values.dims in DIMENSIONS]
    maps = [MEASUREMENT] if MEASUREMENT in maps else maps
    if not maps or not {"y", "x"} <= set(stored.coords):
        raise source.error(
            "a variable (bias, y, x) or (y, x) with axes in mV and nm",
            ", ".join(map(str, stored)) or "none",
            "save a map",
        )
    dataset = stored[maps].load()
    x, y = (np.asarray(dataset[dim].values, dtype=np.float64) for dim in ("x", "y"))
    facts = {**_facts(stored.attrs), **_facts(dataset[maps[0]].attrs)}
    return build_dataset(
        source,
        [
            Channel(str(name), dataset[name].values, str(dataset[name].attrs.get("units", "a.u.")))
            for name in maps
        ],
        bias_mV=_bias(dataset, facts),
        size_nm=(covered(x), covered(y)),
        axes_nm=(x, y),
        facts=facts,
    )


def _bias(dataset: xr.Dataset, facts: Mapping[str, Any]) -> Any:
    if "bias" in dataset.coords:
        return dataset["bias"].values
    return facts.get("setpoint_bias_mV") if "bias" not in dataset.sizes else None


def _facts(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    plain = {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in attrs.items()
    }
    return {
        name: value
        for name, value in plain.items()
        if (isinstance(value, int | float) and name not in PASSING)
        or (isinstance(value, str) and name in TEXTS)
    }
