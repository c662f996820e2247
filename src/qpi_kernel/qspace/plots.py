"""Curves and E(q) images on the axes of a matplotlib figure, for files and for windows."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.qspace.analysis import Analysis
from qpi_kernel.qspace.bands import BandFit
from qpi_kernel.qspace.dispersion import Dispersion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Legible on white and on the dark grey of napari.
CURVE, POINTS, BAND, BESIDE = "#3b82f6", "#ff8c1a", "#2ea043", "#8c8c8c"
# How far to look, in units of the largest wave number found, and of all the q there are.
LOOK, LEAST_LOOK = 2.2, 0.25
Array = npt.NDArray[np.floating[Any]]


def draw_curve(
    axes: "Axes",
    profile: xr.DataArray,
    bias_mV: float,
    dispersion: Dispersion | None = None,
    beside: xr.DataArray | None = None,
) -> None:
    """Draw a curve at the nearest energy, with the peak and its error bar if there is one.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    profile : xarray.DataArray, (bias, q)
        Curves, from `radial_profile`, `ray_profile`, `line_cut` or `radial_average`.
    bias_mV : float
        Which one [mV].
    dispersion : Dispersion, optional
        Peaks at the biases of the profile.
    beside : xarray.DataArray, (bias, q), optional
        Another curve to compare with, of the raw map, scaled to the same maximum.
    """
    index = int(np.argmin(np.abs(profile["bias"].values - bias_mV)))
    curve = profile.values[index]
    q_axis = profile["q"].values
    if beside is not None:
        _draw_beside(axes, beside, bias_mV, q_axis, float(np.nanmax(np.abs(curve))))
    axes.plot(q_axis, curve, color=CURVE, lw=1.4)
    if dispersion is not None and np.isfinite(dispersion.q_per_nm[index]):
        q, error = dispersion.q_per_nm[index], dispersion.error_per_nm[index]
        label = f"{q:.3f}" + (f" ± {error:.3f}" if np.isfinite(error) else "") + " 1/nm"
        height = np.interp(q, q_axis, curve)
        bar = error if np.isfinite(error) else None
        axes.errorbar(q, height, xerr=bar, fmt="o", ms=4, capsize=3, color=POINTS, label=label)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="upper right")
    _finish(axes, profile, dispersion)
    # Room for the legend above the curve.
    low, high = float(np.nanmin(curve)), float(np.nanmax(curve))
    axes.set_ylim(min(0.0, low), high + 0.35 * (high - min(0.0, low)) or 1.0)
    axes.set_ylabel(str(profile.attrs["units"]).replace("nm^2", "nm²"), fontsize=9)
    axes.set_title(f"E = {float(profile['bias'][index]):.1f} mV", fontsize=9)


def draw_image(
    axes: "Axes",
    profile: xr.DataArray,
    dispersion: Dispersion | None = None,
    fit: BandFit | None = None,
) -> None:
    """Draw curves at all energies as an image E(q), each relative to its own maximum.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    profile : xarray.DataArray, (bias, q)
        Curves at two or more biases.
    dispersion : Dispersion, optional
        Peaks, drawn with their error bars.
    fit : BandFit, optional
        A band, drawn as a line.
    """
    q, bias = profile["q"].values, profile["bias"].values
    highest = np.nanmax(np.abs(profile.values), axis=1, keepdims=True)
    image = profile.values / np.where(highest > 0, highest, 1.0)
    axes.pcolorfast(_edges(q), _edges(bias), image, cmap="magma", vmin=min(0.0, np.nanmin(image)))
    if dispersion is not None:
        axes.errorbar(
            dispersion.q_per_nm, dispersion.bias_mV, xerr=_bars(dispersion), fmt="o", ms=3,
            capsize=2, lw=1, color=POINTS,
        )  # fmt: skip
    if fit is not None:
        energies = np.linspace(bias[0], bias[-1], 200)
        axes.plot(fit.q_per_nm(energies), energies, color=BAND, lw=1.6)
    _finish(axes, profile, dispersion)
    axes.set_ylim(_edges(bias)[0], _edges(bias)[-1])
    axes.set_ylabel("E (mV)", fontsize=9)


def analysis_figure(found: Analysis, bias_mV: float | None = None) -> "Figure":
    """Draw an analysis: the curve at one energy, and for several the image E(q) with the band.

    Parameters
    ----------
    found : Analysis
    bias_mV : float, optional
        The energy of the curve [mV]; by default the middle one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    biases = found.profile["bias"].values
    several = biases.size > 1
    figure = Figure(figsize=(9.0 if several else 4.8, 4.0), layout="constrained", facecolor="white")
    axes = figure.subplots(1, 2 if several else 1, squeeze=False)[0]
    at = float(biases[biases.size // 2]) if bias_mV is None else bias_mV
    draw_curve(axes[0], found.profile, at, found.dispersion)
    if several:
        draw_image(axes[1], found.profile, found.dispersion, found.fit)
        title = str(found.fit or "maxima of each energy").replace(", χ", "\nχ")
        axes[1].set_title(title, fontsize=9)
    return figure


def _draw_beside(
    axes: "Axes", profile: xr.DataArray, bias_mV: float, q: Array, height: float
) -> None:
    """Draw the curve of a raw map over the same q, its maximum there as high."""
    index = int(np.argmin(np.abs(profile["bias"].values - bias_mV)))
    within = (profile["q"].values >= q[0]) & (profile["q"].values <= q[-1])
    curve = profile.values[index, within]
    highest = float(np.nanmax(np.abs(curve), initial=0.0))
    if highest > 0:
        scaled = curve * height / highest
        axes.plot(profile["q"].values[within], scaled, color=BESIDE, lw=1, label="raw map (scaled)")


def _bars(dispersion: Dispersion) -> Any:
    """Return error bars; none at all where they are not known."""
    known = np.isfinite(dispersion.error_per_nm)
    return np.where(known, dispersion.error_per_nm, 0.0) if known.any() else None


def _edges(centres: Array) -> Array:
    """Return the edges of pixels around these centres, half way between neighbours."""
    between = 0.5 * (centres[1:] + centres[:-1])
    first, last = 2 * centres[0] - between[0], 2 * centres[-1] - between[-1]
    return np.concatenate([[first], between, [last]])


def _finish(axes: "Axes", profile: xr.DataArray, dispersion: Dispersion | None) -> None:
    """Label q, and look no further than past the maxima."""
    q = profile["q"].values
    found = np.empty(0) if dispersion is None else dispersion.q_per_nm
    found = found[np.isfinite(found)]
    end = float(q[-1])
    if found.size and found.max() > 0:
        end = min(end, max(LOOK * float(found.max()), LEAST_LOOK * end))
    axes.set_xlim(float(q[0]), end)
    axes.set_xlabel("q (1/nm)", fontsize=9)
    axes.tick_params(labelsize=8)
