"""Reading: one file per format, chosen by content; every reader returns a Dataset of channels."""

import hashlib
from pathlib import Path

import numpy as np
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.read import (
    createc,
    createc_vert,
    gsf,
    gwyddion_gwy,
    hdf5,
    igor_ibw,
    igor_pxp,
    matlab,
    matrix,
    nanonis_3ds,
    nanonis_dat,
    nanonis_sxm,
    netcdf,
    nexus,
    numpy_file,
    qpi_csv,
    rhk_sm4,
    tiff,
    wsxm_stp,
    wsxm_xyz,
    zarr_store,
)
from qpi_kernel.read.recording import Reader, ReadError, Source
from qpi_kernel.read.select import select_didv, select_topography

READERS: tuple[Reader, ...] = (
    nanonis_sxm.READER,
    nanonis_3ds.READER,
    nanonis_dat.READER,
    createc.READER,
    createc_vert.READER,
    matrix.READER,
    rhk_sm4.READER,
    igor_ibw.READER,
    igor_pxp.READER,
    gwyddion_gwy.READER,
    wsxm_stp.READER,
    wsxm_xyz.READER,
    numpy_file.READER,
    zarr_store.READER,
    matlab.READER,
    nexus.READER,
    netcdf.READER,
    hdf5.READER,  # after NeXus and netCDF, since it takes every HDF5 file
    tiff.READER,
    gsf.READER,
    qpi_csv.READER,
)
# Enough for every header.
HEAD_BYTES = 2**20

__all__ = [
    "READERS",
    "ReadError",
    "read_file",
    "select_didv",
    "select_topography",
    "sha256_of",
]


def read_file(
    path: Path | str, size_nm: tuple[float, float] | None = None, *, lazy: bool = False
) -> xr.Dataset:
    """Read all channels of a measurement.

    Parameters
    ----------
    path : path
        The file, or the folder of a Zarr store; the format is told by the first bytes, and by the
        suffix only where they are silent.
    size_nm : (width, height), optional
        Size of the map [nm], for files that state none (.npy, .npz without axes, plain TIFF).
    lazy : bool
        Leave the values on disk until they are used, for grids larger than the memory; the
        channels are then dask arrays (extra ``batch``). Nanonis grids (.3ds) only, others are read
        at once.

    Returns
    -------
    xarray.Dataset
        One variable per channel: (bias, y, x), or (y, x) for what a grid records beside its
        sweeps; float32, bias in mV, y and x in nm, row 0 at the smallest y, NaN where nothing was
        measured, ``attrs["units"]`` on each. Spectra at single points are (bias, point). The
        attributes hold the facts that the file states: format, source, sha256, angle_deg,
        setpoint_bias_mV, setpoint_current_pA, modulation_mV, temperature_K, date, size_nm,
        points_measured, points_total, calibrated, and notes for the user.

    Raises
    ------
    ReadError
        If the file cannot be opened, is of no known format, is damaged, or states no size.
    """
    path = Path(path)
    try:
        if path.name in zarr_store.DESCRIPTIONS:
            path = path.resolve().parent
        if path.is_dir():
            lazy, content, sha256 = False, zarr_store.description(path), sha256_of(path)
        else:
            lazy, content, sha256 = _contents(path, lazy)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReadError(
            f"{path.name}: expected a readable file, found an error ({reason}); check the path"
        ) from None
    if path.is_dir() and not content:
        raise ReadError(
            f"{path.name}: expected a file or a Zarr store, found a directory; choose one of its"
            " files"
        )
    reader = _choose(content, path)
    source = Source(path, reader.format, content, size_nm, lazy)
    try:
        # Damaged values overflow; they become NaN in the end.
        with np.errstate(all="ignore"):
            dataset = reader.read(source)
    except ReadError:
        raise
    except QpiError as error:
        raise source.error("a map", str(error), "check how it was recorded") from None
    return dataset.assign_attrs(sha256=sha256)


def _contents(path: Path, lazy: bool) -> tuple[bool, bytes, str]:
    """Return whether the values stay on disk, the bytes of the file or of its head, its sha256."""
    with path.open("rb") as file:
        content = file.read(HEAD_BYTES)
        lazy = lazy and any(reader.lazy and reader.recognises(content) for reader in READERS)
        if lazy:
            return True, content, sha256_of(path)
        file.seek(0)
        content = file.read()
        return False, content, hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, or of the names and contents of all files in a folder.

    Parameters
    ----------
    path : Path
        A measurement.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            if file.is_file():
                name = file.relative_to(path).as_posix()
                digest.update(f"{name}\0{sha256_of(file)}".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _choose(content: bytes, path: Path) -> Reader:
    if not content:
        raise ReadError(f"{path.name}: expected a measurement, found an empty file; copy it again")
    for reader in READERS:
        if reader.recognises(content):
            return reader
    for reader in READERS:
        if path.suffix.lower() in reader.suffixes:
            return reader
    suffixes = sorted({suffix for reader in READERS for suffix in reader.suffixes})
    raise ReadError(
        f"{path.name}: expected one of the formats {', '.join(suffixes)}, found bytes that begin"
        f" with {content[:12]!r}; export the map to one of these formats"
    )
