"""One click on Find or Extract: what was asked for, and the library's steps in the thread."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_qpi_kernel.bridge import LayerData, Map, plain
from napari_qpi_kernel.contrast import (
    Limits,
    about_zero,
    as_wide_about_zero,
    from_zero,
    spanning,
    top_decades,
)
from napari_qpi_kernel.fourier import LOG, fft_part
from napari_qpi_kernel.reader import file_layers
from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Progress, Steps, scaled

if TYPE_CHECKING:
    from qpi_kernel.assessment import Assessment
    from qpi_kernel.extract.result import Extraction
    from qpi_kernel.extract.validity import Reading
    from qpi_kernel.scatterers import Scatterers


@dataclass(frozen=True)
class Request:
    """What the user asked for, taken from the dock before the thread starts.

    Parameters
    ----------
    map_name : str
        Name of the map layer.
    arguments : mapping
        Arguments of `make_map`.
    region_nm : (x0, y0, x1, y1) or None
        Part of the map [nm].
    bias_mV : float or None
        Energy; None for all of them.
    scatterers : Scatterers or None
        Positions; None lets the extraction find them.
    settings, prepare : ExtractSettings and PrepareSettings, or None
        Settings of the extraction and of what is done to the map before; None for the defaults.
    device : str
        "auto", "cpu" or "cuda".
    """

    map_name: str
    arguments: Mapping[str, Any]
    region_nm: tuple[float, float, float, float] | None
    bias_mV: float | None
    scatterers: "Scatterers | None" = None
    settings: Any = None
    prepare: Any = None
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def prepared(self) -> Map:
        """Return the whole map at the energies that were asked for, prepared."""
        from qpi_kernel.maps import make_map, nearest_bias
        from qpi_kernel.preprocess import prepare

        didv = make_map(**self.arguments)
        if self.bias_mV is not None:
            didv = nearest_bias(didv, self.bias_mV)
        return prepare(didv, self.prepare)

    def region(self, didv: Map) -> Map:
        """Return the part of a map that was asked for."""
        from qpi_kernel.maps import crop

        return didv if self.region_nm is None else crop(didv, self.region_nm)


@dataclass(frozen=True)
class Outcome:
    """What a run returned, and what it takes to show it, which the main thread is not to compute.

    Parameters
    ----------
    request : Request
        What was asked for.
    prepared : xarray.DataArray, (bias, y, x)
        The whole prepared map.
    extraction, assessment
        What the library returned.
    recipe : mapping
        Repeats it.
    log_fft : xarray.DataArray, (bias, qy, qx)
        log10 |F| of the kernel.
    reach_per_nm : float
        How far in q to look [1/nm].
    contrast : mapping
        Contrast limits of each kind of layer, those of a species under its own ending.
    """

    request: Request
    prepared: Map
    extraction: "Extraction"
    assessment: "Assessment"
    recipe: Mapping[str, Any]
    log_fft: Map
    reach_per_nm: float
    contrast: Mapping[str, Limits]


def make_outcome(
    request: Request,
    prepared: Map,
    extraction: "Extraction",
    assessment: "Assessment",
    recipe: Mapping[str, Any],
) -> Outcome:
    """Transform the kernel of a result and look how it is to be shown."""
    from qpi_kernel.qspace import interesting_q, kernel_fft

    log_fft = fft_part(kernel_fft(extraction.kernel), LOG)
    shared = spanning(extraction.didv.values)
    contrast = {
        "prepared": shared,
        "reconstruction": shared,
        "residual": as_wide_about_zero(shared),
        "kernel FFT": top_decades(log_fft.values),
    }
    for part, ending in zip(extraction.each_species, endings(extraction), strict=True):
        contrast[f"kernel{ending}"] = about_zero(part.kernel.values)
        contrast[f"kernel spread{ending}"] = from_zero(part.spread.values)
    reach = interesting_q(extraction.kernel)
    return Outcome(request, prepared, extraction, assessment, recipe, log_fft, reach, contrast)


def endings(extraction: "Extraction") -> list[str]:
    """Return what tells the kernels of several species apart; one is simply the kernel."""
    several = bool(extraction.parts)
    return [
        f" species {part.scatterers.labels[0]}" if several else ""
        for part in extraction.each_species
    ]


def iter_locate_request(request: Request) -> Steps["Scatterers"]:
    """Find the scatterers of the map that was asked for."""
    yield Progress(0.0, "preparing")
    from qpi_kernel.extract.find import iter_find_scatterers

    didv = request.region(request.prepared())
    result: Scatterers = yield from iter_find_scatterers(didv, request.settings, request.device)
    return result


def iter_prepare_request(request: Request) -> Steps[tuple[Request, Map, Limits]]:
    """Prepare the whole map that was asked for; return it with its contrast limits."""
    yield Progress(0.1, "preparing the map")
    prepared = request.prepared()
    return request, prepared, spanning(prepared.values)


def iter_validity_request(request: Request) -> Steps[tuple["Reading", ...]]:
    """Compare the map that was asked for with the range of the model."""
    yield Progress(0.0, "looking at the map")
    from qpi_kernel.extract.validity import Reading, check_validity

    try:
        didv = request.region(request.prepared())
        return check_validity(didv, request.scatterers, request.settings)
    except QpiError as error:
        # Nobody pressed a button yet: this belongs into the gauge, not into a notification.
        return (Reading("Map", "", str(error)),)


def iter_extract_request(request: Request) -> Steps[Outcome]:
    """Extract, assess and transform, as was asked for; runs in the thread."""
    yield Progress(0.0, "preparing (the first run loads the model)")
    from qpi_kernel.assessment import assess
    from qpi_kernel.extract import iter_extract

    prepared = request.prepared()
    steps = iter_extract(
        request.region(prepared), request.scatterers, request.settings, device=request.device
    )
    extraction = yield from scaled(steps, 0.0, 0.9)
    yield Progress(0.9, "assessing the result")
    assessment = assess(extraction)
    yield Progress(0.98, "transforming the kernel")
    return make_outcome(request, prepared, extraction, assessment, recipe(request, extraction))


def recipe(request: Request, extraction: "Extraction") -> dict[str, Any]:
    """Return, as JSON values, the recipe that ``qpi-kernel run`` replays on the file of the map."""
    from qpi_kernel.extract import ExtractSettings
    from qpi_kernel.pipeline import PipelineSettings, plan
    from qpi_kernel.preprocess import PrepareSettings

    attrs = extraction.didv.attrs
    settings = PipelineSettings(
        channel=attrs.get("channel"),
        bias_mV=request.bias_mV,
        all_biases=request.bias_mV is None,
        region_nm=request.region_nm,
        device=request.device,
        prepare=request.prepare or PrepareSettings(),
        extract=request.settings or ExtractSettings(),
    )
    file, sha256 = attrs.get("source", request.map_name), attrs.get("sha256", "")
    content: dict[str, Any] = plain(
        {
            **plan(file, sha256, settings, request.scatterers),
            "provenance": dict(extraction.provenance),
        }
    )
    return content


def iter_export_folder(outcome: Outcome, folder: str) -> Steps[str]:
    """Write everything about a result into a folder and say so."""
    yield Progress(0.1, "writing the files and the figure")
    from qpi_kernel.export import export_result

    files = export_result(outcome.extraction, folder, outcome.assessment, outcome.recipe)
    return f"{len(files)} files written to {folder}"


def iter_export_kernel(outcome: Outcome, path: str) -> Steps[str]:
    """Write the kernel of a result as one file and say so."""
    yield Progress(0.1, "writing the kernel")
    from qpi_kernel.export import write_map

    return f"kernel written to {write_map(outcome.extraction.kernel, path)}"


def iter_read_channel(path: str, channel: str) -> Steps[list[LayerData]]:
    """Read another channel of a file."""
    yield Progress(0.1, "reading the file")
    from qpi_kernel.read import read_file

    return file_layers(read_file(path), Path(path), channel)


def iter_machine(model: str | None = None) -> Steps[str]:
    """Look up what computes here, and with which model; load all that Find and Extract need."""
    yield Progress(0.0, "looking at the machine …")
    from qpi_kernel.extract.machine import describe_machine

    machine = describe_machine(model=model)
    yield Progress(0.5, machine)
    _load_all()
    return machine


@cache
def _load_all() -> None:
    import qpi_kernel.pipeline  # noqa: F401  # loaded for later, used by nobody here
    from qpi_kernel.extract.machine import load_all

    load_all()
    # After so many new objects Python goes through all there are, and the window stands still for
    # half a second: better now than in the middle of an extraction.
    gc.collect()
