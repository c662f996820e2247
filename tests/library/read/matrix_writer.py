"""A writer of MATRIX runs: a file of parameters, and one of counts for each channel."""

import struct

import numpy as np

from tests.library.read.writers import NX, NY


def _block(name: str, raw: bytes, timed=True) -> bytes:
    return name[::-1].encode() + struct.pack("<I", len(raw)) + (bytes(8) if timed else b"") + raw


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _value(value) -> bytes:
    if isinstance(value, bool):
        return b"LOOB" + struct.pack("<I", value)
    if isinstance(value, int):
        return b"GNOL" + struct.pack("<i", value)
    if isinstance(value, float):
        return b"BUOD" + struct.pack("<d", value)
    return b"GRTS" + _text(value)


MATRIX_PARAMETERS = {
    "XYScanner": {
        "Points": (NX, "--"),
        "Lines": (NY, "--"),
        "X_Retrace": (True, "--"),
        "Y_Retrace": (True, "--"),
        "Width": (7e-9, "Meter"),
        "Height": (10e-9, "Meter"),
        "X_Offset": (0.0, "Meter"),
        "Y_Offset": (0.0, "Meter"),
        "Angle": (30, "Degree"),
        "Enable_Subgrid": (True, "--"),
        "Subgrid_X": (1, "--"),
        "Subgrid_Y": (1, "--"),
        "Subgrid_Match_Mode": (0, "--"),
    },
    "Spectroscopy": {
        "Device_1_Start": (0.02, "Volt"),
        "Device_1_End": (-0.02, "Volt"),
        "Device_1_Points": (3, "--"),
        "Enable_Device_1_Ramp_Reversal": (False, "--"),
        "Device_2_Start": (0.0, "Meter"),
        "Device_2_End": (0.0, "Meter"),
        "Device_2_Points": (1, "--"),
        "Enable_Device_2_Ramp_Reversal": (False, "--"),
    },
    "GapVoltageControl": {"Voltage": (-0.05, "Volt")},
    "Regulator": {"Setpoint_1": (1e-10, "Ampere")},
}


def mtrx_files(channels, name="default_someone_0001", run="1_1", location=None, **changes) -> dict:
    """Return {file name: bytes} of a MATRIX run: the parameters, and counts of each channel.

    `channels` is {name: (unit, factor, counts in the order of the scan)}; `changes` of parameters
    are given as XYScanner__Points=3. One count is 1 / factor units.
    """
    parameters = {element: dict(entries) for element, entries in MATRIX_PARAMETERS.items()}
    for key, value in changes.items():
        element, entry = key.split("__")
        parameters[element][entry] = (value, parameters[element][entry][1])
    raw = bytes(4) + struct.pack("<I", len(parameters))
    for element, entries in parameters.items():
        raw += _text(element) + struct.pack("<I", len(entries))
        for entry, (value, unit) in entries.items():
            raw += _text(entry) + _text(unit) + bytes(4) + _value(value)
    content = b"ONTMATRX0101" + _block("EEPA", raw)

    table = bytes(8) + struct.pack("<2I", 0, len(channels))
    for index, (channel, (unit, _, _)) in enumerate(channels.items()):
        table += bytes(4) + struct.pack("<I", index) + bytes(8)
        table += _text(channel) + _text(unit)
    table += struct.pack("<I", len(channels))
    for index in range(len(channels)):
        table += struct.pack("<Q", index + 1) + bytes(4) + struct.pack("<I", index)
        table += _text("device")
    transfer = b""
    for index, (unit, factor, _) in enumerate(channels.values()):
        transfer += bytes(4) + struct.pack("<I", index) + _text("TFF_Linear1D")
        transfer += _text(unit) + struct.pack("<I", 2)
        for key, value in (("Factor", float(factor)), ("Offset", 0.0)):
            transfer += _text(key) + _value(value)
    blocks = _block("DICT", table, False) + _block("XFER", transfer, False)
    content += _block("CCSY", bytes(4) + blocks)
    if location is not None:
        mark = f"MTRX$STS_LOCATION-{location}%%0-0-0-0%%"
        content += _block("MARK", _text(mark))
    files = {}
    for channel, (_, _, counts) in channels.items():
        values = np.asarray(counts, dtype="<i4").ravel()
        file = f"{name}--{run}.{channel}_mtrx"
        content += _block("BREF", bytes(4) + _text(file))
        blocks = _block("DESC", bytes(20) + struct.pack("<2i", values.size, values.size), False)
        blocks += _block("DATA", values.tobytes(), False)
        # Bytes 8 to 16 of a timed block are the seconds since 1970.
        files[file] = (
            b"ONTMATRX0101TLKB"
            + struct.pack("<IQ", len(blocks) + 4, 1_600_000_000)
            + bytes(4)
            + blocks
        )
    return {f"{name}_0001.mtrx": content, **files}
