"""The prior of a kernel as the network or nobody tells it, on any grid.

The network answers on its own 64 x 64 px grid, the final kernel has the pixels of the measurement:
a `PriorShape` holds the answer on the model grid, `on_window` puts it on the grid of a problem.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from qpi_kernel.convolution import Geometry, activation_spectrum
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.extract.posterior import Prior
from qpi_kernel.learn.model import Model
from qpi_kernel.learn.statistics import WINDOW, normal_statistics, radial_weight

HIGHEST_Q = 0.75


@dataclass(frozen=True)
class PriorShape:
    """A prior in the weighted domain on the model grid.

    Parameters
    ----------
    weighted : Tensor, shape (bias, species, 64, 64)
        Mean kernel times the radial weight [unit of the map].
    scale : Tensor, shape (bias, species)
        Size of the kernel in that domain, in units of which the error is calibrated.
    spectrum : Tensor, shape (bias or 1, species or 1, bins)
        Power of the error at |q| = 0 ... 0.75 cycles per model pixel.
    """

    weighted: Tensor
    scale: Tensor
    spectrum: Tensor

    def on_window(self, window: int, pixel: float) -> Prior:
        """Return the prior on a window of odd side whose pitch is `pixel` model pixels."""
        weight = radial_weight(window, pixel, self.weighted.device)
        mean = _resample(self.weighted, window, pixel) / weight
        root = _spectrum_on_window(self.spectrum, window, pixel)
        return Prior(mean, self.scale, root, weight)


def learned_prior(
    model: Model, problem: NormalEquations, noise: Tensor, kernel: Tensor | None = None
) -> PriorShape:
    """Ask the network; the amplitude follows from the map by least squares.

    The network knows one species: each is asked for in the map less the waves of the others.

    Parameters
    ----------
    model : Model
    problem : NormalEquations
        On the model grid.
    noise : Tensor, shape (bias,)
    kernel : Tensor, shape (bias, species, K, K), optional
        What is known of the kernels; nothing by default.
    """
    if kernel is None:
        window = problem.geometry.window
        kernel = problem.field.new_zeros(len(noise), len(problem.members), window, window)
    shapes = [
        _prior_of_one(model, problem.only_species(number, kernel), noise)
        for number in range(len(problem.members))
    ]
    return PriorShape(
        torch.cat([shape.weighted for shape in shapes], 1),
        torch.cat([shape.scale for shape in shapes], 1),
        torch.cat([shape.spectrum for shape in shapes], 1),
    )


def _prior_of_one(model: Model, problem: NormalEquations, noise: Tensor) -> PriorShape:
    geometry = Geometry(problem.geometry.height, problem.geometry.width, WINDOW)
    spectrum = activation_spectrum(
        geometry, problem.rows_columns, problem.members[0] * problem.weights
    )
    field = problem.project(problem.field)
    statistics = normal_statistics(geometry, spectrum, field, noise)
    shape, error = model.predict(statistics)
    shape, error = shape[:, None], error[:, None]
    raw = PriorShape(shape, torch.ones_like(noise)[:, None], error).on_window(
        problem.geometry.window, 1.0
    )
    seen = problem.project(problem.forward(raw.mean))
    overlap = (seen * field).sum((-2, -1))
    power = seen.square().sum((-2, -1)).clamp(min=1e-30)
    # A negative amplitude would turn the kernel round against the signs of the weights: then the
    # network's shape says nothing, and its size only sets how far the data may pull.
    amplitude = (overlap / power).clamp(min=0)
    scale = torch.maximum(amplitude, 0.1 * field.square().sum((-2, -1)).sqrt() / power.sqrt())
    return PriorShape(shape * amplitude[:, None, None, None], scale[:, None], error)


def flat_prior(problem: NormalEquations) -> PriorShape:
    """Return the prior that knows nothing but the fall of ripples with distance: mean 0, S = 1."""
    field = problem.project(problem.field)
    count = problem.weights.square().sum().clamp(min=1e-3)
    power = radial_weight(WINDOW, device=field.device).pow(-2).sum() * count
    scale = (field.square().sum((-2, -1)) / power).sqrt()
    species = len(problem.members)
    zero = torch.zeros(len(field), species, WINDOW, WINDOW, device=field.device)
    flat = torch.ones(1, 1, 2, device=field.device)
    return PriorShape(zero, scale[:, None].expand(-1, species), flat)


def _resample(images: Tensor, window: int, pixel: float) -> Tensor:
    half = window // 2
    if pixel == 1.0:
        start = WINDOW // 2 - half
        return images[..., start : start + window, start : start + window]
    axis = (np.arange(window) - half) * pixel + WINDOW // 2
    grid = np.meshgrid(axis, axis, indexing="ij")
    planes = [
        map_coordinates(image, grid, order=5, mode="nearest")
        for image in images.flatten(0, -3).cpu().numpy().astype(np.float64)
    ]
    found = torch.as_tensor(np.stack(planes), dtype=images.dtype, device=images.device)
    return found.reshape(*images.shape[:-2], window, window)


def _spectrum_on_window(radial: Tensor, window: int, pixel: float) -> Tensor:
    """Return S^1/2 on the half plane of a window; a density, so S grows as 1 / pixel^2."""
    rows = torch.fft.fftfreq(window, device=radial.device)[:, None]
    columns = torch.fft.rfftfreq(window, device=radial.device)[None, :]
    q = torch.sqrt(rows**2 + columns**2) / pixel
    bins = radial.shape[-1]
    place = (q / HIGHEST_Q * (bins - 1)).clamp(max=bins - 1)
    low = place.floor().clamp(max=bins - 2).long()
    share = place - low
    values = radial[..., low] * (1 - share) + radial[..., low + 1] * share
    # The network never saw anything beyond the Nyquist frequency of its grid.
    beyond = (0.5 / q.clamp(min=0.5)) ** 4
    return (values * beyond).sqrt() / pixel
