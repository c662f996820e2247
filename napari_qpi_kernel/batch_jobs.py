"""What the dock "Batch" asks of the library."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_qpi_kernel.extraction import Outcome, Request, make_outcome
from qpi_kernel.batch_summary import BatchItem, load_summary
from qpi_kernel.progress import Progress, Steps

if TYPE_CHECKING:
    from qpi_kernel.pipeline import PipelineSettings

Energies = Literal["all", "each", "nearest", "stated"]


@dataclass(frozen=True)
class BatchRequest:
    """What the user asked for, taken from the dock before the thread starts.

    Parameters
    ----------
    files : tuple of str
        Measurements.
    out : str
        Folder for the results.
    settings_file : str
        Recipe or settings; "" takes `extract`, `prepare` and `device` instead.
    extract, prepare : ExtractSettings and PrepareSettings, or None
        Of the dock "Extract kernel", or as preferred; None for the defaults.
    device : {"auto", "cpu", "cuda"}
    energies : {"all", "each", "nearest", "stated"}
        All of a file with shared positions, each on its own, the nearest to `bias_mV`, or what the
        file of settings states.
    bias_mV : float
        Energy [mV].
    find_in : {"map", "topography"}
        Where the scatterers are found.
    workers : int or None
        Processes on this machine; None for one per core, or per GPU.
    scheduler : str
        Address of a dask scheduler; "" for this machine.
    """

    files: tuple[str, ...]
    out: str
    settings_file: str = ""
    extract: Any = None
    prepare: Any = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    energies: Energies = "all"
    bias_mV: float = 0.0
    find_in: Literal["map", "topography"] = "map"
    workers: int | None = None
    scheduler: str = ""

    def settings(self) -> "PipelineSettings":
        """Return the settings of every run."""
        from qpi_kernel.pipeline import PipelineSettings
        from qpi_kernel.recipes import load_settings

        if self.settings_file:
            settings = load_settings(Path(self.settings_file))
        else:
            own = {"extract": self.extract, "prepare": self.prepare}
            given = {name: value for name, value in own.items() if value is not None}
            settings = PipelineSettings(device=self.device, find_in=self.find_in, **given)
        if self.energies == "stated":
            return settings
        bias = self.bias_mV if self.energies == "nearest" else None
        return replace(settings, bias_mV=bias, all_biases=bias is None)


def iter_batch_request(request: BatchRequest) -> Steps[list[BatchItem]]:
    """Extract from all files, as was asked for."""
    yield Progress(0.0, "starting the workers")
    from qpi_kernel.batch import iter_batch

    steps = iter_batch(
        request.files,
        request.settings(),
        request.out,
        workers=request.workers,
        scheduler=request.scheduler or None,
        per_energy=request.energies == "each",
    )
    return (yield from steps)


def iter_summary(out: str) -> Steps[list[BatchItem]]:
    """Read what a folder holds of an earlier batch; nothing if it holds none."""
    yield Progress(0.0, "looking into the folder")
    return load_summary(out) if (Path(out) / "summary.csv").exists() else []


def iter_stored(folder: Path, name: str) -> Steps[Outcome]:
    """Read a result of a batch as the outcome of a run on the map of this name."""
    yield Progress(0.1, "reading the result")
    from qpi_kernel.export import load_result

    extraction, assessment, recipe = load_result(folder)
    request = Request(map_name=name, arguments={}, region_nm=None, bias_mV=None)
    yield Progress(0.7, "transforming the kernel")
    return make_outcome(request, extraction.didv, extraction, assessment, recipe)
