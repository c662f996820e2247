"""Single-scatterer quasiparticle-interference kernels from STM dI/dV maps.

Public names load on first use, so that importing the package costs neither torch nor xarray.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import lazy_loader

try:
    __version__ = version("napari-qpi-kernel")
except PackageNotFoundError:
    __version__ = "0.0.0"

_getattr, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "assessment": ["Assessment", "assess"],
        "batch": ["iter_batch", "run_batch"],
        "batch_summary": ["BatchItem"],
        "errors": ["QpiError"],
        "export": ["ExportError", "export_result", "load_result", "write_map"],
        "export.public_csv": ["write_public_samples"],
        "export.simulation": ["write_simulation"],
        "extract.engine": ["extract_kernel", "iter_extract"],
        "extract.find": ["find_scatterers", "iter_find_scatterers"],
        "extract.result": ["Extraction"],
        "extract.settings": ["ExtractSettings"],
        "extract.species": ["propose_species"],
        "figures": ["result_figure"],
        "locate": ["LocateSettings", "iter_locate", "locate_scatterers"],
        "maps": ["MapError", "check_map", "crop", "make_map", "nearest_bias"],
        "pipeline": ["PipelineResult", "PipelineSettings", "iter_run", "run"],
        "progress": ["Progress", "drain"],
        "qspace": [
            "Analysis",
            "BandFit",
            "CurveSettings",
            "Dispersion",
            "analyse",
            "angular_profile",
            "antisymmetric_part",
            "asymmetry",
            "band_similarity",
            "brillouin_zone",
            "draw_kernels",
            "fit_band",
            "fold_amplitudes",
            "haem",
            "half_rim_q",
            "kernel_fft",
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
        ],
        "preprocess": [
            "Companions",
            "DistortionSettings",
            "PrepareSettings",
            "PreprocessError",
            "apply_affine",
            "average_traces",
            "despike",
            "displacement_field",
            "drift_matrix",
            "find_bragg_peaks",
            "lattice_matrix",
            "level",
            "level_rows",
            "mask_clusters",
            "mask_cores",
            "mask_scatterers",
            "normalise",
            "prepare",
            "remove_hum",
            "remove_streaks",
            "resample",
            "shift_between",
            "undistort",
        ],
        "read": ["ReadError", "read_file"],
        "read.qpi_csv": ["PublicSample", "read_public_sample"],
        "read.select": ["select_didv", "select_topography"],
        "simulate.kernel": ["simulate_kernel"],
        "simulate.scene": ["SimulatedMap", "simulate_map"],
        "scatterers": ["Scatterers", "load_scatterers", "save_scatterers"],
    },
)


def __getattr__(name: str) -> Any:
    return _getattr(name)
