"""Averaging a kernel over the symmetries of its site."""

import numpy as np
import xarray as xr

from qpi_kernel.maps import MapError, check_map
from qpi_kernel.qspace.sampling import sample

FOLDS = (1, 2, 3, 4, 6)


def symmetrise(kernel: xr.DataArray, fold: int, *, mirror: bool = False) -> xr.DataArray:
    """Average a kernel over rotations about its scatterer, and over a mirror if asked.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    fold : {1, 2, 3, 4, 6}
        Rotations by 360 / fold degrees.
    mirror : bool
        Whether to average with the image under y -> -y too.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        The average over those images that lie in the window, ``attrs["symmetrised"]`` naming the
        group ("C4", "C4v").

    Raises
    ------
    MapError
        If `fold` is no rotation of a lattice.
    """
    check_map(kernel)
    if fold not in FOLDS:
        raise MapError(f"fold must be one of {FOLDS}, not {fold}")
    y, x = np.meshgrid(kernel["y"].values, kernel["x"].values, indexing="ij")
    total = np.zeros(kernel.shape)
    count = np.zeros(kernel.shape)
    for turn in 2 * np.pi * np.arange(fold) / fold:
        for sign in (1, -1) if mirror else (1,):
            turned_y = np.sin(turn) * x + np.cos(turn) * sign * y
            turned_x = np.cos(turn) * x - np.sin(turn) * sign * y
            image = sample(kernel, turned_y, turned_x)
            measured = np.isfinite(image)
            total += np.where(measured, image, 0)
            count += measured
    mean = np.divide(total, count, out=np.full(kernel.shape, np.nan), where=count > 0)
    group = f"C{fold}{'v' if mirror else ''}"
    return kernel.copy(data=mean.astype(np.float32)).assign_attrs(symmetrised=group)
