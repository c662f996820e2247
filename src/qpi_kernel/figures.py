"""Figures of a result and of a transform, each on one page."""

import textwrap
from itertools import cycle
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from qpi_kernel import qspace
from qpi_kernel.assessment import Assessment
from qpi_kernel.errors import QpiError
from qpi_kernel.extract.result import Extraction
from qpi_kernel.files import reason_of, replacing
from qpi_kernel.maps import pixel_nm
from qpi_kernel.panels import colour_range, fft_panel, map_panel

VERDICT_COLOURS = {"good": "#1a7f37", "doubtful": "#b35900", "untrusted": "#b3261e"}
# Of the scatterers of each species, and of the ring.
MARKS = ("#ff8c1a", "#0aa5d6", "#d348e0", "#5fae12")
ROW_INCH = 3.8
VERDICT_INCH = 0.32
SUFFIXES = (".svg", ".pdf", ".png")
DPI = 200
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
        Three panels above (map with the scatterers; reconstruction and residual on its colour
        range) and three below (kernel, log10 |F|, |F| averaged over rings), those once for each
        species, in the colour of its scatterers. y points up; bars give nm and 1/nm. `save_figure`
        saves it.
    """
    biases = result.kernel["bias"].values
    index = (
        int(np.argmin(np.abs(biases - bias_mV))) if bias_mV is not None else _clearest_bias(result)
    )
    didv, reconstruction, residual = (
        field.isel(bias=slice(index, index + 1))
        for field in (result.didv, result.reconstruction, result.residual)
    )
    units = str(didv.attrs["units"])
    parts = result.each_species
    rows = 1 + len(parts)
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(12.0, ROW_INCH * rows), layout=layout, facecolor="white")
    axes = figure.subplots(rows, 3)

    low, high = colour_range(didv.values)
    half = 0.5 * (high - low)
    map_panel(axes[0, 0], didv, "Map with scatterers", units, "gray", (low, high))
    map_panel(axes[0, 1], reconstruction, "Reconstruction", units, "gray", (low, high))
    map_panel(axes[0, 2], residual, "Residual", units, "gray", (-half, half))
    for (left, middle, right), part, mark in zip(axes[1:], parts, cycle(MARKS), strict=False):
        xy = part.scatterers.xy_nm
        axes[0, 0].scatter(xy[:, 0], xy[:, 1], s=42, facecolors="none", edgecolors=mark, lw=1.2)
        kernel = part.kernel.isel(bias=slice(index, index + 1))
        swing = max(abs(v) for v in colour_range(kernel.values))
        species = f", species {part.scatterers.labels[0]}" if result.parts else ""
        title = f"Kernel of one scatterer{species}"
        map_panel(left, kernel, title, units, "RdBu_r", (-swing, swing))
        if species:
            left.title.set_color(mark)
        fft = qspace.kernel_fft(kernel, pad=2)
        fft_panel(middle, fft, qspace.interesting_q(kernel), "Fourier transform of the kernel")
        _ring_panel(right, kernel)

    count = len(result.scatterers)
    title = f"{_source(didv)}{biases[index]:g} mV, {count} scatterer{'s' * (count != 1)}"
    _write_title(figure, title, assessment)
    return figure


def transform_figure(
    field: xr.DataArray,
    fft: xr.DataArray,
    *,
    bias_mV: float,
    title: str = "",
    beside: tuple[xr.DataArray, xr.DataArray] | None = None,
) -> Figure:
    """Draw a kernel, or a map, and its transform; below them those of another.

    Parameters
    ----------
    field : xarray.DataArray, (bias, y, x)
        A kernel, with its scatterer at y = x = 0, or a map.
    fft : xarray.DataArray, (bias, qy, qx)
        Its transform, as `qspace.transformed` returns it.
    bias_mV : float
        The nearest bias of each is drawn [mV].
    title : str
        What it is called.
    beside : (field, fft), optional
        The raw map and its transform, on the same range of q.

    Returns
    -------
    matplotlib.figure.Figure
        log10 |F| beside the field; bars give nm and 1/nm. What was done to the transform (window,
        symmetrisation) stands in the title.
    """
    pairs = [(field, fft), *([] if beside is None else [beside])]
    figure = Figure(
        figsize=(9.6, 4.4 * len(pairs)),
        layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08),
        facecolor="white",
    )
    axes = figure.subplots(len(pairs), 2, squeeze=False)
    reach = qspace.interesting_q(field)
    for (left, right), (own, own_fft) in zip(axes, pairs, strict=True):
        index = int(np.argmin(np.abs(own["bias"].values - bias_mV)))
        shown = own.isel(bias=slice(index, index + 1))
        low, high = colour_range(shown.values)
        units = str(own.attrs["units"])
        if _is_centred(own):
            swing = max(-low, high)
            map_panel(left, shown, "Kernel of one scatterer", units, "RdBu_r", (-swing, swing))
        else:
            map_panel(left, shown, "Map", units, "gray", (low, high))
        fft_panel(right, own_fft.isel(bias=slice(index, index + 1)), reach, "Fourier transform")
    done = [str(fft.attrs.get("symmetrised") or ""), str(fft.attrs.get("window") or "")]
    done = [word for word in done if word not in ("", "none")]
    bias = float(field["bias"].values[int(np.argmin(np.abs(field["bias"].values - bias_mV)))])
    figure.suptitle(", ".join(filter(None, [title, f"{bias:g} mV", *done])), fontsize=12)
    return figure


def _is_centred(field: xr.DataArray) -> bool:
    """Tell a kernel by its axes, which are centred on the scatterer."""
    return all(abs(field[dim].values[[0, -1]].mean()) < pixel_nm(field)[0] for dim in ("y", "x"))


def save_figure(figure: Figure, path: Path | str) -> Path:
    """Write a figure as SVG, PDF or PNG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
        Its suffix chooses the format: .svg, .pdf or .png; none is .svg.

    Raises
    ------
    QpiError
        If the suffix is another one, or the file cannot be written.
    """
    path = Path(path)
    path = path if path.suffix else path.with_suffix(SUFFIXES[0])
    if path.suffix.lower() not in SUFFIXES:
        raise QpiError(f"{path.name}: a figure ends in {', '.join(SUFFIXES)}; choose one of them")
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=DPI)
    except OSError as error:
        raise QpiError(f"{path}: the figure cannot be written ({reason_of(error)})") from None
    return path


def _write_title(figure: Figure, title: str, assessment: Assessment | None) -> None:
    if assessment is None:
        figure.suptitle(title, fontsize=13)
        return
    sentence = "; ".join([f"Verdict: {assessment.verdict}", *assessment.reasons])
    lines = textwrap.wrap(sentence, 135, max_lines=2, placeholder=" …")
    # The layout keeps room for the title alone: empty lines make room for the verdict.
    figure.suptitle(title + "\n" * len(lines), fontsize=13)
    figure.text(
        0.5,
        1 - VERDICT_INCH / figure.get_figheight(),
        "\n".join(lines),
        ha="center",
        va="top",
        fontsize=10,
        color=VERDICT_COLOURS.get(assessment.verdict, "black"),
    )


def _clearest_bias(result: Extraction) -> int:
    noise = np.maximum(np.asarray(result.noise, float), 1e-30)
    return int(np.argmax(np.nanstd(result.kernel.values.astype(float), axis=(1, 2)) / noise))


def _source(didv: xr.DataArray) -> str:
    source = didv.attrs.get("source")
    return f"{source}, " if source else ""


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
        axes.plot([ring, ring], [0, 1], color=MARKS[0], ls="--", label=f"ring at {ring:.2f} 1/nm")
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    axes.set_xlim(0, reach)
    axes.set_ylim(0, 1.42)
    axes.set_box_aspect(0.85)
    axes.set_xlabel("q (1/nm)", fontsize=9)
    axes.set_ylabel("relative to the maximum", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.set_title("Rings in q space", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
