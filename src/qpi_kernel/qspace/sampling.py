"""The values of a map between its pixels."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import map_coordinates

from qpi_kernel.maps import pixel_nm

Array = npt.NDArray[np.floating[Any]]


def sample(field: xr.DataArray, y: Array, x: Array) -> Array:
    """Interpolate a map with cubic splines at the positions (y, x) [nm]; NaN outside its window."""
    dy, dx = pixel_nm(field)
    rows, columns = (y - float(field["y"][0])) / dy, (x - float(field["x"][0])) / dx
    last_row, last_column = field.sizes["y"] - 1, field.sizes["x"] - 1
    # A pixel that a rotation by 90 degrees throws 1e-12 outside is still that pixel.
    edge = 1e-6
    outside = (rows < -edge) | (rows > last_row + edge)
    outside |= (columns < -edge) | (columns > last_column + edge)
    where = np.stack([np.clip(rows, 0, last_row), np.clip(columns, 0, last_column)])
    filled = np.nan_to_num(field.values.astype(float))
    samples = np.stack([map_coordinates(v, where, order=3, mode="mirror") for v in filled])
    samples[:, outside] = np.nan
    return samples
