"""Error bars of the kernel: what draws of the posterior tell, and what they cannot know.

The draws hold the scatterers fixed. Three things are added to them. Moving all scatterers one way
and the kernel the other changes nothing in the map, nor does making the kernel larger and all
weights smaller: origin and size are means over the scatterers, with the errors of means. And
scatterers that were found may stand at wrong places.

    s^2 = f^2 s_draws^2 + e^2 a^2 + d^2 |grad a|^2
"""

import torch
from torch import Tensor

from qpi_kernel.extract.normal_equations import NormalEquations

# f for scatterers that were found: with it the 90 % band covers about 90 % on maps of the families
# that the networks were trained on (`python benchmarks/coverage.py`).
FOUND = 1.25
# The median of n normal numbers errs by this much more than their mean.
MEDIAN = 1.2533


def origin_error_px(problem: NormalEquations, marking_px: float) -> Tensor:
    """Return d, how far each kernel's origin may be off along each axis [px], (species,).

    The origin is the mean of the positions as they were marked. It errs by the error of one of
    them, `marking_px`, over the root of their number, and is common to all biases. What all marks
    have in common (the brightest spot of a lopsided core is not its centre) nothing in the map can
    tell.
    """
    number = (problem.members * inside(problem)).sum(-1).clamp(min=1)
    return marking_px / number.sqrt()


def size_error(problem: NormalEquations) -> Tensor:
    """Return e, the relative error of each kernel's size, (species,).

    The size is such that the median weight is 1. For two scatterers or fewer there is no scatter to
    tell the error from.
    """
    errors = []
    for kind in problem.members > 0:
        own = problem.weights[kind].abs()
        scatter = own.std() if len(own) > 2 else own.new_zeros(())
        errors.append(MEDIAN * scatter / max(1, len(own)) ** 0.5)
    return torch.stack(errors)


def whole_spread(
    spread: Tensor, kernel: Tensor, origin_px: Tensor, size: Tensor, found: bool
) -> Tensor:
    """Return s for s_draws = `spread`, shape (bias, species, K, K) [unit of the map].

    Parameters
    ----------
    spread, kernel : Tensor, shape (bias, species, K, K)
    origin_px, size : Tensor, shape (species,)
        As returned by `origin_error_px` and `size_error`, in pixels of the kernel.
    found : bool
        Whether the scatterers were found in the map, not given.
    """
    slopes = torch.gradient(kernel, dim=(-2, -1))
    steepness = sum(slope.square() for slope in slopes)
    own = spread * (FOUND if found else 1.0)
    whole = own.square() + (size[:, None, None] * kernel).square()
    return (whole + origin_px[:, None, None].square() * steepness).sqrt()


def inside(problem: NormalEquations) -> Tensor:
    """Return 1 for the scatterers that lie in the map, else 0, (n,)."""
    places = problem.rows_columns
    size = torch.tensor(problem.mask.shape, device=places.device)
    return ((places >= 0) & (places <= size - 1)).all(-1).to(places)
