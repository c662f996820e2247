"""Createc images (.dat): a text header, then float32 DAC counts, usually as a zlib stream."""

import zlib

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.read.createc_header import (
    HEADER_BYTES,
    VOLT_PER_COUNT,
    createc_header,
    date_in_name,
    temperature_K,
)
from qpi_kernel.read.dataset import build_dataset
from qpi_kernel.read.recording import Channel, Reader, Source, integer, number

# Bits of Channelselectval, from the lowest.
CHANNELS = ("topography", "current", "dI/dV", "d2I/dV2", "ADC0", "ADC1", "ADC2", "ADC3")


def recognises(content: bytes) -> bool:
    """Tell a Createc image by its first line."""
    return content[:11] in (b"[Paramco32]", b"[Paramet32]")


def read(source: Source) -> xr.Dataset:
    """Read a Createc image.

    Heights are z = counts ZPiezoconst 20 / 2^20 [Å], currents I = counts 20 V / 2^20 / gain; all
    other channels stay in counts ("a.u."). The frame is Length x[A] by Length y[A], the pitch
    length / points, as the DAC steps of the scan are. In constant-height mode the bias is
    CHModeBias, not BiasVoltage. Rows of zeros are rows that an aborted scan never reached.

    Raises
    ------
    ReadError
        If the header or the values are not there.
    """
    if not recognises(source.content):
        raise source.error(
            "a file that begins with [Paramco32], or a Nanonis spectrum",
            repr(source.content[:16]),
            "choose an image file",
        )
    header = createc_header(source.content)
    nx, ny = integer(header.get("num.x")) or 0, integer(header.get("num.y")) or 0
    count = integer(header.get("channels")) or 0
    if min(nx, ny, count) < 1:
        raise source.error(
            "Num.X, Num.Y and Channels in the header",
            f"{nx} x {ny} points, {count} channels",
            "the header is damaged, copy the file again",
        )
    counts = _counts(source, (count, ny, nx))

    rows = (counts != 0).any(axis=(0, 2))
    counts[:, ~rows] = np.nan
    if rows.any() and not rows.all():
        # The row in which the scan was aborted is half zeros.
        last = counts[:, int(np.flatnonzero(rows)[-1])]
        last[last == 0] = np.nan

    constant_height = integer(header.get("chmode")) == 1
    gain = number(header.get("chmodegainpreamp" if constant_height else "gainpreamp"))
    z_piezo = number(header.get("zpiezoconst"))
    channels = []
    for name, values in zip(_names(header, count), counts, strict=True):
        units = "a.u."
        if name.startswith("topography") and z_piezo is not None:
            values, units = values * np.float32(z_piezo * VOLT_PER_COUNT), "Å"
        elif name.startswith("current") and gain is not None and abs(gain) < 20:
            values, units = values * np.float32(VOLT_PER_COUNT * 10**-gain), "A"
        channels.append(Channel(name, values[::-1], units))

    width, height = number(header.get("length x[a]")), number(header.get("length y[a]"))
    lock_in = any(channel.name.startswith(("dI/dV", "ADC")) for channel in channels)
    return build_dataset(
        source,
        channels,
        bias_mV=number(header.get("chmodebias[mv]" if constant_height else "biasvoltage")),
        size_nm=None if width is None or height is None else (width / 10, height / 10),
        unit_of_progress="rows",
        facts={
            "angle_deg": number(header.get("rotation")),
            "setpoint_bias_mV": number(header.get("biasvoltage")),
            "setpoint_current_pA": number(header.get("fblogiset")),
            "modulation_mV": number(header.get("lockinampl")) if lock_in else None,
            "temperature_K": temperature_K(header),
            "date": date_in_name(source.name),
        },
    )


def _counts(source: Source, shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Return the DAC counts (channel, row, column); missing values of a cut file are NaN."""
    size = shape[0] * shape[1] * shape[2]
    source.check_claim(4 * size)
    # Headers come in several lengths, and folder names in them may hold the word DATA too.
    start = source.content.find(b"DATA\x78")
    if start >= 0:
        inflate = zlib.decompressobj()
        try:
            raw = inflate.decompress(source.content[start + 4 :], 4 * (size + 1))
        except zlib.error:
            raise source.error(
                "compressed values", "a damaged zlib stream", "copy the file again"
            ) from None
    else:
        raw = source.content[HEADER_BYTES:][: 4 * (size + 1)]
    present = np.frombuffer(raw[: len(raw) // 4 * 4], dtype="<f4")[1:]
    counts = np.full(size, np.nan, dtype=np.float32)
    counts[: present.size] = present
    counts[~np.isfinite(counts)] = np.nan
    return counts.reshape(shape)


def _names(header: dict[str, str], count: int) -> list[str]:
    """Name the images: all forward traces in the order of the bits, then all backward traces."""
    bits = integer(header.get("channelselectval")) or 0
    names = [
        CHANNELS[bit] if bit < len(CHANNELS) else f"channel {bit}"
        for bit in range(32)
        if bits >> bit & 1
    ]
    both = [*names, *(f"{name} [bwd]" for name in names)]
    return (both if len(both) >= count else [])[:count] or [f"image {i + 1}" for i in range(count)]


READER = Reader("Createc image", (".dat",), recognises, read)
