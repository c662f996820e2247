"""The linear problem: the kernel that, convolved with the scatterers, gives the map.

    Y = sum_s M_s a_s + B b + noise,      M_s: convolution with the activation map of species s,
                                          B: smooth background.

Kernels a have the shape (..., bias, species, K, K): the species are solved for together. The
background is marginalised: every residual passes through the projector P that removes what B
can explain on the measured pixels, so that P y = 0 for any background and for missing pixels.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from qpi_kernel.convolution import (
    Geometry,
    activation_spectrum,
    canvas_spectrum,
    convolve,
    from_canvas,
    from_corners,
)


@dataclass(frozen=True)
class NormalEquations:
    """Maps of several biases with their scatterers, on one grid.

    Parameters
    ----------
    geometry : Geometry
        Map size and kernel window [px].
    field : Tensor, shape (bias, height, width)
        The maps; 0 where nothing was measured.
    mask : Tensor, shape (height, width)
        1 where the map was measured, else 0.
    basis : Tensor, shape (terms, height, width)
        Background terms, orthonormal on the measured pixels and 0 elsewhere.
    rows_columns : Tensor, shape (n, 2)
        Positions of the scatterers [px].
    weights : Tensor, shape (n,)
        Their weights.
    members : Tensor, shape (species, n)
        1 where a scatterer belongs to a species, else 0.
    """

    geometry: Geometry
    field: Tensor
    mask: Tensor
    basis: Tensor
    rows_columns: Tensor
    weights: Tensor
    members: Tensor

    @cached_property
    def spectrum(self) -> Tensor:
        """X(q) of the scatterers of each species on the canvas, (species, *canvas)."""
        return activation_spectrum(self.geometry, self.rows_columns, self.members * self.weights)

    @cached_property
    def _corners(self) -> Tensor:
        return from_corners(self.geometry, self.spectrum)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return M a summed over the species, shape (..., bias, height, width)."""
        waves = (self._corners * canvas_spectrum(self.geometry, kernel)).sum(-3)
        return from_canvas(self.geometry, waves, self.geometry.height, self.geometry.width)

    def back(self, field: Tensor) -> Tensor:
        """Return M^T y, shape (..., bias, species, K, K)."""
        seen = self._corners.conj() * canvas_spectrum(self.geometry, field[..., None, :, :])
        return from_canvas(self.geometry, seen, self.geometry.window, self.geometry.window)

    def waves(self, kernel: Tensor) -> Tensor:
        """Return what each species adds to the maps, shape (..., bias, species, height, width)."""
        return convolve(self.geometry, self.spectrum, kernel)

    def project(self, field: Tensor) -> Tensor:
        """Return P y: measured pixels only, background taken off."""
        measured, terms = (field * self.mask).flatten(-2), self.basis.flatten(1)
        return (measured - (measured @ terms.T) @ terms).reshape(field.shape)

    def background(self, field: Tensor, degree: int) -> Tensor:
        """Return the background of a map by least squares, everywhere (not only where measured)."""
        plain = background_terms(self.geometry, degree, field)
        inner = (plain * self.mask).flatten(1)
        solution = torch.linalg.lstsq(inner.T.double(), (field * self.mask).flatten(1).T.double())
        return torch.einsum("tb,tyx->byx", solution.solution.to(field.dtype), plain)

    def only(self, biases: slice) -> "NormalEquations":
        """Return the maps of some of the biases."""
        return replace(self, field=self.field[biases])

    def only_species(self, number: int, kernel: Tensor) -> "NormalEquations":
        """Return the maps less the waves of all other species, with the scatterers of this one."""
        if len(self.members) == 1:
            return self
        others = self.waves(kernel).sum(-3) - self.waves(kernel)[..., number, :, :]
        rest = (self.field - others) * self.mask
        return replace(self, field=rest, members=self.members[number : number + 1])

    def with_scatterers(self, rows_columns: Tensor, weights: Tensor) -> "NormalEquations":
        """Return the same maps with the same scatterers at other places or of other weights."""
        return replace(self, rows_columns=rows_columns, weights=weights)

    def with_mask(self, mask: Tensor) -> "NormalEquations":
        """Return the same maps with fewer measured pixels and the same background terms."""
        return replace(
            self, mask=mask, field=self.field * mask, basis=_orthonormal(self.basis * mask)
        )


def normal_equations(
    field: Tensor,
    mask: Tensor,
    window: int,
    rows_columns: Tensor,
    weights: Tensor,
    background_degree: int,
    members: Tensor | None = None,
) -> NormalEquations:
    """Set the problem up.

    Parameters
    ----------
    field : Tensor, shape (bias, height, width)
        The maps; values where `mask` is 0 are ignored.
    mask : Tensor, shape (height, width)
    window : int
        Odd side of the kernel window [px].
    rows_columns : Tensor, shape (n, 2)
    weights : Tensor, shape (n,)
    background_degree : int
        Degree of the polynomial background, 0 for an offset.
    members : Tensor, shape (species, n), optional
        1 where a scatterer belongs to a species, else 0; by default there is one species.
    """
    geometry = Geometry(field.shape[-2], field.shape[-1], window)
    terms = background_terms(geometry, background_degree, field) * mask
    return NormalEquations(
        geometry,
        torch.where(mask > 0, field, torch.zeros_like(field)),
        mask,
        _orthonormal(terms),
        rows_columns,
        weights,
        torch.ones_like(weights)[None] if members is None else members,
    )


def background_terms(geometry: Geometry, degree: int, like: Tensor) -> Tensor:
    """Return the monomials x^i y^j, i + j <= degree, on the map scaled to [-1, 1]."""
    y = torch.linspace(-1, 1, geometry.height, device=like.device, dtype=like.dtype)[:, None]
    x = torch.linspace(-1, 1, geometry.width, device=like.device, dtype=like.dtype)[None, :]
    return torch.stack(
        [x**i * y**j for total in range(degree + 1) for i in range(total + 1) for j in [total - i]]
    )


def _orthonormal(terms: Tensor) -> Tensor:
    basis: Tensor = torch.linalg.qr(terms.flatten(1).T.double())[0].T
    return basis.to(terms.dtype).reshape(terms.shape)
