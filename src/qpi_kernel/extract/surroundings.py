"""What a map shows around each scatterer, the others taken off, beside what its kernel says."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates, spline_filter
from torch import Tensor

from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.scatterers import Scatterers

Floats = npt.NDArray[np.float64]

# Share of the window around a scatterer that counts. The window spans eight wavelengths where the
# user leaves it open: within one, a scatterer stands out; further out neighbours overlap.
REACH = 1 / 8
# Less of its surroundings in the map, and nothing is said about a scatterer.
SEEN = 0.5


@dataclass(frozen=True)
class Surroundings:
    """Discs around the scatterers, all biases in a row, in units of the noise.

    Parameters
    ----------
    left : array, shape (n, pixels)
        The residual.
    kernels : array, shape (species, pixels)
        The kernels.
    slopes : array, shape (species, 2, pixels)
        Their derivatives along y and x, per pixel.
    species : array of int, shape (n,)
        The kernel of each scatterer.
    weight : array, shape (n,)
    seen : array of bool, shape (n,)
        Enough of the disc lies in the map.
    """

    left: Floats
    kernels: Floats
    slopes: Floats
    species: npt.NDArray[np.int64]
    weight: Floats
    seen: npt.NDArray[np.bool_]


def look_around(problem: NormalEquations, kernel: Tensor, noise: Tensor) -> Surroundings:
    """Cut the surroundings of the scatterers out of what the kernels (bias, species, K, K) leave.

    Parameters
    ----------
    problem : NormalEquations
    kernel : Tensor, shape (bias, species, K, K)
    noise : Tensor, shape (bias,)
    """
    scale = noise[:, None, None]
    rest = (problem.project(problem.field - problem.forward(kernel)) / scale).cpu().numpy()
    shapes = (kernel / scale[:, None]).cpu().numpy().astype(np.float64).swapaxes(0, 1)
    window = problem.geometry.window
    half = max(2, int(window * REACH))
    axis = np.arange(-half, half + 1)
    rows, columns = np.nonzero(np.hypot(axis[:, None], axis[None, :]) <= half)

    def middle(images: Floats) -> Floats:
        start = window // 2 - half
        return images[..., rows + start, columns + start]

    slopes = np.stack([middle(np.gradient(shapes, axis=axis)) for axis in (-2, -1)], 1)
    mask = problem.mask.cpu().numpy()
    # Once per image: within `map_coordinates` the splines would be found for each scatterer.
    splines = [spline_filter(each, mode="constant") for each in rest]
    left, seen = [], []
    for row, column in problem.rows_columns.cpu().numpy() - half:
        there = (rows + row, columns + column)
        values = [map_coordinates(spline, there, prefilter=False) for spline in splines]
        left.append(np.concatenate(values))
        seen.append(map_coordinates(mask, there, order=0).mean() >= SEEN)
    return Surroundings(
        np.array(left, np.float64),
        middle(shapes).reshape(len(shapes), -1),
        slopes.reshape(len(shapes), 2, -1),
        problem.members.argmax(0).cpu().numpy(),
        problem.weights.cpu().numpy().astype(np.float64),
        np.array(seen, bool),
    )


def with_confidence(
    scatterers: Scatterers, problem: NormalEquations, kernel: Tensor, noise: Tensor
) -> Scatterers:
    """Say how sure each scatterer is: how alike map and kernel are around it.

    The confidence is the correlation, 0 to 1, of the kernel with the map less all other waves,
    within a wavelength of the scatterer. One whose surroundings the map does not show keeps its
    own.
    """
    found = look_around(problem, kernel, noise)
    own = found.weight[:, None] * found.kernels[found.species]
    likeness = _cosine(own, own + found.left)
    confidence = np.where(found.seen, likeness.clip(0, 1), scatterers.confidence)
    return Scatterers(scatterers.xy_nm, scatterers.weight, scatterers.species, confidence)


def _cosine(first: Floats, second: Floats) -> Floats:
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    overlap: Floats = np.sum(first * second, axis=1) / norms.clip(1e-30)
    return overlap
