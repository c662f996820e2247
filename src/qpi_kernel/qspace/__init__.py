"""Kernels and maps in q space: transforms, cuts, rings, bands, symmetry and the sign of a gap.

    F(q) = sum_r f(r) exp(-i q.r) dx dy,    q = 2 pi / wavelength [1/nm]

r is the position in the coordinates of the map. A kernel has its scatterer at r = 0, so the phase
of its transform is the phase about the scatterer, whatever the number of pixels and wherever the
window begins. The unit of F is the unit of the map times nm^2.
"""

from qpi_kernel.qspace.analysis import Analysis, analyse, transformed
from qpi_kernel.qspace.angular import angular_profile, fold_amplitudes
from qpi_kernel.qspace.bands import BandFit, fit_band
from qpi_kernel.qspace.cuts import line_cut
from qpi_kernel.qspace.dispersion import Dispersion, draw_kernels, measure_dispersion
from qpi_kernel.qspace.energy_pairs import antisymmetric_part, haem, phase_referenced
from qpi_kernel.qspace.one_sided import radial_profile, ray_profile
from qpi_kernel.qspace.profiles import save_profile, track_peaks
from qpi_kernel.qspace.rings import half_rim_q, interesting_q, radial_average, ring_radius
from qpi_kernel.qspace.settings import CurveSettings, LatticeSettings, TransformSettings
from qpi_kernel.qspace.similarity import band_similarity
from qpi_kernel.qspace.symmetry import asymmetry, symmetrise
from qpi_kernel.qspace.theory import TheoryFit, fit_theory, iter_theory, q_correlation
from qpi_kernel.qspace.transform import kernel_fft, map_fft
from qpi_kernel.qspace.zone import brillouin_zone, lattice_of, reciprocal_lattice

__all__ = [
    "Analysis",
    "BandFit",
    "CurveSettings",
    "Dispersion",
    "LatticeSettings",
    "TheoryFit",
    "TransformSettings",
    "analyse",
    "angular_profile",
    "antisymmetric_part",
    "asymmetry",
    "band_similarity",
    "brillouin_zone",
    "draw_kernels",
    "fit_band",
    "fit_theory",
    "fold_amplitudes",
    "haem",
    "half_rim_q",
    "interesting_q",
    "iter_theory",
    "kernel_fft",
    "lattice_of",
    "line_cut",
    "map_fft",
    "measure_dispersion",
    "phase_referenced",
    "q_correlation",
    "radial_average",
    "radial_profile",
    "ray_profile",
    "reciprocal_lattice",
    "ring_radius",
    "save_profile",
    "symmetrise",
    "track_peaks",
    "transformed",
]
