"""Panels of a figure: a map in nm or a transform in 1/nm, with scale bar and colour bar."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
from matplotlib.patches import Rectangle

from qpi_kernel.maps import pixel_nm

# The brightest half percent is the core of the scatterers, which would hide the waves.
CONTRAST = (0.5, 99.5)


def quantity(units: str) -> str:
    """Return what a map of these units shows: "height" (a topography), "signal" or "dI/dV"."""
    return {"pm": "height", "nm": "height", "pA": "signal", "mV": "signal"}.get(units, "dI/dV")


def colour_range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return a colour range that the cores of the scatterers do not set."""
    finite = values[np.isfinite(values)].astype(float)
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, CONTRAST)
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def map_panel(
    axes: Axes,
    field: xr.DataArray,
    title: str,
    units: str,
    cmap: str,
    limits: tuple[float, float],
    *,
    colour_bar: bool = True,
) -> None:
    """Draw the first bias of a map in nm, y upwards, with a scale bar."""
    dy, dx = pixel_nm(field)
    y, x = field["y"].values, field["x"].values
    extent = (x[0] - dx / 2, x[-1] + dx / 2, y[0] - dy / 2, y[-1] + dy / 2)
    image = axes.imshow(
        field.values[0],
        origin="lower",
        extent=extent,
        cmap=cmap,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    axes.autoscale(False)
    axes.set_facecolor("#dddddd")
    label = f"{quantity(units)} ({units})" if colour_bar else ""
    _finish_image(axes, image, title, label, field.values)
    _scale_bar(axes, "{:g} nm")


def fft_panel(
    axes: Axes, fft: xr.DataArray, reach_per_nm: float, title: str, *, colour_bar: bool = True
) -> None:
    """Draw log10 |F| of the first bias up to a |q| [1/nm] along both axes."""
    fft = fft.sel(qy=slice(-reach_per_nm, reach_per_nm), qx=slice(-reach_per_nm, reach_per_nm))
    with np.errstate(divide="ignore"):
        power = np.log10(np.abs(fft.values[0]))
    qy, qx = fft["qy"].values, fft["qx"].values
    step_y, step_x = qy[1] - qy[0], qx[1] - qx[0]
    finite = power[np.isfinite(power)]
    low, high = np.percentile(finite, (5, 99.9)) if finite.size else (0.0, 1.0)
    image = axes.imshow(
        power,
        origin="lower",
        extent=(
            qx[0] - step_x / 2,
            qx[-1] + step_x / 2,
            qy[0] - step_y / 2,
            qy[-1] + step_y / 2,
        ),
        cmap="magma",
        vmin=low,
        vmax=max(high, low + 1e-3),
    )
    units = _pretty(fft.attrs["units"])
    label = f"log$_{{10}}$ |F| ({units})" if colour_bar else ""
    _finish_image(axes, image, title, label, power)
    _scale_bar(axes, "{:g}/nm")


def _finish_image(
    axes: Axes, image: AxesImage, title: str, label: str, values: npt.NDArray[Any]
) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xticks([])
    axes.set_yticks([])
    if not label:
        return
    low, high = image.get_clim()
    below, above = np.nanmin(values) < low, np.nanmax(values) > high
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (bool(below), bool(above)), "neither"
    )
    beside = axes.inset_axes((1.03, 0.0, 0.045, 1.0))
    bar = axes.figure.colorbar(image, cax=beside, extend=extend)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.ax.ticklabel_format(axis="y", scilimits=(-3, 4))


def _scale_bar(axes: Axes, label: str) -> None:
    """Draw a bar of a round length, with its label, on a plate that is legible on any picture."""
    width, height = np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())
    length = _round_length(0.25 * width)
    bar = AuxTransformBox(axes.transData)
    bar.add_artist(Rectangle((0.0, 0.0), length, 0.018 * height, color="black"))
    text = TextArea(label.format(length), textprops={"fontsize": 8})
    # The plate grows with the text, whatever the size of the panel.
    packed = VPacker(children=[text, bar], align="center", pad=0, sep=2)
    plate = AnchoredOffsetbox("lower left", child=packed, pad=0.3, borderpad=0.5, frameon=True)
    plate.patch.set(facecolor="white", alpha=0.85, linewidth=0)
    axes.add_artist(plate)


def _round_length(length: float) -> float:
    """Return the greatest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(factor * power for factor in (1, 2, 5) if factor * power <= length * 1.0001))


def _pretty(units: str) -> str:
    return units.replace("nm^2", "nm²")
