"""The kernel bank: many random kernels on disk, made once, with the family of each."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from qpi_kernel.errors import QpiError
from qpi_kernel.files import replacing
from qpi_kernel.progress import Progress, Steps
from qpi_kernel.settings import settings, to_dict
from qpi_kernel.simulate.families import FAMILIES, TRAINED, draw_kernel


@settings
class BankSettings:
    """A recipe for a kernel bank.

    Parameters
    ----------
    families : tuple of str
        Families to draw from, in equal shares.
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


def iter_make_bank(recipe: BankSettings, folder: Path | str) -> Steps[Path]:
    """Make a bank: kernels.npy (count, size, size) float16 of L2 norm 1, and bank.json.

    Raises
    ------
    QpiError
        If a family is unknown or the folder cannot be written.
    """
    unknown = [name for name in recipe.families if name not in FAMILIES]
    if unknown:
        raise QpiError(f"unknown families {', '.join(unknown)}; known: {', '.join(FAMILIES)}")
    folder = Path(folder)
    labels = [recipe.families[i % len(recipe.families)] for i in range(recipe.count)]
    shape = (recipe.count, recipe.size, recipe.size)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "kernels.npy") as temporary:
            kernels = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
            for index, family in enumerate(labels):
                rng = np.random.default_rng([recipe.seed, index])
                # Unit norm over 128 x 128 px leaves values near 1e-3, safe in float16 times 64.
                kernels[index] = 64.0 * draw_kernel(family, rng, recipe.size)
                if index % 50 == 0:
                    yield Progress(index / recipe.count, f"kernel {index} of {recipe.count}")
            kernels.flush()
            (folder / "bank.json").write_text(
                json.dumps({"recipe": to_dict(recipe), "families": labels}), encoding="utf-8"
            )
    except OSError as error:
        raise QpiError(f"{folder}: the bank cannot be written ({error})") from None
    return folder


def load_bank(folder: Path | str) -> tuple[npt.NDArray[np.float16], list[str]]:
    """Open a bank: kernels (count, size, size), memory-mapped, and the family of each.

    Raises
    ------
    QpiError
        If the folder holds no bank.
    """
    folder = Path(folder)
    try:
        labels = json.loads((folder / "bank.json").read_text(encoding="utf-8"))["families"]
        kernels = np.load(folder / "kernels.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QpiError(f"{folder}: no kernel bank there ({error})") from None
    if kernels.dtype != np.float16 or kernels.ndim != 3 or len(kernels) != len(labels):
        raise QpiError(
            f"{folder}: no kernel bank there (kernels.npy holds {kernels.dtype}"
            f" {kernels.shape}, bank.json {len(labels)} names)"
        )
    return kernels, labels
