"""Reading: one file per format, chosen by content; every reader returns a Dataset of channels."""

import hashlib
from pathlib import Path

import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.read import (
    createc,
    gsf,
    gwyddion_gwy,
    igor_ibw,
    matlab,
    nanonis_3ds,
    nanonis_sxm,
    netcdf,
    nexus,
    numpy_file,
    qpi_csv,
    rhk_sm4,
    tiff,
)
from qpi_kernel.read.recording import Reader, ReadError, Source
from qpi_kernel.read.select import select_didv, select_topography

READERS: tuple[Reader, ...] = (
    nanonis_sxm.READER,
    nanonis_3ds.READER,
    createc.READER,
    rhk_sm4.READER,
    igor_ibw.READER,
    gwyddion_gwy.READER,
    numpy_file.READER,
    matlab.READER,
    nexus.READER,  # before netCDF, which takes every HDF5 file
    netcdf.READER,
    tiff.READER,
    gsf.READER,
    qpi_csv.READER,
)

__all__ = ["READERS", "ReadError", "read_file", "select_didv", "select_topography"]


def read_file(path: Path | str, size_nm: tuple[float, float] | None = None) -> xr.Dataset:
    """Read all channels of a measurement.

    Parameters
    ----------
    path : path
        The file; its format is told by its first bytes, and by its suffix only where they are
        silent.
    size_nm : (width, height), optional
        Size of the map [nm], for files that state none (.npy, .npz without axes, plain TIFF).

    Returns
    -------
    xarray.Dataset
        One variable per channel: (bias, y, x), or (y, x) for what a grid records beside its
        sweeps; float32, bias in mV, y and x in nm, row 0 at the smallest y, NaN where nothing was
        measured, ``attrs["units"]`` on each. The attributes hold the facts that the file states:
        format, source, sha256, angle_deg, setpoint_bias_mV, setpoint_current_pA, modulation_mV,
        date, size_nm, points_measured, points_total, calibrated, and notes for the user.

    Raises
    ------
    ReadError
        If the file cannot be opened, is of no known format, is damaged, or states no size.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReadError(
            f"{path.name}: expected a readable file, found an error ({reason}); check the path"
        ) from None
    reader = _choose(content, path)
    source = Source(path.name, reader.format, content, size_nm)
    try:
        dataset = reader.read(source)
    except ReadError:
        raise
    except QpiError as error:
        raise source.error("a map", str(error), "check how it was recorded") from None
    return dataset.assign_attrs(sha256=hashlib.sha256(content).hexdigest())


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
