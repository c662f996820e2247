"""Preparing a map: each step takes maps and returns a new one; nothing is overwritten.

A mask is a map in which NaN marks the points that do not count. Names load on first use, so that a
form or the command line can show `PrepareSettings` at once.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "distortion": ["apply_affine", "drift_matrix", "undistort"],
        "hum": ["remove_hum"],
        "lattice": ["find_bragg_peaks", "lattice_matrix"],
        "lawler_fujita": ["displacement_field"],
        "levelling": ["level", "level_rows"],
        "masks": ["mask_clusters", "mask_cores", "mask_scatterers"],
        "normalisation": ["normalise"],
        "outliers": ["despike", "remove_streaks"],
        "preparation": ["Companions", "prepare"],
        "resampling": ["resample"],
        "settings": ["DistortionSettings", "PrepareSettings"],
        "slices": ["PreprocessError"],
        "traces": ["average_traces", "shift_between"],
    },
)
