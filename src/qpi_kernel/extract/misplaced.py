"""Scatterers marked beside their places: all off by one shift, once for each lobe, or in pieces.

A map of many scatterers looks the same if all of them are moved one way and the kernel the other,
or if each is taken for a pair and the kernel for half of it, and nearly the same if weak ones make
up for what a wrong kernel lacks. The kernel and the marks tell.
"""

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from torch import Tensor

from qpi_kernel.convolution import Geometry
from qpi_kernel.scatterers import Scatterers

# True scatterers of one kind are seldom weaker than this share of the median.
WEAK = 0.6


def off_centre(geometry: Geometry, kernel: Tensor) -> Tensor:
    """Return how far from the centre a kernel is most symmetric [px], in half pixels.

    Waves go out from a scatterer alike in opposite directions, or nearly so: the overlap of the
    kernel with itself turned by 180 degrees is largest about the scatterer.

    Parameters
    ----------
    kernel : Tensor, shape (start, bias, K, K)

    Returns
    -------
    Tensor, shape (start, 2)
    """
    side = 2 * geometry.window
    turned = torch.fft.rfft2(kernel, s=(side, side)).square().sum(1)
    best = torch.fft.irfft2(turned, s=(side, side)).flatten(1).argmax(1)
    twice = torch.stack([best // side, best % side], -1)
    return twice / 2 - geometry.half


def repeated_pair(
    xy_nm: npt.NDArray[np.float64], reach_nm: float, step_nm: float, area_nm2: float
) -> tuple[npt.NDArray[np.float64], float]:
    """Return the displacement that most pairs of scatterers share, and how many share it.

    Parameters
    ----------
    xy_nm : array, shape (n, 2)
    reach_nm : float
        Longest displacement looked at, along each axis [nm].
    step_nm : float
        Half of what displacements of equal pairs may differ by, along each axis [nm].
    area_nm2 : float
        Of the map, which tells how many pairs are equal by chance [nm^2].

    Returns
    -------
    displacement : array, shape (2,)
        (x, y) [nm].
    share : float
        Such pairs, less the first and less those by chance, over the number of scatterers.
    """
    apart = (xy_nm[None] - xy_nm[:, None])[~np.eye(len(xy_nm), dtype=bool)]
    border = step_nm * (int(reach_nm / step_nm) + 1)
    cells = np.arange(-border, border + step_nm / 2, step_nm)
    counts, _ = np.histogramdd(apart, (cells, cells))
    # Overlapping squares of two steps, so that no displacement falls on a border.
    squares = counts[:-1, :-1] + counts[1:, :-1] + counts[:-1, 1:] + counts[1:, 1:]
    most = np.array(np.unravel_index(squares.argmax(), squares.shape))
    by_chance = len(xy_nm) ** 2 * (2 * step_nm) ** 2 / area_nm2
    # The first pair repeats nothing.
    repeats = squares.max() - 1 - by_chance
    return cells[most + 1], float(max(repeats, 0.0) / max(len(xy_nm), 1))


def paired(
    scatterers: Scatterers, displacement_nm: npt.NDArray[np.float64], step_nm: float
) -> Scatterers:
    """Take the marks that are a displacement apart for one scatterer; leave out the others."""
    xy = scatterers.xy_nm
    linked = cdist(xy + displacement_nm, xy, "chebyshev") <= step_nm
    count, group = connected_components(linked, directed=False)
    members = np.bincount(group, minlength=count)
    middles = np.stack([np.bincount(group, axis, count) / members for axis in xy.T], -1)
    return Scatterers(middles[members > 1])


def strong_ones(scatterers: Scatterers) -> Scatterers:
    """Leave out the scatterers that are much weaker than most."""
    sizes = np.abs(scatterers.weight)
    return scatterers.select(sizes >= WEAK * np.median(sizes))
