"""The stages in order: read, select, prepare, crop, extract, assess; and what a recipe says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from qpi_kernel import __version__
from qpi_kernel.assessment import Assessment, assess
from qpi_kernel.errors import QpiError
from qpi_kernel.extract.engine import iter_extract
from qpi_kernel.extract.machine import choose_device
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.learn.model import load_model
from qpi_kernel.locate import locate_scatterers
from qpi_kernel.maps import crop, nearest_bias
from qpi_kernel.preprocess import Companions, PrepareSettings, prepare
from qpi_kernel.progress import Progress, Steps, drained, scaled
from qpi_kernel.read import read_file, select_didv, select_topography
from qpi_kernel.read.companions import select_backward, select_current
from qpi_kernel.scatterers import Scatterers, load_scatterers
from qpi_kernel.settings import settings, to_dict

# A grid of many channels may be several times as large as the one that is used.
LARGE_BYTES = 2**27


@settings
class PipelineSettings:
    """What a run needs to know beside its file.

    Parameters
    ----------
    channel : str, optional
        Channel to use; by default the reader's choice.
    bias_mV : float, optional
        The nearest bias is used [mV].
    all_biases : bool
        Use all biases of the map. A map of several needs this or `bias_mV`.
    region_nm : (x0, y0, x1, y1), optional
        Part of the prepared map to use [nm].
    size_nm : (width, height), optional
        Size of a map whose file states none [nm].
    scatterers_file : str, optional
        CSV of the positions in the prepared map; by default they are found.
    find_in : {"map", "topography"}
        Where they are found: in the map while its kernel is extracted, or in the topography of the
        same file before.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    seed : int
        Seed of all random numbers.
    prepare, extract : PrepareSettings, ExtractSettings
        Settings of these stages.
    """

    channel: str | None = None
    bias_mV: float | None = None
    all_biases: bool = False
    region_nm: tuple[float, float, float, float] | None = None
    size_nm: tuple[float, float] | None = None
    scatterers_file: str | None = None
    find_in: Literal["map", "topography"] = "map"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0
    prepare: PrepareSettings = Field(default_factory=PrepareSettings)
    extract: ExtractSettings = Field(default_factory=ExtractSettings)


@dataclass(frozen=True)
class PipelineResult:
    """What a run returns.

    Parameters
    ----------
    extraction : Extraction
        The kernel with all that belongs to it.
    assessment : Assessment
        How far to trust it, and why.
    recipe : mapping
        JSON-able: settings, given positions, input file and sha256, version, model, device, seed.
    """

    extraction: Extraction
    assessment: Assessment
    recipe: Mapping[str, Any]


def iter_run(
    path: Path | str,
    settings: PipelineSettings | None = None,
    *,
    scatterers: Scatterers | None = None,
) -> Steps[PipelineResult]:
    """Extract the kernel of one file, step by step.

    Parameters
    ----------
    path : path
        A measurement that `read_file` knows.
    settings : PipelineSettings, optional
        What differs from the defaults.
    scatterers : Scatterers, optional
        Positions, instead of those of ``settings.scatterers_file``.

    Yields
    ------
    Progress
        Where the run is.

    Returns
    -------
    PipelineResult
        Kernel, verdict and recipe.

    Raises
    ------
    QpiError
        If the file cannot be read, or a setting does not fit the map.
    """
    settings = settings or PipelineSettings()
    didv, found = yield from iter_prepare(path, settings, scatterers)
    if scatterers is None and settings.scatterers_file is not None:
        scatterers = found
    steps = iter_extract(didv, found, settings.extract, device=settings.device, seed=settings.seed)
    extraction = yield from scaled(steps, 0.05, 0.95)
    yield Progress(0.95, "assessing the result")
    assessment = assess(extraction)
    recipe = {
        **plan(didv.attrs["source"], didv.attrs["sha256"], settings, scatterers),
        "provenance": dict(extraction.provenance),
    }
    yield Progress(1.0, "done")
    return PipelineResult(extraction, assessment, recipe)


run = drained(iter_run)


def iter_prepare(
    path: Path | str, settings: PipelineSettings, scatterers: Scatterers | None = None
) -> Steps[tuple[xr.DataArray, Scatterers | None]]:
    """Do what comes before an extraction: read, select, prepare, crop.

    Parameters
    ----------
    path : path
        A measurement that `read_file` knows.
    settings : PipelineSettings
    scatterers : Scatterers, optional
        Positions, instead of those of ``settings.scatterers_file``.

    Returns
    -------
    Steps of (xarray.DataArray, Scatterers or None)
        The part of the map to use, and where the scatterers are; None where the map itself is to
        show them.

    Raises
    ------
    QpiError
        If the file cannot be read, or a setting does not fit the map.
    """
    yield Progress(0.0, f"reading {Path(path).name}")
    if scatterers is None and settings.scatterers_file is not None:
        scatterers = load_scatterers(settings.scatterers_file)
    dataset = read_file(path, size_nm=settings.size_nm, lazy=_is_large(Path(path)))
    didv = _at_bias(select_didv(dataset, settings.channel), settings, Path(path).name)
    yield Progress(0.02, "preparing the map")
    didv = prepare(didv, settings.prepare, _companions(dataset, didv, settings))
    if settings.region_nm is not None:
        didv = crop(didv, settings.region_nm)
    if scatterers is None and settings.find_in == "topography":
        yield Progress(0.03, "finding the scatterers in the topography")
        scatterers = _find_in_topography(dataset, settings, Path(path).name)
    return didv, scatterers


def _is_large(path: Path) -> bool:
    """Tell whether only the channels that are used shall be taken into memory."""
    # What keeps the others on disk is dask, an extra.
    return path.is_file() and path.stat().st_size > LARGE_BYTES and find_spec("dask") is not None


def _companions(dataset: xr.Dataset, didv: xr.DataArray, settings: PipelineSettings) -> Companions:
    """Gather what the settings of the preparation need beside the map."""
    backward = current = None
    if settings.prepare.average_traces:
        backward = select_backward(dataset, str(didv.attrs["channel"]))
        # Forward and backward have the same biases, of which `didv` may be one.
        backward = backward if backward is None else backward.sel(bias=didv["bias"])
    if settings.prepare.normalise != "none":
        current = select_current(dataset)
    return Companions(backward, current, select_topography(dataset))


def _find_in_topography(dataset: xr.Dataset, settings: PipelineSettings, name: str) -> Scatterers:
    topography = select_topography(dataset)
    if topography is None:
        raise QpiError(
            f"{name} holds no topography to find the scatterers in; find them in the map"
        )
    # The same frame as that of the map, without what only dI/dV can undergo.
    plain = replace(settings.prepare, average_traces=False, normalise="none")
    topography = prepare(topography, plain)
    if settings.region_nm is not None:
        topography = crop(topography, settings.region_nm)
    return locate_scatterers(topography)


def plan(
    file: str, sha256: str, settings: PipelineSettings, scatterers: Scatterers | None = None
) -> dict[str, Any]:
    """Return what a recipe says before the run: input, settings, positions and model.

    Parameters
    ----------
    file : str
        Name of the measurement, without folders.
    sha256 : str
        Of its bytes.
    settings : PipelineSettings
    scatterers : Scatterers, optional
        Given positions.

    Raises
    ------
    QpiError
        If the run needs a model that cannot be loaded.
    """
    given = None
    if scatterers is not None:
        given = {
            "xy_nm": np.asarray(scatterers.xy_nm).tolist(),
            "weight": scatterers.weight.tolist(),
            "species": scatterers.species.tolist(),
        }
    return {
        "recipe": 1,
        "version": __version__,
        "input": {"file": file, "sha256": sha256},
        # Folders of the user's machine are nobody's business; the positions themselves are kept.
        "settings": to_dict(settings) | {"scatterers_file": None},
        "scatterers": given,
        "model": model_of(settings, scatterers),
        "device": settings.device,
        "seed": settings.seed,
    }


def model_of(settings: PipelineSettings, scatterers: Scatterers | None) -> dict[str, str] | None:
    """Return name and sha256 of the model that a run uses; None if it needs none.

    It may be needed for the kernel, or to find the scatterers in the map.

    Raises
    ------
    QpiError
        If the model cannot be loaded.
    """
    method = settings.extract.method
    searched = scatterers is None and settings.find_in == "map"
    if method != "aligned" and (method == "sbd" or not searched):
        return None
    model = load_model(settings.extract.model, str(choose_device(settings.device)))
    return {"name": str(model.card["name"]), "sha256": model.sha256}


def _at_bias(didv: xr.DataArray, settings: PipelineSettings, name: str) -> xr.DataArray:
    biases = didv["bias"].values
    if settings.bias_mV is not None:
        return nearest_bias(didv, settings.bias_mV)
    if biases.size > 1 and not settings.all_biases:
        raise QpiError(
            f"{name} has {biases.size} biases from {biases[0]:g} to {biases[-1]:g} mV:"
            " choose one (bias) or all of them (all biases)"
        )
    return didv
