"""The scatterer-centred average: what most groups publish today."""

import torch
from torch import Tensor

from qpi_kernel.extract.normal_equations import NormalEquations


def average(problem: NormalEquations) -> tuple[Tensor, Tensor]:
    """Return the mean of the map around the scatterers and its standard error, (bias, K, K).

    A scatterer counts with the sign of its weight; overlapping ripples of neighbours stay in.
    """
    one = problem.with_scatterers(problem.rows_columns, torch.ones_like(problem.weights))
    signed = problem.with_scatterers(problem.rows_columns, problem.weights.sign())
    field = problem.project(problem.field)
    count = one.back(problem.mask).clamp(min=0.5)
    mean = signed.back(field) / count
    variance = one.back(field.square()) / count - mean.square()
    return mean, (variance.clamp(min=0) / count).sqrt()
