"""The scatterer-centred average: what most groups publish today."""

import torch
from torch import Tensor

from qpi_kernel.extract.normal_equations import NormalEquations


def average(problem: NormalEquations) -> tuple[Tensor, Tensor]:
    """Return the mean of the map around the scatterers and its standard error.

    Both have the shape (bias, species, K, K).

    A scatterer counts with the sign of its weight; overlapping ripples of neighbours stay in.
    """
    field, places = problem.project(problem.field), problem.rows_columns
    ones, signs = torch.ones_like(problem.weights), problem.weights.sign()

    def moments(at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        one, signed = problem.with_scatterers(at, ones), problem.with_scatterers(at, signs)
        count = one.back(problem.mask).clamp(min=0.5)
        return count, signed.back(field) / count, one.back(field.square()) / count

    _, mean, _ = moments(places)
    # Between pixels a square may ring below zero, so the scatter is counted on whole pixels.
    count, whole, square = moments(places.round())
    variance = (square - whole.square()).clamp(min=0)
    return mean, (variance / count).sqrt()
