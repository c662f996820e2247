"""What the dock "q-space" asks of the library, step by step in the thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qpi_kernel.bridge import REACH, LayerData, Map, map_to_layer
from napari_qpi_kernel.contrast import about_zero, from_zero, top_decades
from napari_qpi_kernel.fourier import LOG, fft_part
from napari_qpi_kernel.preferences import preferences
from qpi_kernel.progress import Progress, Steps

if TYPE_CHECKING:
    from qpi_kernel.qspace import Analysis, LatticeSettings
    from qpi_kernel.qspace.analysis import Line

Arguments = Mapping[str, Any]
HALF = "left half"


@dataclass(frozen=True)
class Subject:
    """What is looked at in q space, taken from the layers before the thread starts.

    Parameters
    ----------
    name : str
        Name of the layer.
    arguments : mapping
        Arguments of `make_map`.
    centred : bool
        Whether it is a kernel, with its scatterer at y = x = 0.
    spread, beside : mapping or None
        The same of the kernel's standard deviation, and of the raw map to compare with.
    beside_name : str
        Name of the raw map.
    """

    name: str
    arguments: Arguments
    centred: bool
    spread: Arguments | None = None
    beside: Arguments | None = None
    beside_name: str = ""


@dataclass(frozen=True)
class Curves:
    """Curves, maxima and band of a subject, with the curves of the raw map beside them."""

    name: str
    found: "Analysis"
    beside: Map | None


def iter_transform(subject: Subject, settings: Any, part: str) -> Steps[list[LayerData]]:
    """Transform a subject, and what is to be shown beside it on the left half of q space."""
    yield Progress(0.0, "transforming")
    from qpi_kernel.maps import make_map
    from qpi_kernel.qspace import interesting_q, transformed

    field = make_map(**subject.arguments)
    fft = transformed(field, settings, centred=subject.centred)
    facts: dict[str, Any] = {"of": subject.name}
    if subject.centred:
        facts[REACH] = interesting_q(field)
    layers = [_fft_layer(fft, subject.name, part, facts)]
    if subject.beside is not None:
        yield Progress(0.5, "transforming the raw map")
        raw = transformed(make_map(**subject.beside), settings, centred=False)
        left = raw.sel(qx=slice(None, 0.0))
        layers.append(_fft_layer(left, f"{subject.beside_name} [{HALF}]", part, facts))
    return layers


def iter_curves(subject: Subject, settings: Any, group: Any, line: "Line | None") -> Steps[Curves]:
    """Take curves over q, follow their maxima, fit a band; the same of the raw map beside."""
    yield Progress(0.0, "looking for maxima")
    from dataclasses import replace

    from qpi_kernel.maps import make_map
    from qpi_kernel.qspace import analyse
    from qpi_kernel.qspace.analysis import symmetric

    field, spread = make_map(**subject.arguments), None
    if subject.centred:
        field = symmetric(field, group)
        spread = None if subject.spread is None else make_map(**subject.spread)
    found = analyse(field, spread, settings, line=line, centred=subject.centred)
    beside = None
    if subject.beside is not None:
        yield Progress(0.8, "looking at the raw map")
        plain = replace(settings, band="none", lowest_per_nm=None, highest_per_nm=None)
        raw = make_map(**subject.beside)
        beside = analyse(raw, None, plain, line=line, centred=False).profile
    return Curves(subject.name, found, beside)


def iter_export_curves(curves: Curves, folder: str, bias_mV: float | None) -> Steps[str]:
    """Write curves, maxima, band and figure into a folder and say so."""
    yield Progress(0.1, "writing the curves")
    from qpi_kernel.qspace.report import write_analysis

    files = write_analysis(curves.found, folder, bias_mV=bias_mV)
    return f"{len(files)} files written to {folder}"


def iter_zone(settings: "LatticeSettings") -> Steps[tuple[Any, Any]]:
    """Return the corners of the Brillouin zone and the Bragg peaks, (qx, qy) each."""
    yield Progress(0.0, "drawing the zone")
    from qpi_kernel.qspace import brillouin_zone, reciprocal_lattice

    reciprocal = reciprocal_lattice(
        settings.lattice_nm,
        between_deg=90.0 if settings.symmetry == "square" else 60.0,
        rotation_deg=settings.rotation_deg,
    )
    first, second = reciprocal
    shortest = [first, second] if settings.symmetry == "square" else [first, second, first + second]
    return brillouin_zone(reciprocal), np.concatenate([shortest, np.negative(shortest)])


def iter_bragg(
    arguments: Arguments, settings: "LatticeSettings"
) -> Steps[tuple[Any, float, float]]:
    """Find the Bragg peaks of a map; return them with constant [nm] and rotation [degrees]."""
    yield Progress(0.0, "looking for Bragg peaks")
    from qpi_kernel.maps import make_map
    from qpi_kernel.preprocess import find_bragg_peaks
    from qpi_kernel.qspace import lattice_of

    peaks = find_bragg_peaks(make_map(**arguments), settings.symmetry, settings.lattice_nm)
    return peaks, *lattice_of(peaks, settings.symmetry)


def _fft_layer(fft: Map, name: str, part: str, facts: Mapping[str, Any]) -> LayerData:
    """Return one part of a transform as a layer whose name tells what was done to it."""
    attrs = fft.attrs
    # Symmetrised maps have lost their phase: there is a modulus only.
    shown = fft_part(fft, part if np.iscomplexobj(fft.values) else LOG if part == LOG else "|F|")
    badge = f" · symmetrised {attrs['symmetrised']}" if "symmetrised" in attrs else ""
    badge += f" · {attrs['window']}" if attrs["window"] != "none" else ""
    if part == LOG:
        colormap, limits = "inferno", top_decades(shown.values)
    elif part == "|F|":
        colormap, limits = "inferno", from_zero(shown.values)
    elif part == "phase":
        colormap, limits = "hsv", (-np.pi, np.pi)
    else:
        colormap, limits = preferences().colormap, about_zero(shown.values)
    told = {**facts, "window": attrs["window"], "symmetrised": attrs.get("symmetrised", "")}
    return map_to_layer(
        shown,
        f"{name} {part}{badge}",
        kind=f"FFT {part}",
        facts=told,
        colormap=colormap,
        contrast_limits=limits,
    )
