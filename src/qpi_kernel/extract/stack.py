"""Stacks too large to be extracted at once: their scatterers from a few biases, then part by part.

All biases of a map see the same scatterers. A few of them, spread over the stack, give positions,
weights, window and the pixels that are set aside; with these the kernels follow a few biases at a
time, so that memory stays bounded however long the stack is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
import xarray as xr

from qpi_kernel.extract.grids import square_pixels
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.progress import Progress, Steps, scaled
from qpi_kernel.scatterers import Scatterers

# An extraction holds some thirty arrays of this many float32 values: about 1 GB.
LARGEST = 2**23
# As many biases as a GPU that was too small is given next.
SMALLER = 8
# So many biases, at most, tell the scatterers of a stack.
SHARED_BIASES = 16
# The number that the positions determine, not the map of one bias.
COMMON = "origin_error_nm"
# The share of the work that they take in the eyes of the user.
FIRST = 0.3

Extract = Callable[
    [xr.DataArray, Scatterers | None, ExtractSettings, torch.device], Steps[Extraction]
]


def iter_within_memory(
    extract: Extract,
    didv: xr.DataArray,
    scatterers: Scatterers | None,
    settings: ExtractSettings,
    place: torch.device,
    *,
    may_move: bool,
) -> Steps[Extraction]:
    """Extract as many biases at a time as memory allows; from a GPU that is full go to the CPU.

    Parameters
    ----------
    extract : callable
        Extracts a map that fits into memory.
    didv : xarray.DataArray, (bias, y, x)
    scatterers : Scatterers or None
    settings : ExtractSettings
    place : torch.device
        Where to begin.
    may_move : bool
        Whether the CPU may take over.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        If a GPU is too small and the CPU may not take over.
    """
    attempts = [(place, LARGEST)]
    if place.type == "cuda":
        attempts.append((place, LARGEST // SMALLER))
        attempts += [(torch.device("cpu"), LARGEST)] if may_move else []
    for (where, largest), (following, _) in pairwise(attempts):
        try:
            return (yield from _iter_parts(extract, didv, scatterers, settings, where, largest))
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
        how = "with fewer energies at a time" if following == where else "on the CPU"
        yield Progress(0.0, f"the memory of the GPU is too small: once more {how}")
    where, largest = attempts[-1]
    return (yield from _iter_parts(extract, didv, scatterers, settings, where, largest))


def _iter_parts(
    extract: Extract,
    didv: xr.DataArray,
    scatterers: Scatterers | None,
    settings: ExtractSettings,
    place: torch.device,
    largest: int,
) -> Steps[Extraction]:
    """Extract `largest` values at a time."""
    biases = didv.sizes["bias"]
    count = max(1, largest * biases // didv.size)
    if biases <= count:
        return (yield from extract(didv, scatterers, settings, place))
    didv = square_pixels(didv)
    spread = np.linspace(0, biases - 1, min(count, SHARED_BIASES) + 2)[1:-1].round().astype(int)
    steps = extract(didv.isel(bias=spread), scatterers, settings, place)
    first = yield from scaled(steps, 0.0, FIRST)
    fixed = replace(
        settings,
        window_nm=float(first.provenance["window_nm"]),
        refine=False,
        set_aside=False,
        max_species=1,
    )
    parts = []
    for start in range(0, biases, count):
        part = didv.isel(bias=slice(start, start + count))
        done = [FIRST + (1 - FIRST) * n / biases for n in (start, min(start + count, biases))]
        seen = part if first.used is None else part.where(first.used)
        result = yield from scaled(extract(seen, first.scatterers, fixed, place), *done)
        # What was set aside is no part of the fit, but of the map.
        parts.append(replace(result, didv=part))
    return _of_stack(parts, first, didv, settings)


def _of_stack(
    parts: Sequence[Extraction], first: Extraction, didv: xr.DataArray, settings: ExtractSettings
) -> Extraction:
    """Return the parts as one; what all biases share is that of the first extraction."""
    whole = replace(
        _joined(parts, first, didv),
        settings=settings,
        provenance={
            **first.provenance,
            "scatterers_from_mV": [float(bias) for bias in first.didv["bias"].values],
        },
    )
    species = []
    for number, own in enumerate(first.parts):
        pieces = [part.parts[number] for part in parts]
        joined = _joined(pieces, own, _along(pieces, "didv"))
        species.append(
            replace(
                joined,
                settings=settings,
                provenance=whole.provenance,
                background=whole.background,
            )
        )
    return replace(whole, parts=tuple(species))


def _joined(parts: Sequence[Extraction], first: Extraction, didv: xr.DataArray) -> Extraction:
    numbers = {
        name: tuple(value for part in parts for value in part.numbers[name])
        for name in parts[0].numbers
    }
    if COMMON in first.numbers:
        numbers[COMMON] = didv.sizes["bias"] * first.numbers[COMMON][:1]
    return replace(
        parts[0],
        didv=didv,
        kernel=_along(parts, "kernel"),
        spread=_along(parts, "spread"),
        prior=None if parts[0].prior is None else _along(parts, "prior"),
        background=_along(parts, "background"),
        reconstruction=_along(parts, "reconstruction"),
        scatterers=first.scatterers,
        noise=np.concatenate([part.noise for part in parts]),
        numbers=numbers,
        used=first.used,
        parts=(),
    )


def _along(parts: Sequence[Extraction], name: str) -> xr.DataArray:
    fields = [getattr(part, name) for part in parts]
    joined: xr.DataArray = xr.concat(fields, "bias", join="override", combine_attrs="override")
    return joined
