"""What a method answers, and how it becomes the result that users see."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from qpi_kernel.extract.grids import Grid, noise_level
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.extract.surroundings import with_confidence
from qpi_kernel.scatterers import Scatterers


@dataclass(frozen=True)
class Answer:
    """The kernel of a method with all that it was made of.

    Parameters
    ----------
    scatterers : Scatterers
    problem : NormalEquations
        On the measured grid.
    small : NormalEquations
        On the model grid.
    level : Tensor, shape (bias,)
        Noise per pixel of the model grid.
    kernel, spread : Tensor, shape (bias, species, K, K)
        On the measured grid.
    prior : Tensor or None
        Mean of the learned prior, as the kernel.
    numbers : mapping
        Of tensors (bias, species).
    """

    scatterers: Scatterers
    problem: NormalEquations
    small: NormalEquations
    level: Tensor
    kernel: Tensor
    spread: Tensor
    prior: Tensor | None
    numbers: Mapping[str, Tensor]


def gather(
    grid: Grid, answer: Answer, settings: ExtractSettings, provenance: Mapping[str, Any]
) -> Extraction:
    """Gather what was found on the measured grid."""
    problem, kernel, prior = answer.problem, answer.kernel, answer.prior
    noise = noise_level(grid.field, problem.mask)
    scatterers = with_confidence(answer.scatterers, problem, kernel, noise)
    waves = problem.forward(kernel)
    background = problem.background(grid.field - waves, settings.background_degree)
    finite = np.isfinite(grid.didv.values).all(axis=0)
    # The field had its mean taken off for the sake of float32.
    offset = np.where(finite, grid.didv.values, 0).sum((1, 2), dtype=float) / finite.sum()
    smooth = background.cpu().numpy() + offset[:, None, None]
    backdrop = grid.map(smooth, "background")
    level = noise.cpu().numpy().astype(np.float64)
    used = problem.mask.cpu().numpy() > 0

    def part(number: int, own: Scatterers, others: npt.NDArray[Any]) -> Extraction:
        return Extraction(
            didv=grid.didv.copy(data=grid.didv.values - others),
            kernel=grid.kernel_map(kernel[:, number], "kernel"),
            spread=grid.kernel_map(answer.spread[:, number], "kernel spread"),
            prior=None if prior is None else grid.kernel_map(prior[:, number], "prior"),
            background=backdrop,
            reconstruction=grid.map(waves.cpu().numpy() - others + smooth, "reconstruction"),
            scatterers=own,
            noise=level,
            settings=settings,
            numbers={name: _floats(values[:, number]) for name, values in answer.numbers.items()},
            provenance=provenance,
            used=used,
        )

    whole = part(0, scatterers, np.zeros((), np.float32))
    if len(problem.members) == 1:
        return whole
    each = problem.waves(kernel).cpu().numpy()
    parts = [
        part(number, scatterers.select(scatterers.species == label), others)
        for number, (label, others) in enumerate(
            zip(scatterers.labels, waves.cpu().numpy()[None] - each.swapaxes(0, 1), strict=True)
        )
    ]
    return replace(whole, parts=tuple(parts))


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
