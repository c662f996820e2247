"""Clean ripples of many scatterers for training: sums of kernels, or waves that visit several.

All lengths in pixels of the model grid. A batch holds scenes of one map size.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve, kernel_spectrum
from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2, ParabolicBand, parabolic_kernel
from qpi_kernel.simulate.families.drawing import DECAY_PX, WAVELENGTH_PX
from qpi_kernel.simulate.multiple_scattering import foldy_lax

CORE_PX = 3.0
# Scatterers stand as densely around the map as in it, out to here [px].
MARGIN_PX = 24.0
# Foldy-Lax costs time in proportion to the number of scatterers; these are dense enough to feel it.
MOST_MULTIPLE = 60


@dataclass(frozen=True)
class Ripples:
    """A batch of clean maps with their truth.

    Parameters
    ----------
    kernels : Tensor, shape (batch, size, size)
    places : Tensor, shape (batch, n, 2)
        (row, column) [px].
    weights : Tensor, shape (batch, n)
        0 is no scatterer.
    clean : Tensor, shape (batch, height, width)
    variance : Tensor, shape (batch,)
        Of the map, cores cut out.
    """

    kernels: Tensor
    places: Tensor
    weights: Tensor
    clean: Tensor
    variance: Tensor


def pick_kernels(bank: npt.NDArray[np.float16], rng: np.random.Generator, count: int) -> Tensor:
    """Draw kernels of a bank, each turned, mirrored and signed at random: (count, size, size)."""
    chosen = np.sort(rng.integers(0, len(bank), count))
    kernels = torch.from_numpy(np.asarray(bank[chosen], np.float32))
    # Even windows have their origin at size // 2, so row and column 0 have no mirror image; an odd
    # crop keeps the origin in place under all eight symmetries.
    odd = kernels[:, 1:, 1:]
    for index in range(count):
        turned = torch.rot90(odd[index], int(rng.integers(4)))
        odd[index] = (turned if rng.random() < 0.5 else turned.T) * float(rng.choice([-1.0, 1.0]))
    kernels[:, 1:, 1:] = odd
    kernels[:, 0], kernels[:, :, 0] = kernels[:, 1], kernels[:, :, 1]
    return kernels


def single_scattering(
    bank: npt.NDArray[np.float16],
    rng: np.random.Generator,
    batch: int,
    shape: tuple[int, int],
    scatterers: tuple[float, float],
    device: torch.device | None = None,
) -> Ripples:
    """Draw scenes that are sums of kernels of a bank.

    Parameters
    ----------
    shape : (height, width)
    scatterers : (low, high)
        Range of their number in view, log-uniform.
    """
    height, width = shape
    kernels = pick_kernels(bank, rng, batch).to(device)
    size = kernels.shape[-1]
    area = (height + 2 * MARGIN_PX) * (width + 2 * MARGIN_PX) / (height * width)
    counts = np.maximum((log_uniform(rng, scatterers, batch) * area).astype(int), 2)
    most = int(counts.max())
    exists = torch.as_tensor(np.arange(most) < counts[:, None], dtype=torch.float32)
    places = _places(rng, (batch, most), shape)
    spread = rng.uniform(0, 0.4, (batch, 1))
    strengths = 1 + spread * rng.normal(size=(batch, most))
    flips = (
        rng.random((batch, most)) < rng.choice([0.0, 0.3], (batch, 1), p=[0.85, 0.15])
    ) * -2 + 1
    weights = torch.as_tensor(strengths * flips, dtype=torch.float32) * exists

    wide = Geometry(height, width, size)
    spectrum = activation_spectrum(wide, places.to(device), weights.to(device))
    clean = convolve(wide, spectrum, kernels)
    axis = torch.arange(size, device=device) - size // 2
    ripples = kernels * ((axis[:, None] ** 2 + axis[None, :] ** 2) > CORE_PX**2)
    rippled = spectrum * kernel_spectrum(wide, ripples)
    energy = 2 * rippled.abs().square().sum((-2, -1)) / (wide.canvas[0] * wide.canvas[1]) ** 2
    # The activation fills the map and its margin, the canvas beyond is empty.
    variance = energy * wide.canvas[0] * wide.canvas[1] / (height * width * area)
    return Ripples(kernels, places, weights, clean, variance)


def multiple_scattering(
    rng: np.random.Generator,
    batch: int,
    shape: tuple[int, int],
    size: int,
    scatterers: tuple[float, float],
    device: torch.device | None = None,
) -> Ripples:
    """Draw scenes of a parabolic or elliptic band, solved with every order of scattering.

    The kernel is what one scatterer alone would show: multiple scattering is nuisance.

    Parameters
    ----------
    size : int
        Side of the kernels.
    """
    scenes = [_foldy_lax_scene(rng, shape, size, scatterers) for _ in range(batch)]
    most = max(len(weights) for _, _, weights, _, _ in scenes)
    padded = [
        (
            kernel,
            np.pad(places, ((0, most - len(places)), (0, 0))),
            np.pad(weights, (0, most - len(weights))),
            clean,
            np.float64(variance),
        )
        for kernel, places, weights, clean, variance in scenes
    ]
    stacks = [np.stack(column) for column in zip(*padded, strict=True)]
    return Ripples(*(torch.as_tensor(s, dtype=torch.float32).to(device) for s in stacks))


def together(first: Ripples, second: Ripples) -> Ripples:
    """Return one batch of two."""
    most = max(first.weights.shape[1], second.weights.shape[1])

    def joined(name: str) -> Tensor:
        parts = [getattr(ripples, name) for ripples in (first, second)]
        if name in ("places", "weights"):
            parts = [
                torch.cat([p, p.new_zeros(len(p), most - p.shape[1], *p.shape[2:])], 1)
                for p in parts
            ]
        return torch.cat([part.to(parts[0].device) for part in parts])

    return Ripples(*(joined(n) for n in ("kernels", "places", "weights", "clean", "variance")))


def log_uniform(
    rng: np.random.Generator, limits: tuple[float, float], count: int
) -> npt.NDArray[np.float64]:
    """Draw `count` numbers between two limits, uniform in their logarithm."""
    low, high = np.log(limits)
    return np.exp(rng.uniform(low, high, count))


def _places(rng: np.random.Generator, count: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    height, width = shape
    places = torch.as_tensor(
        rng.uniform(-MARGIN_PX, [height + MARGIN_PX, width + MARGIN_PX], (*count, 2)),
        dtype=torch.float32,
    )
    # At least two scatterers stand well inside the map.
    places[:, :2] = torch.as_tensor(
        rng.uniform(8, [height - 8, width - 8], (count[0], 2, 2)), dtype=torch.float32
    )
    return places


def _foldy_lax_scene(
    rng: np.random.Generator, shape: tuple[int, int], size: int, scatterers: tuple[float, float]
) -> tuple[npt.NDArray[np.float64], ...]:
    height, width = shape
    k = np.pi / float(log_uniform(rng, WAVELENGTH_PX, 1)[0])
    decay = float(log_uniform(rng, DECAY_PX, 1)[0])
    core = float(log_uniform(rng, (0.5, 2.5), 1)[0])
    # With hbar^2 / 2m = 1 the energy is k^2 and the ripples fall off as exp(-r / decay) for
    # eta = k / decay. Axes drawn out against each other make the circle an ellipse.
    band = ParabolicBand(HBAR2_2M_EV_NM2, 0.0, k / decay, rng.uniform(0.2, np.pi - 0.2), core)
    stretch = np.array([1.0, float(log_uniform(rng, (0.6, 1.7), 1)[0])])
    stretch /= np.sqrt(stretch[1])
    area = (height + 2 * MARGIN_PX) * (width + 2 * MARGIN_PX) / (height * width)
    count = int(np.clip(log_uniform(rng, scatterers, 1)[0] * area, 2, MOST_MULTIPLE))
    places = _places(rng, (1, count), shape)[0].numpy().astype(float)
    weights = np.clip(1 + rng.uniform(0, 0.4) * rng.normal(size=count), 0.2, None)
    rows, columns = np.arange(height, dtype=float), np.arange(width, dtype=float)
    clean = foldy_lax(
        rows * stretch[0],
        columns * stretch[1],
        k**2,
        band=band,
        xy_nm=(places * stretch)[:, ::-1],
        weight=weights,
    )
    axis = np.arange(size, dtype=float) - size // 2
    kernel = parabolic_kernel(
        axis[:, None] * stretch[0],
        axis[None, :] * stretch[1],
        k**2,
        mass=band.mass,
        edge_eV=band.edge_eV,
        broadening_eV=band.broadening_eV,
        phase_shift=band.phase_shift,
        core_nm=core,
    )
    norm = np.linalg.norm(kernel) / 64.0  # the size of the kernels of a bank
    pixels = np.column_stack([axis.ravel() for axis in np.indices(shape)])
    away = cKDTree(places).query(pixels)[0].reshape(shape) > CORE_PX
    return kernel / norm, places, weights, clean / norm, np.var(clean[away]) / norm**2
