"""Masks: maps in which NaN marks the points that shall not count."""

import numpy as np
import xarray as xr
from scipy.ndimage import binary_dilation, distance_transform_edt, label, maximum

from qpi_kernel.maps import check_map, pixel_nm
from qpi_kernel.preprocess.levelling import level
from qpi_kernel.preprocess.slices import Array, Mask, PreprocessError, robust_sigma
from qpi_kernel.scatterers import Scatterers

# Cores and clusters bend a plane; a surface of this degree follows puddles and the bow of the scan.
DEGREE = 2


def mask_scatterers(didv: xr.DataArray, scatterers: Scatterers, radius_nm: float) -> xr.DataArray:
    """Return a map with NaN within a distance of the scatterers.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    scatterers : Scatterers
        Positions [nm].
    radius_nm : float
        Radius of the discs [nm].

    Raises
    ------
    PreprocessError
        If the radius is not positive.
    """
    check_map(didv)
    if not radius_nm > 0:
        raise PreprocessError(f"the radius of a mask must be positive, got {radius_nm:g} nm")
    y, x = didv["y"].values[:, None], didv["x"].values[None, :]
    covered = np.zeros((didv.sizes["y"], didv.sizes["x"]), dtype=bool)
    for x_nm, y_nm in scatterers.xy_nm:
        covered |= np.hypot(y - y_nm, x - x_nm) <= radius_nm
    return _without(didv, covered)


def mask_cores(didv: xr.DataArray, threshold: float = 4.0) -> xr.DataArray:
    """Return a map with NaN at the cores of scatterers, and at all else that stands out.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map; every bias is masked by itself.
    threshold : float
        A point stands out by more than so many robust standard deviations of the slice, less a
        surface of degree 2; it and its neighbours are masked.

    Raises
    ------
    PreprocessError
        If the threshold is not positive.
    """
    return _without(didv, binary_dilation(_standing_out(didv, threshold) > 1, _cross()))


def mask_clusters(didv: xr.DataArray, width_nm: float, threshold: float = 4.0) -> xr.DataArray:
    """Return a map with NaN at clusters and debris: what stands out and is wide, at all biases.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    width_nm : float
        Regions in which a disc of this diameter fits are masked [nm].
    threshold : float
        What stands out does so by the median over the biases of its robust standard deviations.

    Raises
    ------
    PreprocessError
        If the threshold or the width is not positive.
    """
    check_map(didv)
    if not width_nm > 0:
        raise PreprocessError(f"the width of a cluster must be positive, got {width_nm:g} nm")
    out = np.median(_standing_out(didv, threshold), axis=0) > 1
    regions, count = label(out)
    if not count:
        return didv.copy()
    # What lies beyond the map may be more of the same: the border is no end of a region.
    depth = distance_transform_edt(np.pad(out, 1, mode="edge"), pixel_nm(didv))[1:-1, 1:-1]
    wide = 2 * np.asarray(maximum(depth, regions, np.arange(1, count + 1))) > width_nm
    clusters = np.isin(regions, 1 + np.flatnonzero(wide))
    return _without(didv, binary_dilation(clusters, _cross()[0], iterations=2))


def _standing_out(didv: xr.DataArray, threshold: float) -> Array:
    """Return the distance of every point from the surface in units of what is tolerated."""
    check_map(didv)
    if not threshold > 0:
        raise PreprocessError(f"the threshold of a mask must be positive, got {threshold:g}")
    flat = level(didv, DEGREE).values.astype(np.float64)
    result = np.zeros(flat.shape)
    for out, plane in zip(result, flat, strict=True):
        sigma = robust_sigma(plane)
        if sigma:
            out[:] = np.abs(np.nan_to_num(plane - np.nanmedian(plane))) / (threshold * sigma)
    return result


def _without(didv: xr.DataArray, covered: Mask) -> xr.DataArray:
    return didv.copy(data=np.where(covered, np.float32(np.nan), didv.values))


def _cross() -> Mask:
    """Return the four neighbours of a pixel within its own slice."""
    return np.array([[[False, True, False], [True, True, True], [False, True, False]]])
