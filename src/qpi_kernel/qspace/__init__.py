"""Kernels and maps in q space: calibrated Fourier transforms, rings and symmetry.

    F(q) = sum_r f(r) exp(-i q.r) dx dy,    q = 2 pi / wavelength [1/nm]

r is the position in the coordinates of the map. A kernel has its scatterer at r = 0, so the phase
of its transform is the phase about the scatterer, whatever the number of pixels and wherever the
window begins. The unit of F is the unit of the map times nm^2.
"""

from qpi_kernel.qspace.rings import (
    half_rim_q,
    interesting_q,
    radial_average,
    radial_profile,
    ring_radius,
)
from qpi_kernel.qspace.similarity import band_similarity
from qpi_kernel.qspace.symmetry import symmetrise
from qpi_kernel.qspace.transform import kernel_fft, map_fft

__all__ = [
    "band_similarity",
    "half_rim_q",
    "interesting_q",
    "kernel_fft",
    "map_fft",
    "radial_average",
    "radial_profile",
    "ring_radius",
    "symmetrise",
]
