"""What became of the items of a batch: told while it runs, and kept as summary.csv."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from qpi_kernel.errors import QpiError
from qpi_kernel.files import reason_of, replacing
from qpi_kernel.progress import Progress
from qpi_kernel.settings import from_dict

# The error of an item whose turn has not come.
WAITING = "not finished"


@dataclass(frozen=True)
class BatchItem:
    """One line of summary.csv: what became of one file, or of one energy of it.

    Parameters
    ----------
    file : str
        The measurement, as it was named.
    bias_mV : str
        Bias, or lowest and highest bias [mV].
    verdict : str
        "good", "doubtful" or "untrusted"; empty after an error.
    scatterers : int
        How many the kernel was extracted from.
    agreement : float
        Correlation of the kernels of two halves of the map, the median over the biases.
    explained : float
        Share of the structure in the map that kernel and scatterers explain, the median.
    noise : float
        White noise per point, in the unit of the map, the median.
    seconds : float
        What it took.
    error : str
        Why there is no result.
    folder : str
        Where the result is, within the folder of the batch.
    """

    file: str
    bias_mV: str = ""
    verdict: str = ""
    scatterers: int = 0
    agreement: float = float("nan")
    explained: float = float("nan")
    noise: float = float("nan")
    seconds: float = float("nan")
    error: str = ""
    folder: str = ""


@dataclass(frozen=True)
class BatchProgress(Progress):
    """One step of a batch, with what became of its items so far.

    Parameters
    ----------
    items : tuple of BatchItem
        In the order of the files; an item whose turn has not come has the error `WAITING`.
    """

    items: tuple[BatchItem, ...] = ()


def load_summary(out: Path | str) -> list[BatchItem]:
    """Read the summary.csv of a batch.

    Parameters
    ----------
    out : path
        The folder of the batch.

    Raises
    ------
    QpiError
        If there is none, or it is no summary of a batch.
    """
    path = Path(out) / "summary.csv"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        # An empty field is what is not known.
        return [from_dict(BatchItem, {k: v for k, v in row.items() if k and v}) for row in rows]
    except OSError as error:
        raise QpiError(f"{path}: cannot be read ({error.strerror}); is it a batch?") from None
    except (QpiError, UnicodeDecodeError, csv.Error):
        raise QpiError(f"{path}: not the summary of a batch; run the batch again") from None


def write_summary(items: Sequence[BatchItem], out: Path) -> None:
    """Write ``summary.csv``, a line for each item; what is not known is empty.

    Parameters
    ----------
    items : sequence of BatchItem
    out : Path
        The folder of the batch.

    Raises
    ------
    QpiError
        If it cannot be written.
    """
    try:
        with (
            replacing(out / "summary.csv") as temporary,
            temporary.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, [field.name for field in fields(BatchItem)])
            writer.writeheader()
            for item in items:
                row = asdict(item)
                writer.writerow({name: "" if row[name] != row[name] else row[name] for name in row})
    except OSError as error:
        raise QpiError(f"{out}: the summary cannot be written ({reason_of(error)})") from None
