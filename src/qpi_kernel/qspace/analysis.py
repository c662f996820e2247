"""Transforms and curves as their settings ask for them: what the dock and the command line do."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import pixel_nm
from qpi_kernel.qspace.bands import BandFit, fit_band
from qpi_kernel.qspace.cuts import Point, line_cut
from qpi_kernel.qspace.dispersion import Dispersion, measure_dispersion
from qpi_kernel.qspace.one_sided import radial_profile, ray_profile
from qpi_kernel.qspace.profiles import track_peaks
from qpi_kernel.qspace.rings import radial_average
from qpi_kernel.qspace.settings import CurveSettings, TransformSettings
from qpi_kernel.qspace.symmetry import symmetrise
from qpi_kernel.qspace.transform import kernel_fft, map_fft

Line = tuple[Point, Point]
# Root mean square of what the phase of scattering shifts a maximum of |F| by, in q-pixels.
LINE_ERROR = 0.5


@dataclass(frozen=True, eq=False)
class Analysis:
    """Curves over q with what was found in them.

    Parameters
    ----------
    profile : xarray.DataArray, (bias, q)
        One curve per energy.
    dispersion : Dispersion
        Their maxima.
    fit : BandFit or None
        The band, if one was asked for and could be fitted.
    problem : str
        Why no band could be fitted; "" if none was asked for or it could.
    """

    profile: xr.DataArray
    dispersion: Dispersion
    fit: BandFit | None
    problem: str = ""


def transformed(
    field: xr.DataArray, settings: TransformSettings | None = None, *, centred: bool
) -> xr.DataArray:
    """Return the transform of a kernel or a map, symmetrised if the settings say so.

    Parameters
    ----------
    field : xarray.DataArray, (bias, y, x)
        A kernel or a map.
    settings : TransformSettings, optional
    centred : bool
        Whether the field is a kernel, with its scatterer at y = x = 0. A map loses its mean, and
        if symmetrised its phase.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx)
        F [unit of the field nm^2]; ``attrs`` tell "window" and "symmetrised".
    """
    chosen = settings or TransformSettings()
    if centred:
        return kernel_fft(symmetric(field, chosen), window=chosen.window, pad=chosen.pad)
    return symmetric(map_fft(field, window=chosen.window, pad=chosen.pad), chosen)


def symmetric(field: xr.DataArray, settings: TransformSettings) -> xr.DataArray:
    """Return a kernel or a transform averaged over the group of the settings; itself for "none"."""
    if settings.symmetry == "none":
        return field
    mirror = settings.symmetry == "mirror" or settings.symmetry.endswith("v")
    fold = 1 if settings.symmetry == "mirror" else int(settings.symmetry[1])
    return symmetrise(field, fold, mirror=mirror, mirror_deg=settings.mirror_deg)


def analyse(
    field: xr.DataArray,
    spread: xr.DataArray | None = None,
    settings: CurveSettings | None = None,
    *,
    line: Line | None = None,
    centred: bool = True,
) -> Analysis:
    """Take curves over q, follow their highest maxima through the energies and fit a band.

    Parameters
    ----------
    field : xarray.DataArray, (bias, y, x)
        A kernel, or a map.
    spread : xarray.DataArray, optional
        The standard deviation of a kernel, for errors.
    settings : CurveSettings, optional
    line : (start, end), optional
        Ends (qx, qy) of the line [1/nm], where the direction is "line".
    centred : bool
        Whether the field is a kernel, with its scatterer at y = x = 0. Along a line, and of a map,
        the curves are those of |F|, whose maxima the phase of scattering shifts: along a line their
        error is 0.5 q-pixels, of a map it is not known.

    Returns
    -------
    Analysis

    Raises
    ------
    QpiError
        If there is no line to cut along, the range of q is empty or the field is no kernel.
    """
    chosen = settings or CurveSettings()
    if chosen.direction == "line" and line is None:
        raise QpiError("there is no line to cut along: draw one in the q viewer")
    given = (chosen.lowest_per_nm, chosen.highest_per_nm)
    q_range = None if given == (None, None) else (given[0] or 0.0, given[1] or np.inf)
    angle = chosen.angle_deg if chosen.direction == "ray" else None
    if chosen.direction == "line" and line is not None:
        fft = kernel_fft(field, pad=2) if centred else map_fft(field)
        profile = line_cut(fft, *line, width=chosen.width_per_nm)
    elif not centred:
        profile = _map_curves(field, angle)
    elif angle is not None:
        profile = ray_profile(field, angle, width_deg=chosen.width_deg)
    else:
        profile = radial_profile(field)
    if centred and chosen.direction != "line":
        dispersion = measure_dispersion(
            field, spread, angle_deg=angle, width_deg=chosen.width_deg, q_range=q_range
        )
    else:
        peaks = track_peaks(profile, q_range)
        error = LINE_ERROR * 2 * np.pi / _width(field) if centred else np.nan
        bias = profile["bias"].values.astype(float)
        dispersion = Dispersion(bias, peaks, np.where(np.isfinite(peaks), error, np.nan))
    if chosen.band == "none":
        return Analysis(profile, dispersion, None)
    try:
        return Analysis(
            profile, dispersion, fit_band(dispersion, chosen.band, q_over_k=chosen.q_over_k)
        )
    except QpiError as error:
        return Analysis(profile, dispersion, None, str(error))


def _map_curves(didv: xr.DataArray, angle: float | None) -> xr.DataArray:
    fft = map_fft(didv)
    if angle is None:
        return radial_average(fft)
    reach = float(min(-fft["qx"][0], -fft["qy"][0]))
    turn = np.deg2rad(angle)
    return line_cut(fft, (0.0, 0.0), (reach * float(np.cos(turn)), reach * float(np.sin(turn))))


def _width(kernel: xr.DataArray) -> float:
    """Return the smaller side of a window [nm]."""
    return min(kernel.sizes[d] * step for d, step in zip(("y", "x"), pixel_nm(kernel), strict=True))
