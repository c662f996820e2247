"""Every method on one map: kernels side by side, one table of numbers."""

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from qpi_kernel import qspace
from qpi_kernel.assessment import Assessment, assess
from qpi_kernel.errors import GpuMemoryError, QpiError
from qpi_kernel.extract.engine import iter_extract
from qpi_kernel.extract.find import iter_find_scatterers
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.settings import METHODS, ExtractSettings, Method
from qpi_kernel.figures import save_figure
from qpi_kernel.files import replacing
from qpi_kernel.panels import colour_range, fft_panel, map_panel
from qpi_kernel.progress import Progress, Steps, scaled
from qpi_kernel.scatterers import Scatterers

# The numbers of an assessment that every method has; the median over the energies is shown.
MEASURES = ("half_agreement", "explained_structure", "spread_over_kernel", "residual_over_noise")
PANEL_INCH = 2.9
Row = dict[str, str | float]


@dataclass(frozen=True)
class Trial:
    """What one method made of the map.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    seconds : float
        How long it took on the clock [s].
    extraction, assessment : Extraction and Assessment, or None
        The result; None where the method refused the map.
    problem : str
        Why it refused.
    """

    method: Method
    seconds: float
    extraction: Extraction | None = None
    assessment: Assessment | None = None
    problem: str = ""


def iter_compare(
    didv: xr.DataArray,
    scatterers: Scatterers | None = None,
    settings: ExtractSettings | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Steps[tuple[Trial, ...]]:
    """Extract the kernel of one map with every method, from the same scatterers.

    Sparse blind deconvolution alone finds its own, as it always does.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        The map, or the region of it to use.
    scatterers : Scatterers, optional
        Where the scatterers are; without them they are found once, for all methods.
    settings : ExtractSettings, optional
        Of all methods; its own method does not count.
    device, seed
        As in `iter_extract`.

    Returns
    -------
    Steps of tuple of Trial
        One for each of `METHODS`; a method that refuses the map says why.
    """
    settings = settings or ExtractSettings()
    if scatterers is None:
        steps = iter_find_scatterers(didv, settings, device)
        scatterers = yield from scaled(steps, 0.0, 0.1)
    trials: list[Trial] = []
    edges = np.linspace(0.1, 1.0, len(METHODS) + 1)
    for method, start, stop in zip(METHODS, edges, edges[1:], strict=False):
        yield Progress(float(start), f"method {method}")
        begun = time.perf_counter()
        chosen = replace(settings, method=method)
        # From given positions it is the Wiener solution; to find them is what it is for.
        points = None if method == "sbd" else scatterers
        try:
            result = yield from scaled(
                iter_extract(didv, points, chosen, device, seed), float(start), float(stop)
            )
        except GpuMemoryError:
            # Not the method's fault, and on the CPU it may do.
            raise
        except QpiError as error:
            trials.append(Trial(method, time.perf_counter() - begun, problem=str(error)))
        else:
            seconds = time.perf_counter() - begun
            trials.append(Trial(method, seconds, result, assess(result)))
    return tuple(trials)


def comparison_table(trials: Sequence[Trial]) -> list[Row]:
    """Return one row per method: verdict, the measures (median over energies) and seconds."""
    rows: list[Row] = []
    for trial in trials:
        row: Row = {"method": trial.method}
        if trial.assessment is None:
            row |= {"verdict": f"refused: {trial.problem}"} | dict.fromkeys(MEASURES, np.nan)
        else:
            row["verdict"] = trial.assessment.verdict
            numbers = trial.assessment.numbers
            row |= {name: float(np.nanmedian(numbers.get(name, [np.nan]))) for name in MEASURES}
        rows.append(row | {"seconds": trial.seconds})
    return rows


def comparison_figure(trials: Sequence[Trial], bias_mV: float | None = None) -> Figure:
    """Draw the map and the kernels of all methods, and their transforms below.

    Parameters
    ----------
    trials : sequence of Trial
        What `iter_compare` returned.
    bias_mV : float, optional
        The nearest bias is drawn [mV]; by default the first.

    Raises
    ------
    QpiError
        If every method refused the map.
    """
    shown = [(trial, trial.extraction) for trial in trials if trial.extraction is not None]
    if not shown:
        raise QpiError(f"no method took the map: {trials[0].problem}")

    def at_bias(field: xr.DataArray) -> xr.DataArray:
        biases = field["bias"].values
        index = 0 if bias_mV is None else int(np.argmin(np.abs(biases - bias_mV)))
        return field.isel(bias=[index])

    columns = len(shown) + 1
    figure = Figure(figsize=(PANEL_INCH * columns, 2 * PANEL_INCH), layout="constrained")
    axes = figure.subplots(2, columns)
    didv, kernels = (
        at_bias(shown[0][1].didv),
        [at_bias(extraction.kernel) for _, extraction in shown],
    )
    units = str(didv.attrs["units"])
    limits = colour_range(didv.values)
    map_panel(axes[0, 0], didv, "map", units, "gray", limits, colour_bar=False)
    reach = qspace.interesting_q(kernels[0])
    fft_panel(axes[1, 0], qspace.map_fft(didv), reach, "|F| of the map", colour_bar=False)
    # One range of colours: what a method makes too strong or too weak is to be seen.
    swing = max(abs(edge) for edge in colour_range(kernels[0].values))
    for column, ((trial, _), kernel) in enumerate(zip(shown, kernels, strict=True), 1):
        map_panel(
            axes[0, column], kernel, trial.method, units, "RdBu_r", (-swing, swing),
            colour_bar=False,
        )  # fmt: skip
        fft = qspace.kernel_fft(kernel, pad=2)
        title = f"|F|, {trial.method}"
        fft_panel(axes[1, column], fft, reach, title, colour_bar=False)
    bias = float(didv["bias"].values[0])
    figure.suptitle(
        f"{bias:g} mV; kernels from {-swing:.2g} (blue) to {swing:.2g} {units} (red);"
        " below log$_{10}$ |F|, each on its own range",
        fontsize=10,
    )
    return figure


def save_comparison(
    trials: Sequence[Trial], folder: Path | str, bias_mV: float | None = None
) -> Path:
    """Write comparison.png and comparison.csv into a folder, which is made, and return it.

    Raises
    ------
    QpiError
        If the folder cannot be written, or every method refused the map.
    """
    folder = Path(folder)
    figure, rows = comparison_figure(trials, bias_mV), comparison_table(trials)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_figure(figure, folder / "comparison.png")
        with (
            replacing(folder / "comparison.csv") as temporary,
            temporary.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise QpiError(f"{folder}: the comparison cannot be written ({error})") from None
    return folder
