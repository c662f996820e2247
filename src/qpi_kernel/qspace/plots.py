"""Curves and E(q) images on the axes of a matplotlib figure, for files and for windows."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from qpi_kernel.qspace.bands import BandFit
from qpi_kernel.qspace.dispersion import Dispersion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Legible on white and on the dark grey of napari.
CURVE, POINTS, BAND = "#3b82f6", "#ff8c1a", "#2ea043"


def draw_curve(
    axes: "Axes", profile: xr.DataArray, bias_mV: float, dispersion: Dispersion | None = None
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
    """
    index = int(np.argmin(np.abs(profile["bias"].values - bias_mV)))
    curve = profile.values[index]
    axes.plot(profile["q"].values, curve, color=CURVE, lw=1.4)
    if dispersion is not None and np.isfinite(dispersion.q_per_nm[index]):
        q, error = dispersion.q_per_nm[index], dispersion.error_per_nm[index]
        label = f"{q:.3f}" + (f" ± {error:.3f}" if np.isfinite(error) else "") + " 1/nm"
        height = np.interp(q, profile["q"].values, curve)
        bar = error if np.isfinite(error) else None
        axes.errorbar(q, height, xerr=bar, fmt="o", ms=4, capsize=3, color=POINTS, label=label)
        axes.legend(frameon=False, fontsize=8, loc="upper right")
    _finish(axes, profile)
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(curve))))
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
    axes.pcolormesh(q, bias, image, shading="nearest", cmap="magma", rasterized=True)
    if dispersion is not None:
        axes.errorbar(
            dispersion.q_per_nm, dispersion.bias_mV, xerr=_bars(dispersion), fmt="o", ms=3,
            capsize=2, lw=1, color=POINTS,
        )  # fmt: skip
    if fit is not None:
        energies = np.linspace(bias[0], bias[-1], 200)
        axes.plot(fit.q_per_nm(energies), energies, color=BAND, lw=1.6)
    _finish(axes, profile)
    axes.set_ylim(*_edges(bias))
    axes.set_ylabel("E (mV)", fontsize=9)


def _bars(dispersion: Dispersion) -> Any:
    """Return error bars; none at all where they are not known."""
    known = np.isfinite(dispersion.error_per_nm)
    return np.where(known, dispersion.error_per_nm, 0.0) if known.any() else None


def _edges(bias: Any) -> tuple[float, float]:
    """Return the outer edges of the first and the last row of an image [mV]."""
    first, last = bias[1] - bias[0], bias[-1] - bias[-2]
    return float(bias[0] - first / 2), float(bias[-1] + last / 2)


def _finish(axes: "Axes", profile: xr.DataArray) -> None:
    q = profile["q"].values
    axes.set_xlim(float(q[0]), float(q[-1]))
    axes.set_xlabel("q (1/nm)", fontsize=9)
    axes.tick_params(labelsize=8)
