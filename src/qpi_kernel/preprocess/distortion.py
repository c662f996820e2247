"""Straightening the frame of a scan: linear maps, and displacement fields."""

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import map_coordinates, spline_filter

from qpi_kernel.maps import check_map, check_same_grid, make_map, pixel_nm
from qpi_kernel.preprocess.slices import Array, PreprocessError, filled

# Of a lattice with four pixels per period cubic splines lose 1.5 %, quintic ones 0.2 %.
ORDER = 5
LARGEST_STRETCH = 2.0
INVERSION_ROUNDS = 12


def drift_matrix(
    didv: xr.DataArray,
    drift_x_nm: float = 0.0,
    drift_y_nm: float = 0.0,
    shear_deg: float = 0.0,
) -> Array:
    """Return the linear map from scanned to true positions of a drifting, sheared scan.

        x' = x + (drift_x / H + tan(shear)) y,    y' = (1 + drift_y / H) y

    H is the height of the frame: the tip, scanning upwards row by row, drifts on over the sample.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    drift_x_nm, drift_y_nm : float
        How far the tip drifts over the sample from the lowest row to the highest [nm].
    shear_deg : float
        How far the slow scan axis leans towards the fast one [deg].

    Returns
    -------
    array, shape (2, 2)
        The matrix acting on (x, y).
    """
    check_map(didv)
    height = didv.sizes["y"] * pixel_nm(didv)[0]
    lean = drift_x_nm / height + np.tan(np.deg2rad(shear_deg))
    return np.array([[1.0, lean], [0.0, 1.0 + drift_y_nm / height]])


def apply_affine(didv: xr.DataArray, matrix: npt.ArrayLike) -> xr.DataArray:
    """Bring a map from scanned to true positions r' = c + M (r - c), c the centre of the frame.

    The fast axis keeps its direction (M is upper triangular), pixels are stretched with the map,
    and the frame grows to hold all of it; what it holds beside is NaN. Values are interpolated
    along x only, and not at all where M is diagonal.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map.
    matrix : array_like, shape (2, 2)
        M, acting on (x, y); M[1, 0] = 0.

    Returns
    -------
    xarray.DataArray, (bias, y, x)

    Raises
    ------
    PreprocessError
        If M turns the fast axis, or stretches by more than a factor of two.
    """
    check_map(didv)
    m = np.asarray(matrix, dtype=np.float64)
    if m.shape != (2, 2) or not np.isfinite(m).all() or abs(m[1, 0]) > 1e-9:
        raise PreprocessError("a distortion is an upper triangular 2 x 2 matrix of (x, y)")
    if not (1 / LARGEST_STRETCH <= m[0, 0] <= LARGEST_STRETCH) or not (
        1 / LARGEST_STRETCH <= m[1, 1] <= LARGEST_STRETCH
    ):
        raise PreprocessError(
            f"the frame would be stretched by {m[0, 0]:.3g} along x and {m[1, 1]:.3g} along y:"
            " this is no drift, check the lattice constant and the drift"
        )
    dx = pixel_nm(didv)[1]
    x, y = didv["x"].values, didv["y"].values
    centre_x, centre_y = (x[0] + x[-1]) / 2, (y[0] + y[-1]) / 2
    new_y = centre_y + m[1, 1] * (y - centre_y)
    lean = m[0, 1] / m[1, 1]
    pitch = dx * m[0, 0]
    margin = int(np.ceil(abs(lean) * (new_y[-1] - new_y[0]) / 2 / pitch - 1e-9))
    steps = np.arange(-margin, x.size + margin) - (x.size - 1) / 2
    new_x = centre_x + steps * pitch
    values = didv.values
    if m[0, 1]:
        rows = np.broadcast_to(np.arange(float(y.size))[:, None], (y.size, new_x.size))
        scanned = (new_x[None, :] - centre_x - lean * (new_y[:, None] - centre_y)) / m[0, 0]
        values = warp(values, rows, scanned / dx + (x.size - 1) / 2)
    return make_map(
        values,
        bias_mV=didv["bias"].values,
        y_nm=new_y,
        x_nm=new_x,
        units=didv.attrs["units"],
        name=str(didv.name),
        attrs=didv.attrs,
    )


def undistort(didv: xr.DataArray, displacement: xr.DataArray) -> xr.DataArray:
    """Bring a map to true positions r' = r + d(r), on its own grid.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map, all biases of which are moved alike.
    displacement : xarray.DataArray, (axis, y, x)
        d [nm] along x and y, from `displacement_field` of a topograph on the same grid.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        NaN where the true position was not scanned.
    """
    check_map(didv)
    check_same_grid(didv, displacement)
    dy, dx = pixel_nm(didv)
    along = {"y": dy, "x": dx}
    shift = np.stack([displacement.sel(axis=axis).values / d for axis, d in along.items()])
    true = np.indices(didv.shape[1:]).astype(np.float64)
    scanned = true - shift
    # r = r' - d(r), by iteration: d changes little over its own length.
    for _ in range(INVERSION_ROUNDS):
        scanned = true - np.stack(
            [map_coordinates(part, scanned, order=1, mode="nearest") for part in shift]
        )
    return didv.copy(data=warp(didv.values, *scanned))


def warp(values: npt.NDArray[np.floating], rows: Array, columns: Array) -> npt.NDArray[np.float32]:
    """Sample slices between their pixels with quintic splines.

    Parameters
    ----------
    values : array, (bias, y, x)
        NaN where nothing was measured.
    rows, columns : array, (new y, new x)
        Where to sample [px].

    Returns
    -------
    array, (bias, new y, new x), float32
        NaN more than half a pixel outside, and where the nearest pixel was not measured.
    """
    height, width = values.shape[1:]
    edge = 0.5 + 1e-6
    outside = (rows < -edge) | (rows > height - 1 + edge)
    outside |= (columns < -edge) | (columns > width - 1 + edge)
    where = np.stack([np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)])
    nearest = tuple(np.rint(where).astype(int))
    result = np.full((len(values), *rows.shape), np.nan, dtype=np.float32)
    for new, plane in zip(result, values, strict=True):
        if np.isfinite(plane).any():
            spline = spline_filter(filled(plane.astype(np.float64)), ORDER, mode="mirror")
            sampled = map_coordinates(spline, where, order=ORDER, mode="mirror", prefilter=False)
            new[:] = np.where(outside | ~np.isfinite(plane[nearest]), np.nan, sampled)
    return result
