"""Commands about many results: extract from many files, compare two recipes."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from qpi_kernel.cli.arguments import Options, Out, RunOptions
from qpi_kernel.cli.running import say, watched
from qpi_kernel.errors import QpiError


def batch(
    *files: Path,
    out: Out,
    workers: int | None = None,
    scheduler: str | None = None,
    per_energy: Annotated[bool, Parameter(negative=())] = False,
    options: Options = None,
) -> None:
    """Extract the kernels of many files, each into a folder of its own; write summary.csv.

    Called again with the same folder, it makes only what is missing. A file that cannot be used
    does not stop the others.

    Parameters
    ----------
    files
        Measurements.
    workers
        Processes on this machine; by default one per GPU if GPUs compute, else one per core.
    scheduler
        Address of a running dask scheduler, instead; its workers must see the same folders.
    per_energy
        Extract every bias on its own.
    """
    from qpi_kernel.batch import iter_batch

    chosen = (options or RunOptions()).settings()
    steps = iter_batch(
        files, chosen, out, workers=workers, scheduler=scheduler, per_energy=per_energy
    )
    items = watched(steps)
    failed = [item for item in items if item.error]
    for item in failed:
        say(f"{item.file}: {item.error}")
    say(f"{len(items) - len(failed)} of {len(items)} results, listed in {out / 'summary.csv'}")
    if len(failed) == len(items):
        raise QpiError("no file gave a result")


def diff(first: Path, second: Path, /) -> None:
    """Say what differs between two recipes.

    Parameters
    ----------
    first, second
        The recipe.json of two results.
    """
    from qpi_kernel.recipe_differences import differences
    from qpi_kernel.recipes import load_recipe

    found = differences(load_recipe(first), load_recipe(second))
    for sentence in found or ["no difference: both give the same result"]:
        say(sentence)
