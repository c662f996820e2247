"""The prior of a kernel as the network or nobody tells it, on any grid.

The network answers on its own 64 x 64 px grid, the final kernel has the pixels of the measurement:
a `PriorShape` holds the answer on the model grid, `on_window` puts it on the grid of a problem.

The error of the prior mean is stationary in the weighted domain (kernel times sqrt(r^2 + c^2)). Its
spectrum S depends on |q| and on the parity about the scatterer: networks have seen more kernels
with a centre of inversion than without.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from qpi_kernel.convolution import Geometry, activation_spectrum
from qpi_kernel.extract.normal_equations import NormalEquations
from qpi_kernel.learn import radial
from qpi_kernel.learn.model import Model
from qpi_kernel.learn.statistics import WINDOW, normal_statistics, radial_weight

# A ring of |q| with few modes says little about its own error: so many of the average are added.
FEW_MODES = 20.0


@dataclass(frozen=True)
class Prior:
    """A Gaussian prior of the kernel on one grid: mean a0, error T = R R^T.

    R = s w^-1 F^H S^1/2 F, with F the discrete Fourier transform.

    Parameters
    ----------
    mean : Tensor, shape (bias, species, K, K)
        a0 [unit of the map]; K is odd.
    scale : Tensor, shape (bias, species)
        s [unit of the map]: 1 in the weighted domain is an error as large as the kernel.
    root_spectrum : Tensor, shape (bias or 1, species or 1, 2, K, K // 2 + 1)
        S^1/2 of the even and the odd part on the half plane of the window, for orthonormal
        transforms.
    weight : Tensor, shape (K, K)
        w, the radial weight.
    """

    mean: Tensor
    scale: Tensor
    root_spectrum: Tensor
    weight: Tensor

    def root(self, u: Tensor) -> Tensor:
        """Return R u, shape (..., bias, species, K, K)."""
        return _filtered(u, self._root) * self._size

    def root_transposed(self, kernel: Tensor) -> Tensor:
        """Return R^T a, shape (..., bias, species, K, K)."""
        return _filtered(kernel * self._size, self._root)

    def covariance(self, kernel: Tensor) -> Tensor:
        """Return T a = R R^T a, shape (..., bias, species, K, K)."""
        return _filtered(kernel * self._size, self._power) * self._size

    def only(self, biases: slice) -> "Prior":
        """Return the prior of some of the biases."""
        spectrum = _some(self.root_spectrum, biases)
        return Prior(self.mean[biases], self.scale[biases], spectrum, self.weight)

    @cached_property
    def _size(self) -> Tensor:
        return self.scale[..., None, None] / self.weight

    @cached_property
    def _root(self) -> tuple[Tensor, Tensor]:
        return _same_and_mirrored(self.root_spectrum)

    @cached_property
    def _power(self) -> tuple[Tensor, Tensor]:
        return _same_and_mirrored(self.root_spectrum.square())


@dataclass(frozen=True)
class PriorShape:
    """A prior in the weighted domain on the model grid.

    Parameters
    ----------
    weighted : Tensor, shape (bias, species, 64, 64)
        Mean kernel times the radial weight [unit of the map].
    scale : Tensor, shape (bias, species)
        Size of the kernel in that domain, in units of which the error is calibrated.
    spectrum : Tensor, shape (bias or 1, species or 1, 2, bins)
        Power of the error of the even and the odd part, in the bins of `qpi_kernel.learn.radial`.
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

    def only(self, biases: slice) -> "PriorShape":
        """Return the prior of some of the biases."""
        return PriorShape(self.weighted[biases], self.scale[biases], _some(self.spectrum, biases))

    def widened(self, factor: Tensor) -> "PriorShape":
        """Return the prior with its error multiplied by a factor; see `misfit_of`."""
        return replace(self, spectrum=self.spectrum * factor.square())

    def wider_than(self, other: "PriorShape") -> Tensor:
        """Return by how much the error is larger than another's (rms), shape (bias, species)."""
        own, others = (
            _spectrum_on_window(each.spectrum, WINDOW - 1, 1.0).square().mean((-3, -2, -1))
            for each in (self, other)
        )
        return (own / others).sqrt() * self.scale / other.scale

    def misfit_of(self, u: Tensor, by_q: bool) -> Tensor:
        """Return the factor by which the error exceeds what this prior has.

        Parameters
        ----------
        u : Tensor, shape (draws, bias, species, K, K)
            Draws of the whitened kernel on the model grid; of mean square 1 where the prior is
            right.
        by_q : bool
            Whether the factor may depend on |q|; on parity it always does.

        Returns
        -------
        Tensor, shape (bias, species, 2, 1) or (bias, species, 2, bins)
        """
        window = u.shape[-1]
        modes = torch.fft.rfft2(u, norm="ortho")
        mirrored = _mirror(window, u.device) * modes.conj()
        # Each parity has half of the modes.
        power = torch.stack([modes + mirrored, modes - mirrored], -3).abs().square().mean(0) / 2
        often = torch.full_like(power[0, 0, 0], 2.0)
        often[:, 0] = 1.0
        sums, counts = radial.gather(power, radial.half_plane(window, u.device), often)
        overall = sums.sum(-1, keepdim=True) / counts.sum()
        if not by_q:
            return overall.sqrt()
        return ((sums + FEW_MODES * overall) / (counts + FEW_MODES)).sqrt()


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
    shape, error = shape[:, None], error[:, None, None].expand(-1, -1, 2, -1)
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
    flat = torch.ones(1, 1, 2, radial.BINS, device=field.device)
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


def _spectrum_on_window(spectrum: Tensor, window: int, pixel: float) -> Tensor:
    """Return S^1/2 on the half plane of a window; a density, so S grows as 1 / pixel^2."""
    q = radial.half_plane(window, spectrum.device) / pixel
    # The network never saw anything beyond the Nyquist frequency of its grid.
    beyond = (0.5 / q.clamp(min=0.5)) ** 4
    return (radial.spread(spectrum, q) * beyond).sqrt() / pixel


def _same_and_mirrored(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the filter of an even and an odd part takes of an image and of its mirror."""
    even, odd = spectrum.unbind(-3)
    return (even + odd) / 2, (even - odd) / 2 * _mirror(spectrum.shape[-2], spectrum.device)


def _filtered(image: Tensor, same_and_mirrored: tuple[Tensor, Tensor]) -> Tensor:
    same, mirrored = same_and_mirrored
    spectral = torch.fft.rfft2(image)
    both = same * spectral + mirrored * spectral.conj()
    filtered: Tensor = torch.fft.irfft2(both, s=image.shape[-2:])
    return filtered


def _mirror(window: int, device: torch.device) -> Tensor:
    """Return what takes the conjugate of a transform to that of the image seen through its centre.

    For an odd side K, f(K - 1 - x) has the transform exp(2 pi i q) F(q)*, q = k / K.
    """
    rows = torch.fft.fftfreq(window, device=device)[:, None]
    columns = torch.fft.rfftfreq(window, device=device)[None, :]
    return torch.exp(2j * torch.pi * (rows + columns))


def _some(spectrum: Tensor, biases: slice) -> Tensor:
    return spectrum if len(spectrum) == 1 else spectrum[biases]
