"""Running a pipeline from the command line: the progress bar, and writing the results."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qpi_kernel.progress import Steps, drain

# Heavy modules load when something runs, so that --help and mistyped commands answer at once.
if TYPE_CHECKING:
    from qpi_kernel.pipeline import PipelineResult, PipelineSettings
    from qpi_kernel.scatterers import Scatterers

T = TypeVar("T")


def say(line: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(line + "\n")


def run_and_write(
    file: Path,
    settings: "PipelineSettings",
    out: Path,
    scatterers: "Scatterers | None" = None,
    *,
    quiet: bool = False,
) -> "PipelineResult":
    """Extract the kernel of a file and export it; say the verdict unless `quiet`."""
    from qpi_kernel.export import export_result
    from qpi_kernel.pipeline import iter_run

    result = watched(iter_run(file, settings, scatterers=scatterers))
    try:
        path = Path(os.path.relpath(file, out)).as_posix()
    except ValueError:  # another drive
        path = file.resolve().as_posix()
    recipe = {**result.recipe, "input": {**result.recipe["input"], "path": path}}
    written = export_result(result.extraction, out, result.assessment, recipe)
    if not quiet:
        reasons = "; ".join(result.assessment.reasons)
        say(f"verdict: {result.assessment.verdict}" + (f" ({reasons})" if reasons else ""))
        say(f"wrote {len(written)} files to {out}")
    return result


def watched(steps: Steps[T]) -> T:
    """Run to the end, with a progress bar where somebody is looking."""
    if not sys.stderr.isatty():
        return drain(steps)
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=1.0)
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            bar.update(task, completed=step.fraction, description=step.message)
