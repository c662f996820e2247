"""The kernel bank: many random kernels on disk, with the family of each.

A bank is a Zarr 3 group of the arrays ``kernels`` (count, size, size) float16, ``family`` (count)
and ``wavelength_px`` (count); the attributes hold the recipe and the names of the families. Chunks
of kernels are drawn by as many processes as there are cores, each is written whole or not at all,
and a bank that was interrupted, by whatever, is finished by asking for it again.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import zarr
from pydantic import Field

from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Progress, Steps
from qpi_kernel.settings import from_dict, settings, to_dict
from qpi_kernel.simulate.families import FAMILIES, TRAINED, draw_kernel

# Kernels per chunk and file: 2 MB of 128 x 128 px.
CHUNK = 64
# Unit norm over 128 x 128 px leaves values near 1e-3, safe in float16 times 64.
SCALE = 64.0
CORE_PX = 4.0


@settings
class BankSettings:
    """A recipe for a kernel bank.

    Parameters
    ----------
    families : tuple of str
        Families to draw from, in equal shares: kernel i is of family i modulo their number.
    count : int
        Number of kernels.
    size : int
        Pixels along each side; twice the network's window, so that ripples leave the window.
    seed : int
        Kernel i of a bank depends on (seed, i) alone.
    """

    families: Annotated[tuple[str, ...], Field(min_length=1)] = TRAINED
    count: Annotated[int, Field(ge=1)] = 12000
    size: Annotated[int, Field(ge=64)] = 128
    seed: Annotated[int, Field(ge=0)] = 1


def iter_make_bank(recipe: BankSettings, folder: Path | str, workers: int = 1) -> Steps[Path]:
    """Make a bank, or finish the one in `folder`; the bytes do not depend on how it was made.

    Parameters
    ----------
    recipe : BankSettings
    folder : path
        Made if it is not there. Chunks of the same recipe that are there already are kept.
    workers : int
        Processes that draw kernels.

    Returns
    -------
    Steps of Path
        The folder.

    Raises
    ------
    QpiError
        If a family is unknown, the folder holds something else or cannot be written.
    """
    unknown = [name for name in recipe.families if name not in FAMILIES]
    if unknown:
        raise QpiError(f"unknown families {', '.join(unknown)}; known: {', '.join(FAMILIES)}")
    if workers < 1:
        raise QpiError(f"a bank needs at least 1 worker, got {workers}")
    folder = Path(folder)
    try:
        _lay_out(recipe, folder)
        missing = _missing(folder, recipe.count)
        done = _chunks(recipe.count) - len(missing)
        for count in _make_chunks(recipe, folder, missing, workers):
            kernels = min((done + count) * CHUNK, recipe.count)
            yield Progress(kernels / recipe.count, f"kernel {kernels} of {recipe.count}")
    except OSError as error:
        raise QpiError(f"{folder}: the bank cannot be written ({error})") from None
    return folder


def load_bank(folder: Path | str) -> tuple[npt.NDArray[np.float16], list[str]]:
    """Read a bank into memory: kernels (count, size, size) of norm 64, and the family of each.

    In memory, since training picks kernels at random: 60,000 of 128 x 128 px are 2 GB.

    Raises
    ------
    QpiError
        If the folder holds no bank, or one that is not finished.
    """
    folder = Path(folder)
    recipe = _recipe(folder)
    missing = _missing(folder, recipe.count)
    if missing:
        raise QpiError(
            f"{folder}: the kernel bank there is not finished"
            f" ({len(missing)} of {_chunks(recipe.count)} chunks are missing); make it again with"
            " the same recipe"
        )
    try:
        kernels = np.asarray(zarr.open_array(folder / "kernels", mode="r")[:])
    except Exception as error:
        # Codecs and stores raise what they like when a file is damaged.
        raise QpiError(f"{folder}: no kernel bank there ({error})") from None
    if kernels.dtype != np.float16 or kernels.shape != (recipe.count, recipe.size, recipe.size):
        raise QpiError(
            f"{folder}: no kernel bank there (the kernels are {kernels.dtype} {kernels.shape})"
        )
    return kernels, labels(recipe)


def labels(recipe: BankSettings) -> list[str]:
    """Return the family of every kernel of a bank."""
    return [recipe.families[i % len(recipe.families)] for i in range(recipe.count)]


def ripple_wavelength_px(kernel: npt.NDArray[np.floating]) -> float:
    """Return the wavelength that halves the power of the ripples outside the core [px]."""
    size = len(kernel)
    axis = np.arange(size) - size // 2
    distance = np.hypot(axis[:, None], axis[None, :])
    taper = np.cos(np.pi * np.minimum(distance / size, 0.5)) ** 2
    ripples = kernel * taper * (1 - np.exp(-((distance / CORE_PX) ** 4)))
    power = np.abs(np.fft.fft2(ripples)) ** 2
    steps = np.fft.fftfreq(size) * size
    rings = np.rint(np.hypot(steps[:, None], steps[None, :])).astype(int)
    by_ring = np.cumsum(np.bincount(rings.ravel(), power.ravel())[1:])
    return float(size / (1 + np.searchsorted(by_ring, by_ring[-1] / 2)))


def _lay_out(recipe: BankSettings, folder: Path) -> None:
    """Write the metadata of an empty bank, or check those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "zarr.json").exists():
        if _recipe(folder) != recipe:
            raise QpiError(f"{folder}: a bank of another recipe is there; choose another folder")
    else:
        if any(folder.iterdir()):
            raise QpiError(f"{folder}: the folder holds other files; choose an empty one")
        attributes = {"recipe": to_dict(recipe), "families": list(recipe.families)}
        zarr.create_group(folder, zarr_format=3, attributes=attributes)
    # What a killed process left half written.
    for part in folder.rglob("*.partial"):
        part.unlink()
    arrays: tuple[tuple[str, tuple[int, ...], str], ...] = (
        ("kernels", (recipe.size, recipe.size), "float16"),
        ("family", (), "uint16"),
        ("wavelength_px", (), "float32"),
    )
    for name, shape, dtype in arrays:
        if not (folder / name / "zarr.json").exists():
            zarr.create_array(
                folder, name=name, shape=(recipe.count, *shape), chunks=(CHUNK, *shape),
                dtype=dtype, compressors=None, fill_value=0, zarr_format=3,
                config={"write_empty_chunks": True},
            )  # fmt: skip


