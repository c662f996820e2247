"""Maps of one or several species of scatterers on a surface like Ag(111)."""

import dataclasses

import numpy as np
import torch
import xarray as xr

from qpi_kernel import Scatterers, make_map
from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.evaluate import similarity
from qpi_kernel.simulate import continuum

SIZE_NM, PIXELS = 32.0, 128
PIXEL_NM = SIZE_NM / PIXELS
REACH = PIXEL_NM * np.arange(-PIXELS, PIXELS + 1)


def waves(phase_shift, mass=0.4, y=REACH[:, None], x=REACH[None, :]):
    """Return the kernel of a scatterer on a surface like Ag(111), on (y, x) axes `REACH`."""
    return continuum.parabolic_kernel(
        y, x, 0.0, mass=mass, edge_eV=-0.065, broadening_eV=0.003, phase_shift=phase_shift
    )


@dataclasses.dataclass(frozen=True)
class Mixture:
    """A map with the scatterers in it, labelled, and the true kernel of each label."""

    didv: xr.DataArray
    scatterers: Scatterers
    kernels: tuple


def mixed(*kernels, seed=1, density=0.02, snr=10.0, offset_px=None):
    """Scatter species in equal shares over a map and what surrounds it, 1 nm apart at least.

    With `offset_px` all stand so far from the centre of a pixel, along both axes.
    """
    rng = np.random.default_rng(seed)
    margin = SIZE_NM / 4
    xy = np.zeros((0, 2))
    while len(xy) < density * (SIZE_NM + 2 * margin) ** 2:
        fresh = rng.uniform(-margin, SIZE_NM + margin, (1, 2))
        if np.all(np.linalg.norm(xy - fresh, axis=1) > 1.0):
            xy = np.concatenate([xy, fresh])
    if offset_px is not None:
        xy = (np.round(xy / PIXEL_NM) + offset_px) * PIXEL_NM
    species, weight = np.arange(len(xy)) % len(kernels), rng.uniform(0.8, 1.2, len(xy))
    kernels = [kernel / kernel[np.hypot(REACH[:, None], REACH) > 0.75].std() for kernel in kernels]
    geometry = Geometry(PIXELS, PIXELS, REACH.size)
    clean = np.zeros((PIXELS, PIXELS))
    for label, kernel in enumerate(kernels):
        places = torch.as_tensor(xy[species == label][:, ::-1] / PIXEL_NM)
        spectrum = activation_spectrum(geometry, places, torch.as_tensor(weight[species == label]))
        clean = clean + convolve(geometry, spectrum, torch.as_tensor(kernel)).numpy()
    axis = PIXEL_NM * np.arange(PIXELS)
    distance = np.hypot(
        xy[:, 0, None, None] - axis[None, None, :], xy[:, 1, None, None] - axis[None, :, None]
    ).min(axis=0)
    noise = clean[distance > 3 * PIXEL_NM].std() / np.sqrt(snr) * rng.normal(size=clean.shape)
    inside = np.all((xy > 0) & (xy < axis[-1]), axis=1)
    return Mixture(
        make_map(clean + noise, bias_mV=[0.0], y_nm=axis, x_nm=axis),
        Scatterers(xy, weight, species).select(inside),
        tuple(kernels),
    )


def true_part(kernel, mixture, label=0):
    """Return the true kernel on the window of an extracted one."""
    half = kernel.sizes["x"] // 2
    window = slice(PIXELS - half, PIXELS + half + 1)
    return mixture.kernels[label][window, window]


def likeness(result, mixture):
    """Return how alike each kernel of a result is to its truth."""
    return [
        similarity(part.kernel.values[0], true_part(part.kernel, mixture, label))
        for label, part in enumerate(result.each_species)
    ]
