"""The figure of a result: map, kernel, Fourier transform, reconstruction, residual on one page."""

import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from qpi_kernel import qspace
from qpi_kernel.assessment import Assessment
from qpi_kernel.extract.result import Extraction
from qpi_kernel.maps import pixel_nm

VERDICT_COLOURS = {"good": "#1a7f37", "doubtful": "#b35900", "untrusted": "#b3261e"}
MARK = "#ff8c1a"
# The brightest half percent is the core of the scatterers, which would hide the waves.
CONTRAST = (0.5, 99.5)
LEAST_RING = 0.25


def result_figure(
    result: Extraction, assessment: Assessment | None = None, *, bias_mV: float | None = None
) -> Figure:
    """Draw a result: what was measured, what was found and what is left.

    Parameters
    ----------
    result : Extraction
        What an extraction returned.
    assessment : Assessment, optional
        Its verdict and reasons, written below the title.
    bias_mV : float, optional
        Which bias to draw (the nearest); by default the one whose kernel stands out of the noise
        most.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels above (map with the scatterers, kernel, log10 |F|) and three below
        (reconstruction and residual on the colour range of the map, |F| averaged over rings). y
        points up; bars give nm and 1/nm. Save it with ``figure.savefig(path)``.
    """
    biases = result.kernel["bias"].values
    index = (
        int(np.argmin(np.abs(biases - bias_mV))) if bias_mV is not None else _clearest_bias(result)
    )
    didv, reconstruction, residual, kernel = (
        field.isel(bias=slice(index, index + 1))
        for field in (result.didv, result.reconstruction, result.residual, result.kernel)
    )
    units = str(didv.attrs["units"])
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(12.0, 7.6), layout=layout, facecolor="white")
    axes = figure.subplots(2, 3)

    low, high = colour_range(didv.values)
    map_panel(axes[0, 0], didv, "Map with scatterers", units, "gray", (low, high))
    xy = result.scatterers.xy_nm
    axes[0, 0].scatter(xy[:, 0], xy[:, 1], s=42, facecolors="none", edgecolors=MARK, lw=1.2)
    swing = max(abs(v) for v in colour_range(kernel.values))
    map_panel(axes[0, 1], kernel, "Kernel of one scatterer", units, "RdBu_r", (-swing, swing))
    fft = qspace.kernel_fft(kernel, pad=2)
    fft_panel(axes[0, 2], fft, qspace.interesting_q(kernel), "Fourier transform of the kernel")
    map_panel(axes[1, 0], reconstruction, "Reconstruction", units, "gray", (low, high))
    half = 0.5 * (high - low)
    map_panel(axes[1, 1], residual, "Residual", units, "gray", (-half, half))
    _ring_panel(axes[1, 2], kernel)

    count = len(result.scatterers)
    title = f"{_source(didv)}{biases[index]:g} mV, {count} scatterer{'s' * (count != 1)}"
    if assessment is None:
        figure.suptitle(title, fontsize=13)
    else:
        sentence = "; ".join([f"Verdict: {assessment.verdict}", *assessment.reasons])
        lines = textwrap.wrap(sentence, 135, max_lines=2, placeholder=" …")
        # The layout keeps room for the title alone: empty lines make room for the verdict.
        figure.suptitle(title + "\n" * len(lines), fontsize=13)
        figure.text(
            0.5,
            0.958,
            "\n".join(lines),
            ha="center",
            va="top",
            fontsize=10,
            color=VERDICT_COLOURS.get(assessment.verdict, "black"),
        )
    return figure


def quantity(units: str) -> str:
    """Return what a map of these units shows: "height" (a topography), "signal" or "dI/dV"."""
    return {"pm": "height", "nm": "height", "pA": "signal", "mV": "signal"}.get(units, "dI/dV")


def _clearest_bias(result: Extraction) -> int:
    noise = np.maximum(np.asarray(result.noise, float), 1e-30)
    return int(np.argmax(np.nanstd(result.kernel.values.astype(float), axis=(1, 2)) / noise))


def _source(didv: xr.DataArray) -> str:
    source = didv.attrs.get("source")
    return f"{source}, " if source else ""


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
    _scale_bar(axes, "nm")


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
    _scale_bar(axes, "1/nm")


def _ring_panel(axes: Axes, kernel: xr.DataArray) -> None:
    reach = qspace.interesting_q(kernel)
    average = qspace.radial_average(qspace.kernel_fft(kernel, pad=2))
    profile = qspace.radial_profile(kernel)
    for curve, label, colour, width in (
        (average, "|F| averaged over rings", "#9a9a9a", 1.2),
        (profile, "radial transform (free of the phase)", "#222222", 1.6),
    ):
        q, power = curve["q"].values, curve.values[0]
        highest = max(float(power[(q > 0) & (q <= reach)].max(initial=0)), 1e-30)
        axes.plot(q, power / highest, color=colour, lw=width, label=label)
    ring = float(qspace.ring_radius(kernel)[0])
    power = np.interp(ring, profile["q"].values, profile.values[0])
    # The highest of many small maxima is no ring.
    if np.isfinite(ring) and power > LEAST_RING * profile.values[0].max():
        axes.plot([ring, ring], [0, 1], color=MARK, ls="--", label=f"ring at {ring:.2f} 1/nm")
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    axes.set_xlim(0, reach)
    axes.set_ylim(0, 1.42)
    axes.set_box_aspect(0.85)
    axes.set_xlabel("q (1/nm)", fontsize=9)
    axes.set_ylabel("relative to the maximum", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.set_title("Rings in q space", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


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
    # The default formatter has it; the type that matplotlib states is its base class.
    bar.formatter.set_powerlimits((-3, 4))  # type: ignore[attr-defined]


def _scale_bar(axes: Axes, unit: str) -> None:
    """Draw a bar of a round length on a plate that is legible on any picture."""
    x0, x1 = axes.get_xlim()
    y0, y1 = axes.get_ylim()
    width, height = x1 - x0, y1 - y0
    length = _round_length(0.25 * width)
    margin = 0.04
    plate_width, plate_height = length + 0.06 * width, 0.115 * height
    left, bottom = x0 + margin * width, y0 + margin * height
    axes.add_patch(
        Rectangle(
            (left, bottom), plate_width, plate_height, color="white", alpha=0.85, lw=0, zorder=4
        )
    )
    axes.add_patch(
        Rectangle(
            (left + 0.03 * width, bottom + 0.02 * height),
            length,
            0.018 * height,
            color="black",
            zorder=5,
        )
    )
    axes.text(
        left + plate_width / 2,
        bottom + 0.045 * height,
        f"{length:g} {unit}",
        ha="center",
        va="bottom",
        fontsize=8,
        zorder=5,
    )


def _round_length(length: float) -> float:
    """Return the greatest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(factor * power for factor in (1, 2, 5) if factor * power <= length * 1.0001))


def _pretty(units: str) -> str:
    return units.replace("nm^2", "nm²")
