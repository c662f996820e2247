"""A user's own kernels as training data: files of simulated or measured single scatterers.

A kernel is shown to the networks at many sizes and angles, since nobody knows beforehand on how
many pixels, and how turned, a map will show it.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform

from qpi_kernel.errors import QpiError
from qpi_kernel.read import read_file, select_didv
from qpi_kernel.read.qpi_csv import read_public_sample
from qpi_kernel.simulate.bank import SCALE, ripple_wavelength_px
from qpi_kernel.simulate.families.drawing import WAVELENGTH_PX

SUFFIXES = (".csv", ".gsf", ".nc", ".npy", ".npz", ".tif", ".tiff")
# How many draws a kernel gets to show ripples that the model grid can hold.
ATTEMPTS = 20


def read_own_kernels(folder: Path | str) -> list[npt.NDArray[np.float64]]:
    """Read every kernel in a folder: files of square maps centred on the scatterer.

    Each bias of a file counts as a kernel of its own. CSV files are those of the public QPI data
    set, other formats those of `read_file`.

    Raises
    ------
    QpiError
        If a file cannot be read or is not square, or there is none.
    """
    kernels: list[npt.NDArray[np.float64]] = []
    files = sorted(p for p in Path(folder).glob("*") if p.suffix.lower() in SUFFIXES)
    for path in files:
        if path.suffix.lower() == ".csv":
            stack = read_public_sample(path).kernel
        else:
            # A kernel without a calibration is as good as one with: its size is drawn anyway.
            stack = select_didv(read_file(path, size_nm=(1.0, 1.0)))
        for values in stack.values.astype(np.float64):
            if values.shape[0] != values.shape[1] or values.shape[0] < 16:
                raise QpiError(
                    f"{path.name}: a kernel has to be square, 16 px or more, with the scatterer in"
                    f" the middle; found {values.shape[1]} x {values.shape[0]} px"
                )
            if not np.isfinite(values).all() or np.ptp(values) == 0:
                raise QpiError(f"{path.name}: the kernel is constant or has missing points")
            kernels.append(values - np.median(values))
    if not kernels:
        raise QpiError(
            f"{folder}: no kernels there; expected files ending in {', '.join(SUFFIXES)}"
        )
    return kernels


def vary_kernels(
    kernels: list[npt.NDArray[np.float64]], count: int, size: int, seed: int
) -> npt.NDArray[np.float16]:
    """Draw `count` kernels (count, size, size) of a bank from a few, turned and rescaled.

    Raises
    ------
    QpiError
        If a kernel has no ripples of a wavelength that the model grid can hold.
    """
    result = np.empty((count, size, size), np.float16)
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        kernel = kernels[index % len(kernels)]
        for _ in range(ATTEMPTS):
            # Half to twice as many pixels across the window of 64 px as the file has.
            drawn = _turned(kernel, size, 64 / len(kernel) * 2 ** rng.uniform(-1, 1), rng)
            if WAVELENGTH_PX[0] <= ripple_wavelength_px(drawn) <= WAVELENGTH_PX[1]:
                break
        else:
            raise QpiError(
                f"kernel {index % len(kernels) + 1}: no ripples of {WAVELENGTH_PX[0]:g} to"
                f" {WAVELENGTH_PX[1]:g} px when shown on 64 px; cut the kernel so that it shows 3"
                " to 14 wavelengths"
            )
        result[index] = SCALE * drawn / np.linalg.norm(drawn)
    return result


def _turned(
    kernel: npt.NDArray[np.float64], size: int, zoom: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    middle = (len(kernel) - 1) / 2 if len(kernel) % 2 else len(kernel) / 2
    offset = middle - turn @ [size // 2, size // 2]
    return np.asarray(affine_transform(kernel, turn, offset, (size, size), order=3))
