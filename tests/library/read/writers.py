"""Writers of small files as the instruments write them."""

import struct
import zlib

import numpy as np

NX, NY = 7, 5


def picture() -> np.ndarray:
    """Return values of a non-square frame, row 0 at the top, with a mark in the top left corner."""
    values = np.arange(1, NX * NY + 1, dtype=np.float32).reshape(NY, NX)
    values[0, 0] = 100
    return values


def createc_bytes(images, header="", compress=True, pad=0, nx=NX, ny=NY, channels=None) -> bytes:
    """Write images (channel, row, column) in counts."""
    images = np.asarray(images, dtype="<f4")
    text = (
        f"[Paramco32]\r\nDAC-Type=20bit\r\nNum.X / Num.X={nx}\r\nNum.Y / Num.Y={ny}\r\n"
        "Rotation / Rotation=30.00\r\nBiasVoltage / BiasVolt.[mV]=-50.00\r\n"
        "Gainpreamp / GainPre 10^=9\r\nCHMode / CHMode=0\r\n"
        "CHModeBias[mV] / CHModeBias[mV]=-12.5\r\n"
        "CHModeGainpreamp / CHModeGainpreamp=10\r\nFBLogIset= 100.000\r\nLockinAmpl= 15.000\r\n"
        f"Channels / Channels={channels or len(images)}\r\n"
        "Channelselectval / Channelselectval=3\r\n"
        "ActDriveDir=H:\\Createc\\STMDATA\\someone\\\r\n"
        "Length x[A]=70.0\r\nLength y[A]=100.0\r\nZPiezoconst=  8.79\r\n" + header
    ).encode("latin-1")
    raw = struct.pack("<f", 0) + images.tobytes()
    if not compress:
        return text.ljust(16384, b"\0") + raw
    return text + bytes(pad) + b"DATA" + zlib.compress(raw)


def vert_bytes(table, bits=3, header="") -> bytes:
    """Write a Createc point spectrum, table (point, column): number, mV, height, counts."""
    text = (
        "[ParVERT30]\r\nBiasVoltage / BiasVolt.[mV]=-50.00\r\nGainpreamp / GainPre 10^=9\r\n"
        "FBLogIset= 100.000\r\nLockinAmpl= 15.000\r\nT_ADC2[K]=  5.100\r\n"
        f"ActDriveDir=H:\\someone\\\r\n{header}"
    ).encode()
    rows = ("\t".join(f"{value:g}" for value in row) for row in np.asarray(table))
    body = f"DATA\r\n    {len(table)}    10    20    {bits}\r\n" + "\r\n".join(rows) + "\r\n"
    return text.ljust(16382, b" ") + b"\r\n" + body.encode()


def sxm_bytes(images, direction="down", header="", table=None, nx=NX, ny=NY) -> bytes:
    """Write images in file order."""
    table = table or "\t14\tZ\tm\tboth\t1.8E-8\t0\n\t20\tLIX_1_omega\tA\tboth\t1.0\t0\n"
    text = (
        ":NANONIS_VERSION:\n2\n:SCANIT_TYPE:\n              FLOAT            MSBFIRST\n"
        ":REC_DATE:\n 22.10.2014\n:REC_TIME:\n15:19:04\n"
        f":SCAN_PIXELS:\n       {nx}       {ny}\n"
        ":SCAN_FILE:\nC:\\Users\\someone\\scan.sxm\n"
        ":SCAN_RANGE:\n           7.000000E-9           1.000000E-8\n:SCAN_ANGLE:\n  3.0E+1\n"
        f":SCAN_DIR:\n{direction}\n:BIAS:\n            4.500E-2\n:Z-CONTROLLER:\n"
        "\tName\ton\tSetpoint\tP-gain\n\tlog Current\t1\t4.500E-10 A\t1.000E-12 m\n"
        ":Lock-in>Lock-in status:\nON\n:Lock-in>Modulated signal:\nBias (V)\n"
        f":Lock-in>Amplitude:\n4E-3\n{header}"
        ":DATA_INFO:\n\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n"
        f"{table}\n:\nSCANIT_END:\n\n\n"
    )
    text = text.replace("\n:\nSCANIT_END:", "\n:SCANIT_END:")
    return text.encode("latin-1") + b"\x1a\x04" + np.asarray(images, dtype=">f4").tobytes()


