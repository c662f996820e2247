"""Many files, on all cores or many machines: dask.distributed does the work, results resume.

Every item, that is one file or one energy of it, becomes a folder of its own. A folder whose
recipe.json names the same bytes, settings, positions and model is taken over instead of made again.
"""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from qpi_kernel.batch_summary import WAITING, BatchItem, BatchProgress, write_summary
from qpi_kernel.errors import QpiError
from qpi_kernel.files import reason_of
from qpi_kernel.pipeline import PipelineResult, PipelineSettings, iter_run, plan
from qpi_kernel.progress import Progress, Steps, drain, drained, scaled
from qpi_kernel.read import read_file, select_didv, sha256_of
from qpi_kernel.recipes import export_run, identity, load_recipe
from qpi_kernel.scatterers import Scatterers, load_scatterers
from qpi_kernel.workers import answers, connected

# dask is an extra: without it everything but a batch works.
if TYPE_CHECKING:
    from distributed import Client

# One item to be made: its settings and its identity.
Plan = tuple[PipelineSettings, str]


def iter_batch(
    files: Sequence[Path | str],
    settings: PipelineSettings | None = None,
    out: Path | str = "batch",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    per_energy: bool = False,
) -> Steps[list[BatchItem]]:
    """Extract the kernels of many files, each into a folder of its own.

    A file that cannot be used is a line with an error in ``summary.csv`` and does not stop the
    others; ``logs`` holds what every item said. Called again with the same folder, only what is
    missing is made, also after a kill: items are recognised by their bytes, settings, positions and
    model.

    Parameters
    ----------
    files : sequence of path
        Measurements that `read_file` knows.
    settings : PipelineSettings, optional
        For all files.
    out : path
        Folder for the results; made if it is not there.
    workers : int, optional
        Processes on this machine; by default one per GPU if GPUs compute, else one per core.
    scheduler : str, optional
        Address of a running dask scheduler, instead; its workers must see the same folders.
    per_energy : bool
        Let every bias be an item, which finds its own scatterers unless they are given.

    Yields
    ------
    Progress
        After each item, and often in between, so that Cancel (closing the generator) is quick;
        `BatchProgress` once it is known what is to be made.

    Returns
    -------
    list of BatchItem
        In the order of the files.

    Raises
    ------
    QpiError
        If dask is not installed, the scheduler does not answer, the folder cannot be written, or
        the settings fit no file at all.
    """
    settings = settings or PipelineSettings()
    if not files:
        raise QpiError("a batch needs at least one file")
    scatterers = None
    if settings.scatterers_file is not None:
        scatterers = load_scatterers(settings.scatterers_file)
    batch = Batch([str(file) for file in files], settings, scatterers, Path(out), per_energy)
    try:
        (batch.out / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QpiError(
            f"{out}: cannot be made there ({reason_of(error)}); choose another"
        ) from None
    yield Progress(0.0, "starting the workers")
    with connected(workers, scheduler, settings.device) as client:
        plans = yield from scaled(_iter_plan(batch, client), 0.0, 0.05)
        return (yield from scaled(_iter_make(batch, plans, client), 0.05, 1.0))


run_batch = drained(iter_batch, "run_batch")


@dataclass(frozen=True)
class Batch:
    """What `iter_batch` was asked for."""

    files: list[str]
    settings: PipelineSettings
    scatterers: Scatterers | None
    out: Path
    per_energy: bool


def _iter_plan(batch: Batch, client: "Client") -> Steps[dict[str, list[Plan] | str]]:
    """Return the items of each file, or why there are none."""
    plans: dict[str, list[Plan] | str] = {}
    asked = {
        file: (Path(file).absolute(), batch.settings, batch.scatterers, batch.per_energy)
        for file in batch.files
    }
    for answer in answers(client, _identify, asked):
        if answer:
            plans[answer[0]] = answer[1]
        yield Progress(len(plans) / len(asked), "looking at the files")
    return plans


def _iter_make(
    batch: Batch, plans: Mapping[str, list[Plan] | str], client: "Client"
) -> Steps[list[BatchItem]]:
    """Make what is not there yet; keep the summary up to date."""
    done = _finished(batch.out)
    waiting: dict[str, BatchItem] = {}
    asked: dict[str, tuple[Any, ...]] = {}
    items: list[tuple[str, str]] = []
    for file in dict.fromkeys(batch.files):
        found = plans[file]
        if isinstance(found, str):
            # What has no identity is told apart by its name.
            items.append((file, file))
            done[file] = BatchItem(file, error=found)
            continue
        for own, key in found:
            items.append((file, key))
            bias = "" if own.bias_mV is None else f"{own.bias_mV:g}"
            waiting[key] = BatchItem("", bias, error=WAITING)
            if key not in done:
                folder = batch.out.absolute() / _folder_name(file, own, key, batch.per_energy)
                asked[key] = (Path(file).absolute(), own, batch.scatterers, folder)

    def rows() -> list[BatchItem]:
        return [replace(done.get(key) or waiting[key], file=file) for file, key in items]

    left, message = len(asked), f"{len(items) - len(asked)} were done before"
    told = tuple(rows())
    for answer in answers(client, _extract, asked):
        if answer:
            key, made = answer
            done[key] = replace(waiting[key], error=made) if isinstance(made, str) else made
            left -= 1
            message = f"{asked[key][0].name}: {done[key].verdict or 'no result'}"
            told = tuple(rows())
            write_summary(told, batch.out)
        share = 1 - left / len(asked)
        yield BatchProgress(share, f"{len(asked) - left} of {len(asked)}, {message}", told)
    write_summary(told, batch.out)
    return list(told)


def _identify(
    path: Path, settings: PipelineSettings, scatterers: Scatterers | None, per_energy: bool
) -> list[Plan]:
    """Return settings and identity of each item of a file."""
    items = [settings]
    if per_energy:
        dataset = read_file(path, size_nm=settings.size_nm, lazy=True)
        biases = select_didv(dataset, settings.channel)["bias"].values
        items = [replace(settings, bias_mV=float(bias), all_biases=False) for bias in biases]
    try:
        sha256 = sha256_of(path)
    except OSError as error:
        raise QpiError(f"{path.name}: cannot be read ({error.strerror}); check the path") from None
    return [(own, identity(plan(path.name, sha256, own, scatterers))) for own in items]


def _extract(
    path: Path, settings: PipelineSettings, scatterers: Scatterers | None, folder: Path
) -> BatchItem:
    """Make one item in a worker, with a log of its own."""
    start = time.monotonic()
    log = folder.parent / "logs" / f"{folder.name}.log"
    try:
        with log.open("a", encoding="utf-8") as stream:
            try:
                steps = iter_run(path, settings, scatterers=scatterers)
                result = drain(steps, _log_of(stream))
                item = _item(result, time.monotonic() - start, folder.name)
                export_run(result, path, folder, {"batch": asdict(item)})
                stream.write(f"{item.verdict}: {'; '.join(result.assessment.reasons)}\n")
                return item
            except Exception as error:
                stream.write(traceback.format_exc())
                if isinstance(error, QpiError):
                    raise
                # What a worker raises must be known where the batch was called.
                raise QpiError(f"unexpected {type(error).__name__}: {error}; see {log}") from None
    except OSError as error:
        raise QpiError(f"{log}: cannot be written ({reason_of(error)})") from None


def _log_of(stream: TextIO) -> Callable[[Progress], None]:
    """Return what writes every new message of a run into its log."""
    before = ""

    def write(step: Progress) -> None:
        nonlocal before
        if step.message != before:
            stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {step.message}\n")
            stream.flush()
        before = step.message

    return write


def _item(result: PipelineResult, seconds: float, folder: str) -> BatchItem:
    extraction, numbers = result.extraction, result.assessment.numbers
    biases = extraction.didv["bias"].values
    ends = [f"{bias:g}" for bias in (biases[0], biases[-1])]

    def median(name: str) -> float:
        # Of several species the least.
        own = [key for key in numbers if key == name or key.startswith(f"{name}_species_")]
        return float(min((np.median(numbers[key]) for key in own), default=np.nan))

    return BatchItem(
        file=str(result.recipe["input"]["file"]),
        bias_mV=ends[0] if biases.size == 1 else " to ".join(ends),
        verdict=result.assessment.verdict,
        scatterers=len(extraction.scatterers),
        agreement=median("half_agreement"),
        explained=median("explained_structure"),
        noise=float(np.median(extraction.noise)),
        seconds=round(seconds, 2),
        folder=folder,
    )


def _finished(out: Path) -> dict[str, BatchItem]:
    """Return the items whose result is in the folder already, by identity."""
    names = {field.name for field in fields(BatchItem)}
    items = {}
    for path in sorted(out.glob("*/recipe.json")):
        # What somebody else put there is not ours to judge.
        with suppress(QpiError):
            recipe = load_recipe(path)
            told = recipe.get("batch")
            if isinstance(told, dict) and set(told) == names:
                known: dict[str, Any] = {
                    name: float("nan") if value is None else value for name, value in told.items()
                }
                items[identity(recipe)] = BatchItem(**{**known, "folder": path.parent.name})
    return items


def _folder_name(file: str, settings: PipelineSettings, key: str, per_energy: bool) -> str:
    # The identity in the name lets files of one name, and other settings, stand side by side.
    bias = f"_{settings.bias_mV:g}mV" if per_energy else ""
    return f"{Path(file).stem[:80]}{bias}-{key[:8]}"
