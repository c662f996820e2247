"""Writers of small files of each format, as the instruments write them."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import xarray as xr

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


def ibw_bytes(
    values,
    order="<",
    step=(1e-9, 2e-9, -5e-3),
    start=(-3e-9, 0.0, 10e-3),
    units=("m", "m", "V"),
) -> bytes:
    """Write an Igor wave of version 5, values (x, y, bias) or (x, y)."""
    values = np.asarray(values, dtype=f"{order}f8")
    shape = np.zeros(4, dtype=int)
    shape[: values.ndim] = values.shape
    scale = [np.pad(numbers, (0, 4 - len(numbers))) for numbers in (step, start)]
    wave = struct.pack(
        f"{order}I2IiHh6xh32s2I4i4d4d",
        *(0, 0, 0, values.size, 4, 0, 1, b"LIX", 0, 0, *shape, *scale[0], *scale[1]),
    )
    wave += b"A\0\0\0" + b"".join(unit.encode().ljust(4, b"\0") for unit in units) + bytes(4)
    wave = wave.ljust(320, b"\0")

    def header(checksum: int) -> bytes:
        size = 320 + values.nbytes
        return struct.pack(f"{order}hhi", 5, checksum, size).ljust(64, b"\0") + wave

    words = np.frombuffer(header(0), f"{order}i2").sum(dtype=np.int64)
    return header(int(np.int64(-words).astype(np.int16))) + values.tobytes(order="F")


def gwy_bytes(*fields) -> bytes:
    """Write Gwyddion fields (title, values with row 0 at the top, unit) of 1 nm by 2 nm pixels."""

    def named(name: str, kind: str, raw: bytes) -> bytes:
        return name.encode() + b"\0" + kind.encode() + raw

    def whole(name: str, *components: bytes) -> bytes:
        raw = b"".join(components)
        return name.encode() + b"\0" + struct.pack("<I", len(raw)) + raw

    def unit(name: str, text: str) -> bytes:
        return named(name, "o", whole("GwySIUnit", named("unitstr", "s", text.encode() + b"\0")))

    components = [named("/filename", "s", b"/home/someone/a.gwy\0")]
    components += [named("/0/select", "S", struct.pack("<I", 2) + b"a\0b\0")]
    for index, (title, values, units) in enumerate(fields):
        ny, nx = np.shape(values)
        raw = np.asarray(values, dtype="<f8").tobytes()
        field = whole(
            "GwyDataField",
            *(named("xres", "i", struct.pack("<i", nx)), named("yres", "i", struct.pack("<i", ny))),
            *(named("xreal", "d", struct.pack("<d", nx * 1e-9)),),
            *(named("yreal", "d", struct.pack("<d", ny * 2e-9)),),
            *(unit("si_unit_xy", "m"), unit("si_unit_z", units)),
            named("data", "D", struct.pack("<I", nx * ny) + raw),
        )
        components += [named(f"/{index}/data", "o", field)]
        components += [named(f"/{index}/data/title", "s", title.encode() + b"\0")]
    return b"GWYP" + whole("GwyContainer", *components)


def nexus_bytes(values, axes, default=True, units="ampere") -> bytes:
    """Write a NeXus file with one signal; axes are (name, values, unit)."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        data = entry.create_group("lockin")
        data.attrs.update({"NX_class": "NXdata", "signal": "didv", "axes": [a[0] for a in axes]})
        data.create_dataset("didv", data=values).attrs["units"] = units
        for name, numbers, unit in axes:
            data.create_dataset(name, data=numbers).attrs["units"] = unit
        if default:
            file.attrs["default"], entry.attrs["default"] = "entry", "lockin"
    return stream.getvalue()


def mat_bytes(version="5", **variables) -> bytes:
    """Write a MATLAB file of version 5, 5 without compression, or 7.3; a dict becomes a struct."""
    stream = io.BytesIO()
    if version != "7.3":
        scipy.io.savemat(stream, variables, do_compression=version == "5")
        return stream.getvalue()
    with h5py.File(stream, "w", userblock_size=512) as file:
        file.create_group("#refs#")
        for name, value in variables.items():
            members = value.items() if isinstance(value, dict) else [("", value)]
            for member, array in members:
                # The axes lie in reverse order, and a vector is a matrix too.
                stored = np.atleast_2d(array).T
                file.create_dataset(f"{name}/{member}".rstrip("/"), data=stored)
    content = bytearray(stream.getvalue())
    content[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM"
    return bytes(content)


def npz_bytes(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


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


def pxp_bytes(*waves) -> bytes:
    """Write an Igor experiment of waves made by `ibw_bytes`, between records of other kinds."""
    records = [(5, b"procedure"), *((3, wave) for wave in waves), (2, b"history of someone")]
    return b"".join(struct.pack("<hhi", kind, 0, len(raw)) + raw for kind, raw in records)


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


def zarr_zip_bytes(dataset: xr.Dataset, folder: Path) -> bytes:
    """Write a dataset as a Zarr store in one .zip."""
    store = folder / "store.zarr"
    dataset.to_zarr(store, consolidated=False)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(store.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(store).as_posix())
    return stream.getvalue()


def hdf5_bytes(**arrays) -> bytes:
    """Write plain HDF5; "group__name" is in a group, and (values, units) has a unit."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, value in arrays.items():
            values, units = value if isinstance(value, tuple) else (value, None)
            stored = file.create_dataset(name.replace("__", "/"), data=values)
            if units is not None:
                stored.attrs["units"] = units
    return stream.getvalue()


def gsf_bytes(values, header="") -> bytes:
    """Write a Gwyddion simple field with row 0 at the top."""
    ny, nx = np.shape(values)
    text = f"Gwyddion Simple Field 1.0\nXRes = {nx}\nYRes = {ny}\n{header}".encode()
    return text + bytes(4 - len(text) % 4) + np.asarray(values, dtype="<f4").tobytes()


def csv_bytes(values) -> bytes:
    """Write the public data set: a kernel, one map with row 0 at the top, and one scatterer."""
    upward = np.asarray(values)[::-1]
    size = len(upward)
    rows = [[size, 1], np.arange(size) * 10.0, np.zeros(size**2), [*upward.T.ravel(), 5, 5]]
    return "".join(",".join(f"{float(v):.9g}" for v in row) + "\n" for row in rows).encode()
