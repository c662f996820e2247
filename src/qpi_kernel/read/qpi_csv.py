"""The public QPI data set (.csv): one kernel and many simulated maps of it, with the truth.

Row 1 holds the resolution N and the largest number M of scatterers, row 2 the N coordinates [Å],
row 3 the kernel, and each further row one map: N x N values, then M pairs x, y [Å] of which 1000
stands for "none". Values and coordinates run along x in the first index. The data: Ji et al.,
arXiv:2506.05325, https://github.com/QPI-Dataset/QPI-Dataset-100kernels.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.maps import make_map
from qpi_kernel.read.dataset import build_dataset, covered
from qpi_kernel.read.recording import Channel, Reader, ReadError, Source
from qpi_kernel.scatterers import Scatterers

FIRST_ROW = re.compile(rb"\s*(\d{1,4})(?:\.0*)?\s*,\s*(\d{1,4})(?:\.0*)?[\s,]*\n\s*[-+.\d]")
ABSENT = 1000.0
KERNEL_ROW = 2


class PublicSample(NamedTuple):
    """One map of the data set with its truth."""

    didv: xr.DataArray
    kernel: xr.DataArray
    scatterers: Scatterers


def recognises(content: bytes) -> bool:
    """Tell the data set by its first row of two whole numbers and the numbers below."""
    return FIRST_ROW.match(content[:20000]) is not None


def read(source: Source) -> xr.Dataset:
    """Read all maps of a file as the channels "observation 1", "observation 2", ...

    Raises
    ------
    ReadError
        If a row is missing, cut, or holds something else than numbers.
    """
    resolution, _, axis_nm, rows = _rows(source)
    channels = [
        Channel(f"observation {place + 1}", _image(source, row, resolution), "a.u.")
        for place, row in enumerate(rows[1:])
    ]
    edge = covered(axis_nm)
    return build_dataset(
        source,
        channels,
        bias_mV=None,
        size_nm=(edge, edge),
        axes_nm=(axis_nm, axis_nm),
        facts={},
    )


def read_public_sample(path: Path | str, observation: int = 1) -> PublicSample:
    """Read one map of the public QPI data set with the kernel and the positions that made it.

    Parameters
    ----------
    path : path
        One CSV file, that is one kernel with its maps.
    observation : int
        Number of the map, from 1.

    Returns
    -------
    PublicSample
        ``didv``, (bias, y, x) with one bias; ``kernel``, on the same grid, which is centred
        between its pixels; ``scatterers`` [nm] without those outside the file's field.

    Raises
    ------
    ReadError
        If the file cannot be read, or has no such map.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(
            f"{path.name}: expected a readable file, found an error ({error.strerror}); check the"
            " path"
        ) from None
    source = Source(path, READER.format, content)
    resolution, most, axis_nm, rows = _rows(source)
    if not 1 <= observation < len(rows):
        raise source.error(
            f"observation {observation}", f"{len(rows) - 1} observations", "choose one of them"
        )
    didv, kernel = (
        make_map(
            _image(source, rows[place], resolution),
            bias_mV=[0.0],
            y_nm=axis_nm,
            x_nm=axis_nm,
            name=name,
            attrs={"source": source.name},
        )
        for name, place in (("dI/dV", observation), ("kernel", 0))
    )
    numbers = _numbers(source, rows[observation])[resolution**2 :]
    pairs = numbers[: min(2 * most, numbers.size // 2 * 2)].reshape(-1, 2)
    present = (np.abs(pairs) < ABSENT).all(axis=1)
    return PublicSample(didv, kernel, Scatterers(pairs[present] / 10))


def _rows(source: Source) -> tuple[int, int, npt.NDArray[np.float64], Sequence[bytes]]:
    """Return N, M, the coordinates [nm] and the rows of the kernel and the maps."""
    match = FIRST_ROW.match(source.content[:20000])
    if match is None:
        raise source.error(
            "the resolution and the number of scatterers in the first row",
            repr(source.content[:16]),
            "choose a file of the public QPI data set",
        )
    lines = [line for line in source.content.splitlines() if line.strip(b" ,\t")]
    resolution, most = int(match[1]), int(match[2])
    axis = _numbers(source, lines[1])[:resolution] if len(lines) > 1 else np.empty(0)
    if axis.size != resolution or resolution < 2 or len(lines) <= KERNEL_ROW + 1:
        raise source.error(
            f"{resolution} coordinates, a kernel and its maps",
            f"{axis.size} coordinates and {max(len(lines) - KERNEL_ROW, 0)} rows below",
            "copy the file again",
        )
    return resolution, most, axis / 10, lines[KERNEL_ROW:]


def _numbers(source: Source, line: bytes) -> npt.NDArray[np.float64]:
    try:
        return np.array(line.rstrip(b" ,\t").split(b","), dtype=np.float64)
    except ValueError:
        raise source.error("rows of numbers", repr(line[:16]), "copy the file again") from None


def _image(source: Source, line: bytes, resolution: int) -> npt.NDArray[np.float64]:
    values = _numbers(source, line)[: resolution**2]
    if values.size < resolution**2:
        raise source.error(
            f"{resolution} x {resolution} values in each row",
            f"a row of {values.size}",
            "copy the file again",
        )
    return values.reshape(resolution, resolution).T


READER = Reader("public QPI data set", (".csv",), recognises, read)
