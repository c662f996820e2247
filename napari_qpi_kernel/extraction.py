"""One click on Find or Extract: what was asked for, and the library's steps in the thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qpi_kernel.bridge import LayerData, Map, plain
from napari_qpi_kernel.fourier import LOG, fft_part
from napari_qpi_kernel.reader import file_layers
from qpi_kernel.progress import Progress, Steps, scaled

if TYPE_CHECKING:
    from qpi_kernel.assess import Assessment

    from qpi_kernel.extract.result import Extraction
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
    settings : ExtractSettings or None
        Settings of the extraction.
    device : str
        "auto", "cpu" or "cuda".
    """

    map_name: str
    arguments: Mapping[str, Any]
    region_nm: tuple[float, float, float, float] | None
    bias_mV: float | None
    scatterers: "Scatterers | None" = None
    settings: Any = None
    device: str = "auto"

    def didv(self) -> Map:
        """Return the part of the map that was asked for."""
        from qpi_kernel.maps import crop, make_map, nearest_bias

        didv = make_map(**self.arguments)
        if self.bias_mV is not None:
            didv = nearest_bias(didv, self.bias_mV)
        return didv if self.region_nm is None else crop(didv, self.region_nm)


@dataclass(frozen=True)
class Outcome:
    """What a run returned, with the recipe that repeats it."""

    request: Request
    extraction: "Extraction"
    assessment: "Assessment"
    log_fft: Map
    recipe: Mapping[str, Any]


def iter_locate_request(request: Request) -> Steps["Scatterers"]:
    """Find the scatterers of the map that was asked for."""
    yield Progress(0.0, "preparing")
    from qpi_kernel.locate import iter_locate

    result: Scatterers = yield from iter_locate(request.didv())
    return result


def iter_extract_request(request: Request) -> Steps[Outcome]:
    """Extract, assess and transform, as was asked for; runs in the thread."""
    yield Progress(0.0, "preparing (the first run loads the model)")
    from qpi_kernel.assess import assess

    from qpi_kernel.extract import iter_extract
    from qpi_kernel.qspace import kernel_fft

    steps = iter_extract(
        request.didv(), request.scatterers, request.settings, device=request.device
    )
    extraction = yield from scaled(steps, 0.0, 0.9)
    yield Progress(0.9, "assessing the result")
    assessment = assess(extraction)
    yield Progress(0.98, "transforming the kernel")
    fft = fft_part(kernel_fft(extraction.kernel), LOG)
    return Outcome(request, extraction, assessment, fft, recipe(request, extraction))


def recipe(request: Request, extraction: "Extraction") -> dict[str, Any]:
    """Return, as JSON values, how to repeat an extraction."""
    from qpi_kernel.settings import to_dict

    attrs = extraction.didv.attrs
    content: dict[str, Any] = plain(
        {
            "input": {key: attrs[key] for key in ("source", "sha256", "channel") if key in attrs},
            "bias_mV": extraction.didv["bias"].values,
            "region_nm": request.region_nm,
            "scatterers": extraction.scatterers.xy_nm,
            "extract": to_dict(extraction.settings),
            "device": request.device,
            **extraction.provenance,
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


def iter_machine() -> Steps[str]:
    """Look up what computes here, and with which model."""
    yield Progress(0.0, "looking at the machine")
    from qpi_kernel.learn.model import describe

    return describe()
