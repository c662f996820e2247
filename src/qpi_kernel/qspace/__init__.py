"""Kernels and maps in q space: transforms, cuts, rings, bands, symmetry and the sign of a gap.

    F(q) = sum_r f(r) exp(-i q.r) dx dy,    q = 2 pi / wavelength [1/nm]

r is the position in the coordinates of the map. A kernel has its scatterer at r = 0, so the phase
of its transform is the phase about the scatterer, whatever the number of pixels and wherever the
window begins. The unit of F is the unit of the map times nm^2.

Names load on first use, so that a form can show the settings at once.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "analysis": ["Analysis", "analyse", "transformed"],
        "angular": ["angular_profile", "fold_amplitudes"],
        "bands": ["BandFit", "fit_band"],
        "cuts": ["line_cut"],
        "dispersion": ["Dispersion", "draw_kernels", "measure_dispersion"],
        "energy_pairs": ["antisymmetric_part", "haem", "phase_referenced", "save_haem"],
        "one_sided": ["radial_profile", "ray_profile"],
        "profiles": ["save_profile", "track_peaks"],
        "rings": ["half_rim_q", "interesting_q", "radial_average", "ring_radius"],
        "settings": ["CurveSettings", "LatticeSettings", "PairSettings", "TransformSettings"],
        "similarity": ["band_similarity"],
        "symmetry": ["asymmetry", "symmetrise"],
        "theory": ["TheoryFit", "fit_theory", "iter_theory", "q_correlation"],
        "transform": ["kernel_fft", "map_fft"],
        "zone": ["brillouin_zone", "lattice_of", "reciprocal_lattice"],
    },
)
