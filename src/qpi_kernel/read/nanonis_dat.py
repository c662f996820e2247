"""Nanonis point spectra (.dat): a header of tab-separated lines, then a table of curves."""

import numpy as np
import xarray as xr

from qpi_kernel.read.dataset import build_spectra
from qpi_kernel.read.nanonis_header import date_of, module_facts, unit_in
from qpi_kernel.read.recording import Channel, Reader, Source, number

TABLE = b"[DATA]"


def recognises(content: bytes) -> bool:
    """Tell a Nanonis spectrum by its first line."""
    return content.startswith(b"Experiment\t")


def read(source: Source) -> xr.Dataset:
    """Read the curves of a point spectrum along the bias, its first column.

    Of two equal keys in the header the last counts. A last line that was cut is left out.

    Raises
    ------
    ReadError
        If there is no table, or its first column is not a bias.
    """
    start = source.content.find(TABLE)
    if start < 0:
        raise source.error(
            "a header that begins with Experiment and ends with [DATA]",
            repr(source.content[:16]),
            "choose a Nanonis spectrum or a Createc image",
        )
    cells = (line.split("\t") for line in source.content[:start].decode("latin-1").splitlines())
    header = {line[0].strip(): line[1].strip() for line in cells if len(line) > 1}
    lines = source.content[start:].decode("latin-1").splitlines()[1:]
    names = [name.strip() for name in lines[0].split("\t")] if lines else []
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    rows = [row[: len(names)] for row in rows if len(row) >= len(names)]
    if not names or not rows or "bias" not in names[0].lower():
        raise source.error(
            "a table of curves along the bias",
            f"{len(rows)} lines along {names[0][:40] or 'nothing' if names else 'nothing'}",
            "choose a bias spectrum",
        )
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError:
        raise source.error("a table of numbers", "other text in it", "copy it again") from None
    x, y = number(header.get("X (m)")), number(header.get("Y (m)"))
    return build_spectra(
        source,
        [
            Channel(name, table[:, place, None], unit_in(name))
            for place, name in enumerate(names)
            if place
        ],
        bias_mV=np.round(1e3 * table[:, 0], 6),
        xy_nm=None if x is None or y is None else 1e9 * np.array([[x, y]]),
        facts={
            **module_facts(header),
            "date": date_of(header.get("Saved Date") or header.get("Date") or ""),
        },
    )


READER = Reader("Nanonis spectrum", (), recognises, read)