def grid_bytes(
    curves,
    channels="Current (A);LI Demod 1 X (A);LI Demod 1 Y (A);LI Demod 1 X [bwd] (A)",
    sweep=(0.02, -0.02),
    angle=0.0,
    serpentine=False,
    corners=False,
    positions=True,
    header="",
    dim=None,
    points=None,
    complete=None,
    pitch_nm=(1.0, 2.0),
    z_m=None,
) -> bytes:
    """Write curves (row, column, channel, point), row 0 at the smallest y; pitch along x and y."""
    curves = np.asarray(curves, dtype=float)
    ny, nx, _, count = curves.shape
    dx, dy = pitch_nm
    width, height = (dx * (nx - 1), dy * (ny - 1)) if corners else (dx * nx, dy * ny)
    u, v = np.meshgrid(dx * (np.arange(nx) - (nx - 1) / 2), dy * (np.arange(ny) - (ny - 1) / 2))
    a = np.deg2rad(angle)
    x, y = u * np.cos(a) + v * np.sin(a), -u * np.sin(a) + v * np.cos(a)
    names = "X (m);Y (m);Z (m)" if positions else "Z (m)"
    parameters = [np.full((ny, nx), sweep[0]), np.full((ny, nx), sweep[1])]
    parameters += [(30 + x) * 1e-9, (-20 + y) * 1e-9] if positions else []
    parameters += [np.arange(nx * ny).reshape(ny, nx) * 1e-12 if z_m is None else z_m]
    records = np.concatenate([np.stack(parameters, -1), curves.reshape(ny, nx, -1)], -1)
    if serpentine:
        records[1::2] = records[1::2, ::-1].copy()
    text = (
        f'Grid dim="{dim or f"{nx} x {ny}"}"\r\n'
        f"Grid settings=3.0E-8;-2.0E-8;{width}E-9;{height}E-9;{angle}\r\n"
        'Sweep Signal="Bias (V)"\r\nFixed parameters="Sweep Start;Sweep End"\r\n'
        f'Experiment parameters="{names}"\r\n# Parameters (4 byte)={len(parameters)}\r\n'
        f'Points={points or count}\r\nChannels="{channels}"\r\nUser=someone\r\n'
        'Comment="two\r\nlines"\r\nBias>Bias (V)=20E-3\r\nLock-in>Lock-in status=ON\r\n'
        'Lock-in>Modulated signal="Bias (V)"\r\nLock-in>Amplitude=2E-3\r\n'
        f"Z-Controller>Setpoint=1E-10\r\nZ-Controller>Setpoint unit=A\r\n{header}:HEADER_END:\r\n"
    )
    body = records.reshape(nx * ny, -1)[:complete].astype(">f4").tobytes()
    return text.encode("latin-1") + body


def dat_bytes(
    table, names="Bias calc (V)\tCurrent (A)\tLI Demod 1 X [bwd] (A)", header=""
) -> bytes:
    """Write a Nanonis point spectrum, table (point, column), with a duplicate key."""
    text = (
        "Experiment\tbias spectroscopy\t\r\nExperiment\tbias spectroscopy\t\r\n"
        "Saved Date\t20.03.2025 14:02:20\t\r\nUser\tsomeone\t\r\nX (m)\t3E-9\t\r\n"
        "Y (m)\t-2E-9\t\r\nBias>Bias (V)\t1\t\r\nBias>Bias (V)\t20E-3\t\r\n"
        "Z-Controller>Setpoint\t100E-12\t\r\nZ-Controller>Setpoint unit\tA\t\r\n"
        f"Temperature 1>Temperature 1 (K)\t4.2\t\r\n{header}\r\n[DATA]\r\n{names}\r\n"
    )
    rows = ("\t".join(f"{value:.6E}" for value in row) for row in np.asarray(table))
    return (text + "\r\n".join(rows) + "\r\n").encode("latin-1")


