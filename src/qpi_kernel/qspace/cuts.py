"""Cuts through q space, and the E(q) images they make."""

import numpy as np
import xarray as xr

from qpi_kernel.maps import MapError
from qpi_kernel.qspace.profiles import as_profile
from qpi_kernel.qspace.sampling import sample, steps
from qpi_kernel.qspace.transform import check_fft

Point = tuple[float, float]


def line_cut(
    fft: xr.DataArray, start: Point, end: Point, *, width: float = 0.0, points: int | None = None
) -> xr.DataArray:
    """Return a transform along a straight line, averaged across it: for a stack, the image E(q).

    Parameters
    ----------
    fft : xarray.DataArray, (bias, qy, qx)
        A transform, of which |F| is taken, or a real part of one.
    start, end : (qx, qy)
        Both ends of the line [1/nm].
    width : float
        The mean is taken over this width across the line [1/nm].
    points : int, optional
        Number of values along the line; by default two for each q-pixel.

    Returns
    -------
    xarray.DataArray, (bias, q)
        Values between the pixels by cubic splines, in the unit of the transform; NaN outside it.
        q [1/nm] is the component of the wave vector along the line, which for a line through
        q = 0 is the wave number with a sign; the coordinates qx and qy tell the place.
        ``attrs`` keep start, end and width.

    Raises
    ------
    MapError
        If `fft` is no transform, the line has no length or the width is negative.
    """
    check_fft(fft)
    ends = np.array([start, end], dtype=float)
    length = float(np.hypot(*(ends[1] - ends[0])))
    if not (np.isfinite(length) and length > 0 and width >= 0):
        raise MapError(
            f"a cut needs two different ends and a width of 0 or more, not {start}, {end}"
            f" and {width:g} 1/nm"
        )
    pixel = min(steps(fft))
    count = points or int(np.ceil(2 * length / pixel)) + 1
    along = (ends[1] - ends[0]) / length
    first = float(ends[0] @ along)
    q = np.linspace(first, first + length, count)
    beside = np.linspace(-width / 2, width / 2, int(np.ceil(2 * width / pixel)) + 1)
    qx, qy = (
        ends[0][i] + (q - first)[:, None] * along[i] + beside[None, :] * normal
        for i, normal in ((0, -along[1]), (1, along[0]))
    )
    field = fft.copy(data=np.abs(fft.values)) if np.iscomplexobj(fft.values) else fft
    # Where a part of the width lies outside, so does the mean.
    cut = as_profile(fft, sample(field, qy, qx).mean(-1), q, str(fft.attrs["units"]))
    middle = ends[0][:, None] + (q - first) * along[:, None]
    cut = cut.assign_coords(
        qx=("q", middle[0], {"units": "1/nm"}), qy=("q", middle[1], {"units": "1/nm"})
    )
    return cut.assign_attrs(start=list(map(float, start)), end=list(map(float, end)), width=width)