def _make_chunks(
    recipe: BankSettings, folder: Path, missing: Sequence[int], workers: int
) -> Iterator[int]:
    """Make chunks of a bank and yield how many are done."""
    if workers == 1 or len(missing) < 2:
        for count, number in enumerate(missing, 1):
            _make_chunk(to_dict(recipe), folder, number)
            yield count
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(missing)), context, _follow_parent)
    try:
        made = [pool.submit(_make_chunk, to_dict(recipe), folder, chunk) for chunk in missing]
        for count, future in enumerate(as_completed(made), 1):
            future.result()
            yield count
    finally:
        pool.shutdown(cancel_futures=True)


def _make_chunk(plain: dict[str, Any], folder: Path, chunk: int) -> None:
    recipe = from_dict(BankSettings, plain)
    indices = range(chunk * CHUNK, min((chunk + 1) * CHUNK, recipe.count))
    part = slice(indices.start, indices.stop)
    kernels = np.empty((len(indices), recipe.size, recipe.size), np.float16)
    wavelengths = np.empty(len(indices), np.float32)
    for place, index in enumerate(indices):
        family = recipe.families[index % len(recipe.families)]
        kernel = draw_kernel(family, np.random.default_rng([recipe.seed, index]), recipe.size)
        kernels[place] = SCALE * kernel
        wavelengths[place] = ripple_wavelength_px(kernel)
    zarr.open_array(folder / "family", mode="r+")[part] = np.array(indices) % len(recipe.families)
    zarr.open_array(folder / "wavelength_px", mode="r+")[part] = wavelengths
    # Last, for these files tell which chunks are done.
    zarr.open_array(folder / "kernels", mode="r+")[part] = kernels


def _follow_parent() -> None:
    """Let a worker end with the process that started it, even if that one is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _chunks(count: int) -> int:
    return -(-count // CHUNK)


def _missing(folder: Path, count: int) -> list[int]:
    chunks = folder / "kernels" / "c"
    return [i for i in range(_chunks(count)) if not (chunks / str(i) / "0" / "0").exists()]


def _recipe(folder: Path) -> BankSettings:
    try:
        attributes = dict(zarr.open_group(folder, mode="r").attrs)
        plain = attributes["recipe"]
        if not isinstance(plain, dict):
            raise TypeError(f"a recipe of type {type(plain).__name__}")
        return from_dict(BankSettings, plain)
    except Exception as error:
        # Zarr raises what it likes when the metadata are damaged.
        raise QpiError(f"{folder}: no kernel bank there ({error})") from None
