"""The command line `qpi-kernel`: look at a file, extract, replay, simulate, train."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, CycloptsError, Parameter

from qpi_kernel import __version__
from qpi_kernel.cli import batching, comparing, inspecting, learning, own_crystal, simulating
from qpi_kernel.cli.arguments import Device, Options, Out, RunOptions
from qpi_kernel.cli.qspace import qspace
from qpi_kernel.cli.running import run_and_write, say
from qpi_kernel.errors import QpiError

# Heavy modules load inside the commands, so that --help and mistyped commands answer at once.

# Large enough for the ring, small enough for half a minute on a laptop.
DEMO: dict[str, Any] = {"size_nm": 50.0, "pixels": 160, "scatterers": 18, "snr": 10.0, "seed": 3}

app = App(
    name="qpi-kernel",
    version=__version__,
    help="Extract the QPI kernel of a single scatterer from STM dI/dV maps."
    " Add --debug to see where an error came from.",
)


@app.command
def extract(
    file: Path,
    /,
    *,
    out: Out,
    options: Options = None,
) -> None:
    """Extract the kernel of one scatterer and write it, with all that belongs to it, to a folder.

    Parameters
    ----------
    file
        A measurement, or a map in an array file.
    """
    run_and_write(file, (options or RunOptions()).settings(), out)


@app.command
def run(
    recipe: Path,
    /,
    *,
    out: Out,
    file: Path | None = None,
    anyway: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Repeat the extraction that a recipe.json describes.

    Parameters
    ----------
    recipe
        The recipe.json of an exported result.
    file
        The measurement; by default the one of the recipe, looked for where it was then, beside
        the recipe and in the current folder.
    anyway
        Use a measurement or a model that has changed since.
    """
    from qpi_kernel.recipes import check_model, find_input, load_recipe, settings_of

    content = load_recipe(recipe)
    settings, scatterers = settings_of(content)
    if not anyway:
        check_model(content)
    chosen = file or find_input(content, recipe, anyway=anyway)
    run_and_write(chosen, settings, out, scatterers)


@app.command
def demo(*, out: Out = Path("demo"), device: Device = "auto") -> None:
    """Extract the kernel of a simulated Ag(111) map and compare it with the truth."""
    from rich.console import Console
    from rich.table import Table

    from qpi_kernel.export.simulation import write_simulation
    from qpi_kernel.pipeline import PipelineSettings
    from qpi_kernel.qspace import band_similarity, ring_radius
    from qpi_kernel.simulate import simulate_map

    known = simulate_map("ag111", bias_mV=[0.0], **DEMO)
    sample = write_simulation(known, out / "ag111_simulated.npz")
    result = run_and_write(sample, PipelineSettings(device=device), out, quiet=True)
    found = result.extraction
    x, y = known.didv["x"].values, known.didv["y"].values
    counts = [
        int(np.sum((points > (x[0], y[0])).all(1) & (points < (x[-1], y[-1])).all(1)))
        for points in (found.scatterers.xy_nm, known.scatterers.xy_nm)
    ]
    table = Table(title="Simulated Ag(111), 0 mV: extracted against known")
    table.add_column("")
    for heading in ("extracted", "known"):
        table.add_column(heading, justify="right")
    ring = ring_radius(found.kernel)[0]
    table.add_row("ring radius (1/nm)", f"{ring:.3f}", f"{known.ring_q[0]:.3f}")
    similarity = band_similarity(found.kernel, known.kernel, (0.5, 6.0))[0]
    table.add_row("similarity with the known kernel", f"{similarity:.3f}", "1")
    table.add_row("scatterers in the map", str(counts[0]), str(counts[1]))
    table.add_row("verdict", result.assessment.verdict, "")
    Console(file=sys.stdout).print(table)
    for reason in result.assessment.reasons:
        say(f"- {reason}")
    say(f"All files are in {out}: look at {out / 'figure.png'} first.")


for command in (
    inspecting.info,
    qspace,
    comparing.compare,
    simulating.simulate,
    own_crystal.simulate_crystal,
    simulating.materials,
    simulating.public_set,
    batching.batch,
    batching.diff,
    learning.train,
    learning.bank,
    learning.evaluate,
    learning.models,
):
    app.command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Words of the command line, by default those of the process.

    Returns
    -------
    int
        0: done, also when the verdict on a kernel is bad; 1: bad data, files or devices, with one
        line ``error: ...`` on stderr; 2: a mistyped command.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        app(words, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return 2
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except (QpiError, OSError) as error:
        if debug:
            raise
        return _fail(str(error))
    except Exception as error:
        if debug:
            raise
        return _fail(f"unexpected {type(error).__name__}: {error} (--debug shows where)")
    return 0


def _fail(message: str, status: int = 1) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return status