def sm4_page(
    values,
    label="LIA Current",
    units="A",
    line=False,
    scan=0,
    scale=(-1e-9, -2e-9, 1e-12),
    x_offset=0.0,
    grid=(0, 0),
    positions=(),
):
    """Return header, strings, values and positions of one RHK page."""
    values = np.asarray(values, dtype="<i4")
    ny, nx = values.shape
    texts = [label, "", "", "", "C:\\someone\\a.sm4", "07/02/20", "07:44:16", "V" if line else "m"]
    texts += ["", units]
    strings = b"".join(struct.pack("<H", len(t)) + t.encode("utf-16-le") for t in texts)
    header = struct.pack(
        "<2H13I11f4I64x",
        *(168, len(texts)),
        *(0, 0, 7 if line else 0, 0, 0, nx, ny, 0, scan, 0, 4 * nx * ny, 0, 0),
        *(*scale, 0, x_offset, 0, 0, 0, -0.05, 1e-10, 0 if line else 10),
        *(0, *grid, 2),
    )
    drift = np.zeros((len(positions), 7), dtype="<f4")
    drift[:, 1:3] = np.reshape(positions, (-1, 2))
    return int(line), header, strings, values.tobytes(), drift.tobytes()


def sm4_bytes(pages) -> bytes:
    """Write pages made by `sm4_page`."""
    index = 58 + 12 + 16 + 12
    body, table = b"", b""
    start = index + len(pages) * (32 + 24)
    for kind, header, strings, values, drift in pages:
        place = start + len(body)
        after = place + len(header) + 24
        objects = struct.pack(
            "<6I", 10, after, 1, 8, after + len(strings) + len(values), len(drift)
        )
        body += header + objects + strings + values + drift
        table += bytes(16) + struct.pack("<4I", kind, 0, 2, 5)
        table += struct.pack("<6I", 3, place, 180, 4, after + len(strings), len(values))
    head = struct.pack("<H", 56) + "STiMage 005.004 1".ljust(18, "\0").encode("utf-16-le")
    head += struct.pack("<5I", len(pages), 1, 12, 0, 0) + struct.pack("<3I", 1, 70, 16)
    head += struct.pack("<4I", len(pages), 1, 0, 0) + struct.pack("<3I", 2, index, len(table))
    return head + table + body


def xyz_bytes(values, units="X[nm]\tY[nm]\tZ[m]") -> bytes:
    """Write a WSxM table of an image with row 0 at the top, from the bottom up; 1 nm by 2 nm."""
    ny, nx = np.shape(values)
    lines = ["WSxM file copyright UAM", "WSxM ASCII XYZ file", units, ""]
    for row in range(ny):
        lines += [f"{x}\t{2 * row}\t{values[ny - 1 - row][x]:.9g}" for x in range(nx)]
    return "\r\n".join(lines).encode()


def stp_bytes(values, kind="double", amplitude="98 pm", header="") -> bytes:
    """Write a WSxM image with row 0 at the top, of 1 nm by 2 nm pixels."""
    ny, nx = np.shape(values)
    text = (
        "WSxM file copyright Nanotec Electronica\r\nSxM Image file\r\n"
        "Image header size: 0\r\n\r\n"
        f"[Control]\r\n\r\n    Set Point: 0.1 nA\r\n    Topography Bias: -0.05 V\r\n{header}"
        f"    X Amplitude: {nx} nm\r\n    Y Amplitude: {20 * ny} \u00c5\r\n\r\n"
        "[General Info]\r\n\r\n"
        f"    Acquisition channel: Topo\r\n    Image Data Type: {kind}\r\n"
        f"    Number of columns: {nx}\r\n    Number of rows: {ny}\r\n"
        f"    Z Amplitude: {amplitude}\r\n\r\n[Header end]\r\n"
    )
    dtype = {"double": "<f8", "float": "<f4", "short": "<i2"}[kind]
    # WSxM begins at the bottom right corner.
    return text.encode("latin-1") + np.asarray(values)[::-1, ::-1].astype(dtype).tobytes()
