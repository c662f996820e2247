"""Does one half of the map see the same kernel as the other? The test that no prior can pass alone.

Two kernels, each from one half of the measured pixels and without a learned prior, share the truth
but not the noise. Their agreement away from the core is compared with that of shuffled scatterers,
which is what chance gives.
"""

import torch
from torch import Tensor

from qpi_kernel.extract import posterior
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.prior import flat_prior
from qpi_kernel.progress import Steps, scaled

# The core agrees by selection: scatterers are found because something stands there.
CORE_PX = 4.0
SHUFFLES = 3
# What the data say most clearly is found in the first steps of conjugate gradients; the later ones
# fit the noise of each half, and true kernels agree less.
STEPS = 6


def iter_half_agreement(
    problem: NormalEquations, noise: Tensor, generator: torch.Generator
) -> Steps[tuple[Tensor, Tensor]]:
    """Return the agreement of the two halves and the spread that chance gives.

    Parameters
    ----------
    problem : NormalEquations
        On the model grid.
    noise : Tensor, shape (bias,)
    generator : torch.Generator
        Shuffles the scatterers.

    Returns
    -------
    agreement : Tensor, shape (bias, species)
        Cosine similarity outside the core, -1 to 1.
    chance : Tensor, shape (bias, species)
        Root mean square of the same for scatterers at random places.
    """
    runs = SHUFFLES + 1
    agreement = yield from scaled(_agreement(problem, noise), 0.0, 1 / runs)
    size = torch.tensor([problem.geometry.height, problem.geometry.width])
    shuffled = []
    for run in range(1, runs):
        places = torch.rand(problem.rows_columns.shape, generator=generator) * size
        moved = problem.with_scatterers(places.to(problem.field.device), problem.weights)
        steps = scaled(_agreement(moved, noise), run / runs, (run + 1) / runs)
        shuffled.append((yield from steps))
    chance = torch.stack(shuffled).square().mean(0).sqrt()
    return agreement, chance


def _agreement(problem: NormalEquations, noise: Tensor) -> Steps[Tensor]:
    columns = torch.arange(problem.geometry.width, device=problem.field.device)
    kernels = []
    shape = flat_prior(problem)
    prior = shape.on_window(problem.geometry.window, 1.0)
    # Halves by the median scatterer, so that both see about as many.
    middle = (
        problem.rows_columns[:, 1]
        .median()
        .clamp(0.3 * problem.geometry.width, 0.7 * problem.geometry.width)
    )
    for number, side in enumerate((columns < middle, columns >= middle)):
        half = problem.with_mask(problem.mask * side)
        solution = posterior.solve(half, prior, noise, steps=STEPS)
        kernels.append((yield from scaled(solution, number / 2, (number + 1) / 2)))
    window = problem.geometry.window
    axis = torch.arange(window, device=problem.field.device) - window // 2
    distance = torch.sqrt(axis[:, None] ** 2.0 + axis[None, :] ** 2.0)
    ring = (distance > CORE_PX) & (distance < window // 2)
    first, second = ((kernel * prior.weight)[..., ring] for kernel in kernels)
    first, second = (v - v.mean(-1, keepdim=True) for v in (first, second))
    return torch.nn.functional.cosine_similarity(first, second, dim=-1)
