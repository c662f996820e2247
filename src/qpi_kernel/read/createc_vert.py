"""Createc point spectra (.VERT): a text header, then a table in volts and DAC counts."""

import numpy as np
import xarray as xr

from qpi_kernel.read.createc_header import (
    VOLT_PER_COUNT,
    createc_header,
    date_in_name,
    temperature_K,
)
from qpi_kernel.read.dataset import build_spectra
from qpi_kernel.read.recording import Channel, Reader, Source, integer, number

MAGIC = b"[ParVERT3"
# Bits of the fourth number above the table, from the lowest.
CHANNELS = ("current", "dI/dV", "d2I/dV2", "ADC0", "ADC1", "ADC2", "ADC3")


def recognises(content: bytes) -> bool:
    """Tell a Createc spectrum by its first line."""
    return content.startswith(MAGIC)


def read(source: Source) -> xr.Dataset:
    """Read the curves of a vertical manipulation along the bias.

    Columns are number, bias [mV], height, and the channels that the line above the table encodes
    as bits. Currents are I = counts 20 V / 2^20 / gain, all other channels stay in counts ("a.u.").
    Of a sweep there and back the way back becomes channels of its own, "current [bwd]".

    Raises
    ------
    ReadError
        If there is no table of numbers, or the bias was not swept once or once there and back.
    """
    start = source.content.find(b"\nDATA")
    lines = source.content[start + 1 :].decode("latin-1").splitlines()[1:] if start >= 0 else []
    cells = lines[0].split() if lines else []
    bits = integer(cells[3]) if len(cells) > 3 else None
    rows = [line.split() for line in lines[1:] if line.strip()]
    if not recognises(source.content) or bits is None or not rows or len(rows[0]) < 4:
        raise source.error(
            "a table below the word DATA", f"{len(rows)} lines", "choose a spectrum, or copy it"
        )
    width = len(rows[0])
    try:
        table = np.array([row for row in rows if len(row) == width], dtype=np.float64)
    except ValueError:
        raise source.error("a table of numbers", "other text in it", "copy it again") from None

    recorded = [bit for bit in range(32) if bits >> bit & 1]
    # Version 3.2 may record the lateral position too: the channels stand at the end in any case.
    columns = table[:, max(width - len(recorded), 3) :].T
    header = createc_header(source.content)
    gain = number(header.get("gainpreamp"))
    curves = []
    for bit, counts in zip(recorded, columns, strict=False):
        name = CHANNELS[bit] if bit < len(CHANNELS) else f"channel {bit}"
        if name == "current" and gain is not None and abs(gain) < 20:
            curves.append(Channel(name, counts * (VOLT_PER_COUNT * 10**-gain), "A"))
        else:
            curves.append(Channel(name, counts, "a.u."))
    bias_mV, channels = _there_and_back(source, table[:, 1], curves)
    return build_spectra(
        source,
        channels,
        bias_mV=bias_mV,
        xy_nm=None,
        facts={
            "setpoint_bias_mV": number(header.get("biasvoltage")),
            "setpoint_current_pA": number(header.get("fblogiset")),
            "modulation_mV": number(header.get("lockinampl")),
            "temperature_K": temperature_K(header),
            "date": date_in_name(source.name),
        },
    )


def _there_and_back(
    source: Source, bias_mV: np.ndarray, curves: list[Channel]
) -> tuple[np.ndarray, list[Channel]]:
    """Return the biases of one way and the curves (bias, 1), those of the way back turned round."""
    steps = np.sign(np.diff(bias_mV))
    half = bias_mV.size // 2
    if np.all(steps == steps[:1]) and steps.size and steps[0]:
        return bias_mV, [Channel(c.name, c.values[:, None], c.units) for c in curves]
    there, back = bias_mV[:half], bias_mV[-half:][::-1]
    step = float(np.ptp(bias_mV)) / max(half - 1, 1)
    if half < 3 or step == 0 or not np.allclose(there, back, rtol=0, atol=1.01 * step):
        raise source.error(
            "a sweep of the bias, once or once there and back",
            f"biases from {bias_mV.min():g} to {bias_mV.max():g} mV in another order",
            "choose a bias spectrum",
        )
    return there, [
        *(Channel(c.name, c.values[:half, None], c.units) for c in curves),
        *(Channel(f"{c.name} [bwd]", c.values[-half:][::-1, None], c.units) for c in curves),
    ]


READER = Reader("Createc spectrum", (".vert",), recognises, read)
