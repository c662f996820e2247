"""The command `compare`: every method on one map, with the same numbers."""

from pathlib import Path

from qpi_kernel.cli.arguments import Options, Out, RunOptions
from qpi_kernel.cli.running import say, watched
from qpi_kernel.progress import Steps, scaled

# Heavy modules load when something runs, so that --help and mistyped commands answer at once.

HEADINGS = {
    "method": "method",
    "verdict": "verdict",
    "half_agreement": "agreement of halves",
    "explained_structure": "structure explained",
    "spread_over_kernel": "spread / kernel",
    "residual_over_noise": "residual / noise",
    "seconds": "seconds",
}


def compare(file: Path, /, *, out: Out, options: Options = None) -> None:
    """Extract with every method from the same scatterers; write comparison.png and .csv.

    Sparse blind deconvolution alone finds its own scatterers. The numbers are medians over the
    biases; the method among the options does not count.

    Parameters
    ----------
    file
        A measurement, or a map in an array file.
    """
    from rich.console import Console
    from rich.table import Table

    from qpi_kernel.comparison import Trial, comparison_table, iter_compare, save_comparison
    from qpi_kernel.pipeline import iter_prepare

    settings = (options or RunOptions()).settings()

    def steps() -> Steps[tuple[Trial, ...]]:
        didv, points = yield from scaled(iter_prepare(file, settings), 0.0, 0.05)
        trials = iter_compare(didv, points, settings.extract, settings.device, settings.seed)
        return (yield from scaled(trials, 0.05, 1.0))

    trials = watched(steps())
    folder = save_comparison(trials, out)
    table = Table(title=f"{file.name}: medians over the energies")
    for name, heading in HEADINGS.items():
        table.add_column(heading, justify="left" if name in ("method", "verdict") else "right")
    for line in comparison_table(trials):
        texts = [
            value if isinstance(value := line[name], str) else f"{value:.2f}" for name in HEADINGS
        ]
        table.add_row(*("-" if text == "nan" else text for text in texts))
    Console().print(table)
    say(f"wrote comparison.png and comparison.csv to {folder}")
