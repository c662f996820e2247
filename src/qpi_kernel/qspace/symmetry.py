"""The symmetries of a scatterer's site: averaging over them, and how far a kernel is from them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.maps import MapError, check_map
from qpi_kernel.qspace.sampling import sample
from qpi_kernel.qspace.transform import check_fft

FOLDS = (1, 2, 3, 4, 6)
Array = npt.NDArray[np.floating[Any]]


def symmetrise(
    field: xr.DataArray, fold: int, *, mirror: bool = False, mirror_deg: float = 0.0
) -> xr.DataArray:
    """Average a kernel or a transform over rotations about 0, and over mirrors if asked.

    Parameters
    ----------
    field : xarray.DataArray, (bias, y, x) or (bias, qy, qx)
        A kernel with the scatterer at y = x = 0, or a transform, of which |F| is averaged.
    fold : {1, 2, 3, 4, 6}
        Rotations by 360 / fold degrees; 1 with a mirror averages over that mirror alone.
    mirror : bool
        Whether to average with the mirror image too.
    mirror_deg : float
        Direction of the mirror line, counted from x towards y [degrees]. With rotations there are
        `fold` such lines, 180 / fold degrees apart.

    Returns
    -------
    xarray.DataArray
        The average over the images, ``attrs["symmetrised"]`` naming the group ("C4", "C4v", "C4v
        (mirror at 15 deg)"). Where an image of a pixel lies outside the window, a kernel is NaN,
        the outer row and column of an even grid for one: its transform has the symmetry only if
        its window has it. A transform is the average over those images that lie in the window.

    Raises
    ------
    MapError
        If `fold` is no rotation of a lattice.
    """
    field = _real(field)
    total = np.zeros(field.shape)
    count = np.zeros(field.shape)
    for image in _images(field, fold, mirror, mirror_deg):
        measured = np.isfinite(image)
        total += np.where(measured, image, 0)
        count += measured
    needed = 1 if "qy" in field.dims else fold * (1 + mirror)
    mean = np.divide(total, count, out=np.full(field.shape, np.nan), where=count >= needed)
    group = f"C{fold}{'v' if mirror else ''}"
    if mirror and mirror_deg:
        group += f" (mirror at {mirror_deg:g} deg)"
    return field.copy(data=mean.astype(np.float32)).assign_attrs(symmetrised=group)


def asymmetry(
    field: xr.DataArray, fold: int, *, mirror: bool = False, mirror_deg: float = 0.0
) -> Array:
    """Return how far a kernel or a transform is from a symmetry: |K - <K>| / |K|.

    <K> is the average over the group, as `symmetrise` makes it; pixels where it is NaN do not
    count.

    Parameters
    ----------
    field, fold, mirror, mirror_deg
        As for `symmetrise`.

    Returns
    -------
    array, shape (bias,)
        0 for a field that has the symmetry, up to 1 for one whose average vanishes.

    Raises
    ------
    MapError
        If `fold` is no rotation of a lattice.
    """
    given = _real(field)
    mean = symmetrise(given, fold, mirror=mirror, mirror_deg=mirror_deg).values
    values = np.where(np.isfinite(mean), np.nan_to_num(given.values.astype(float)), 0)
    rest = values - np.nan_to_num(mean)
    size = np.sqrt((values**2).sum((1, 2)))
    result: Array = np.divide(
        np.sqrt((rest**2).sum((1, 2))), size, out=np.zeros_like(size), where=size > 0
    )
    return result


def _real(field: xr.DataArray) -> xr.DataArray:
    if isinstance(field, xr.DataArray) and "qy" in field.dims:
        check_fft(field)
        return field.copy(data=np.abs(field.values)) if np.iscomplexobj(field.values) else field
    check_map(field)
    return field


def _images(field: xr.DataArray, fold: int, mirror: bool, mirror_deg: float) -> Any:
    """Yield the images of a field under the elements of a group."""
    if fold not in FOLDS:
        raise MapError(f"fold must be one of {FOLDS}, not {fold}")
    y, x = np.meshgrid(field[field.dims[1]].values, field[field.dims[2]].values, indexing="ij")
    doubled = 2 * np.deg2rad(mirror_deg)
    mirrored = (
        np.sin(doubled) * x - np.cos(doubled) * y,
        np.cos(doubled) * x + np.sin(doubled) * y,
    )
    for turn in 2 * np.pi * np.arange(fold) / fold:
        for from_y, from_x in ((y, x), mirrored) if mirror else ((y, x),):
            yield sample(
                field,
                np.sin(turn) * from_x + np.cos(turn) * from_y,
                np.cos(turn) * from_x - np.sin(turn) * from_y,
            )
