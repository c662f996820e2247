"""Writers of small files as programs and libraries write them."""

import io
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import xarray as xr


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


def pxp_bytes(*waves) -> bytes:
    """Write an Igor experiment of waves made by `ibw_bytes`, between records of other kinds."""
    records = [(5, b"procedure"), *((3, wave) for wave in waves), (2, b"history of someone")]
    return b"".join(struct.pack("<hhi", kind, 0, len(raw)) + raw for kind, raw in records)


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


def gsf_bytes(values, header="") -> bytes:
    """Write a Gwyddion simple field with row 0 at the top."""
    ny, nx = np.shape(values)
    text = f"Gwyddion Simple Field 1.0\nXRes = {nx}\nYRes = {ny}\n{header}".encode()
    return text + bytes(4 - len(text) % 4) + np.asarray(values, dtype="<f4").tobytes()


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


def csv_bytes(values) -> bytes:
    """Write the public data set: a kernel, one map with row 0 at the top, and one scatterer."""
    upward = np.asarray(values)[::-1]
    size = len(upward)
    rows = [[size, 1], np.arange(size) * 10.0, np.zeros(size**2), [*upward.T.ravel(), 5, 5]]
    return "".join(",".join(f"{float(v):.9g}" for v in row) + "\n" for row in rows).encode()
