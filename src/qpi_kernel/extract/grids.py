"""From calibrated maps to pixels and back: the measured grid and the model grid of one map."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor

from qpi_kernel.errors import QpiError
from qpi_kernel.extract.normal_equations import NormalEquations, normal_equations
from qpi_kernel.maps import check_pattern, make_map, odd_pixels, pixel_nm
from qpi_kernel.preprocess import resample
from qpi_kernel.scatterers import Scatterers

# Sides of the kernel window that the 64 px network covers with its scatterer in the centre.
MODEL_WINDOW = 63
# Below this share of measured points nothing can be said.
LEAST_MEASURED = 0.1


@dataclass(frozen=True)
class Grid:
    """One map as tensors.

    Parameters
    ----------
    didv : xarray.DataArray
        The map itself.
    field : Tensor, shape (bias, height, width)
    mask : Tensor, shape (height, width)
        1 where every bias was measured.
    pixel : float
        Pitch [nm].
    window : int
        Odd side of the kernel window [px].
    """

    didv: xr.DataArray
    field: Tensor
    mask: Tensor
    pixel: float
    window: int

    @cached_property
    def white(self) -> Tensor:
        """White noise per pixel, shape (bias,); see `noise_level`."""
        return noise_level(self.field, self.mask)

    def problem(self, scatterers: Scatterers, background_degree: int) -> NormalEquations:
        """Return the normal equations of this map with these scatterers."""
        places, weights = self.to_pixels(scatterers)
        kinds = scatterers.labels[:, None] == scatterers.species
        return normal_equations(
            self.field, self.mask, self.window, places, weights, background_degree,
            torch.as_tensor(kinds).to(self.field),
        )  # fmt: skip

    def at(self, biases: Tensor) -> "Grid":
        """Return the maps of some of the biases, by index."""
        some = self.didv.isel(bias=biases.cpu().numpy())
        return replace(self, didv=some, field=self.field[biases])

    def to_pixels(self, scatterers: Scatterers) -> tuple[Tensor, Tensor]:
        """Return positions (n, 2) as (row, column) [px] and weights."""
        origin = np.array([self.didv["x"].values[0], self.didv["y"].values[0]])
        places = ((scatterers.xy_nm - origin) / self.pixel)[:, ::-1].copy()
        weights = scatterers.weight.copy()
        return torch.as_tensor(places).to(self.field), torch.as_tensor(weights).to(self.field)

    def from_pixels(self, places: Tensor, weights: Tensor, like: Scatterers) -> Scatterers:
        """Return the scatterers at pixel positions (row, column)."""
        origin = np.array([self.didv["x"].values[0], self.didv["y"].values[0]])
        xy = places.cpu().numpy()[:, ::-1].astype(np.float64) * self.pixel + origin
        return Scatterers(
            xy, weights.cpu().numpy().astype(np.float64), like.species, like.confidence
        )

    def kernel_map(self, values: npt.ArrayLike | Tensor, name: str) -> xr.DataArray:
        """Return an image on the kernel window as a map centred on the scatterer."""
        axis = (np.arange(self.window) - self.window // 2) * self.pixel
        return make_map(
            _numpy(values),
            bias_mV=self.didv["bias"].values,
            y_nm=axis,
            x_nm=axis,
            units=self.didv.attrs["units"],
            name=name,
        )

    def map(self, values: npt.ArrayLike | Tensor, name: str) -> xr.DataArray:
        """Return an image on the grid of the map as a map."""
        result = self.didv.copy(data=_numpy(values).astype(np.float32))
        result.name = name
        return result


def without(grid: Grid, foreign: Tensor) -> Grid:
    """Return a grid that leaves out the pixels of `foreign`, given on any pitch of the same map."""
    size = grid.mask.shape
    image = foreign[None, None].to(grid.mask.dtype)
    spread = torch.nn.functional.interpolate(image, size, mode="nearest")[0, 0]
    mask = grid.mask * (1 - spread)
    return replace(grid, mask=mask, field=grid.field * mask)


def near(scatterers: Scatterers, grid: Grid) -> Scatterers:
    """Keep the scatterers whose kernel window reaches into the map.

    Raises
    ------
    QpiError
        If none of them lies in the map.
    """
    places, _ = grid.to_pixels(scatterers)
    half = grid.window // 2
    size = torch.tensor(grid.field.shape[-2:], device=places.device)
    keep = ((places > -half) & (places < size + half)).all(-1).cpu().numpy()
    inside = ((places > -1) & (places < size)).all(-1).cpu().numpy()
    if not inside.any():
        raise QpiError(
            f"none of the {len(scatterers)} scatterers lies in the map; mark at least one, or leave"
            " them out to have them found"
        )
    return scatterers.select(keep)


def make_grids(didv: xr.DataArray, window_nm: float, device: torch.device) -> tuple[Grid, Grid]:
    """Put a map on its two grids: as measured, and coarse enough for the network.

    The model grid has the pitch at which the window spans 63 px, or that of the measurement if that
    is coarser already: data are never interpolated to a finer grid.

    Raises
    ------
    QpiError
        If too little is measured, the map is constant or the window does not fit.
    """
    finite = np.isfinite(didv.values).all(axis=0)
    if finite.mean() < LEAST_MEASURED:
        raise QpiError(
            f"only {finite.mean():.0%} of the points are measured (at all biases); choose another"
            " region or fewer biases"
        )
    check_pattern(didv)
    didv = square_pixels(didv)
    pixel = sum(pixel_nm(didv)) / 2
    sides = (didv.sizes["x"] * pixel, didv.sizes["y"] * pixel)
    if window_nm > min(sides):
        raise QpiError(
            f"the kernel window ({window_nm:g} nm) is larger than the region"
            f" ({sides[0]:.3g} x {sides[1]:.3g} nm); choose a smaller window or a larger region"
        )
    if window_nm < 8 * pixel:
        raise QpiError(
            f"the kernel window ({window_nm:g} nm) spans fewer than 8 pixels of {pixel:.3g} nm;"
            " choose a larger window or region"
        )
    measured = _grid(didv, pixel, window_nm, device)
    model_pixel = window_nm / MODEL_WINDOW
    if model_pixel < 1.02 * pixel:
        return measured, measured
    coarse = resample(didv, model_pixel)
    return measured, _grid(coarse, model_pixel, window_nm, device)


def square_pixels(didv: xr.DataArray) -> xr.DataArray:
    """Return the map with square pixels, resampled to the larger pitch if they differ by 1 %."""
    dy, dx = pixel_nm(didv)
    return didv if abs(dy / dx - 1) <= 1e-2 else resample(didv, max(dy, dx))


def noise_level(field: Tensor, mask: Tensor) -> Tensor:
    """Estimate the white noise per pixel (bias,) from second differences along both axes.

    The operator [1 -2 1] x [1 -2 1] lets only the highest frequencies through; its median absolute
    value is not moved by scatterer cores.
    """
    stencil = torch.tensor([1.0, -2.0, 1.0], device=field.device)
    kernel = (stencil[:, None] * stencil[None, :])[None, None]
    rough = torch.nn.functional.conv2d(field[:, None], kernel)[:, 0]
    whole = torch.nn.functional.conv2d(mask[None, None], torch.ones_like(kernel))[0, 0] > 8.5
    if not bool(whole.any()):
        return field.flatten(1).std(-1)
    values = rough[:, whole].abs().median(-1).values / 0.6745 / 6.0
    return torch.maximum(values, 1e-6 * field.flatten(1).std(-1))


def _grid(didv: xr.DataArray, pixel: float, window_nm: float, device: torch.device) -> Grid:
    finite = np.isfinite(didv.values).all(axis=0)
    values = np.where(finite, didv.values, 0).astype(np.float64)
    # Offsets a million times the ripples would eat float32; the background takes them anyway.
    values = np.where(finite, values - values.sum((1, 2), keepdims=True) / finite.sum(), 0)
    return Grid(
        didv,
        torch.as_tensor(values, dtype=torch.float32, device=device),
        torch.as_tensor(finite, dtype=torch.float32, device=device),
        pixel,
        odd_pixels(window_nm, pixel),
    )


def _numpy(values: npt.ArrayLike | Tensor) -> npt.NDArray[np.float32]:
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    return np.asarray(values, np.float32)
