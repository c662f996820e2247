"""Running a pipeline from the command line: the progress bar, and writing the results."""

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
    from qpi_kernel.pipeline import iter_run
    from qpi_kernel.recipes import export_run

    result = watched(iter_run(file, settings, scatterers=scatterers))
    written = export_run(result, file, out)
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
        return drain(
            steps,
            lambda step: bar.update(task, completed=step.fraction, description=step.message),
        )
