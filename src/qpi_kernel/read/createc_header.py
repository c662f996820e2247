"""What the headers of Createc images and spectra have in common."""

import re
from datetime import datetime

from qpi_kernel.read.recording import number

VOLT_PER_COUNT = 20 / 2**20  # the 20-bit converters span +-10 V
HEADER_BYTES = 16384
# Inputs without a diode read 999.99 K, or drift somewhere between 390 and 460 K.
NO_THERMOMETER_K = 320.0


def createc_header(content: bytes) -> dict[str, str]:
    """Return the entries by every name they go by ("Num.X / Num.X=512"), in lower case."""
    entries = {}
    for line in content[:HEADER_BYTES].split(b"DATA\x78")[0].decode("latin-1").splitlines():
        names, separator, value = line.partition("=")
        if separator:
            entries.update(dict.fromkeys((n.strip().lower() for n in names.split(" / ")), value))
    return entries


def date_in_name(name: str) -> str | None:
    """Return the date that Createc writes into the file name (A200621.160730.dat)."""
    match = re.search(r"(\d{6})\.(\d{6})", name)
    try:
        return (
            datetime.strptime("".join(match.groups()), "%y%m%d%H%M%S").isoformat()
            if match
            else None
        )
    except ValueError:
        return None


def temperature_K(header: dict[str, str]) -> float | None:
    """Return the reading of the first thermometer among T_ADC2[K], T_AUXADC6[K], None without."""
    readings = (
        number(value)
        for key, value in header.items()
        if key.startswith(("t_adc", "t_auxadc")) and key.endswith("[k]")
    )
    return next((r for r in readings if r is not None and 0 < r < NO_THERMOMETER_K), None)
