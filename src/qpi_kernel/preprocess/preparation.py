"""The order of the steps before the extraction."""

from dataclasses import dataclass

import xarray as xr

from qpi_kernel.maps import check_map, check_pattern
from qpi_kernel.preprocess.distortion import apply_affine, drift_matrix, undistort
from qpi_kernel.preprocess.hum import remove_hum
from qpi_kernel.preprocess.lattice import find_bragg_peaks, lattice_matrix
from qpi_kernel.preprocess.lawler_fujita import displacement_field
from qpi_kernel.preprocess.levelling import level, level_rows
from qpi_kernel.preprocess.masks import mask_clusters, mask_cores
from qpi_kernel.preprocess.normalisation import normalise
from qpi_kernel.preprocess.outliers import despike, remove_streaks
from qpi_kernel.preprocess.resampling import resample
from qpi_kernel.preprocess.settings import DistortionSettings, PrepareSettings
from qpi_kernel.preprocess.slices import PreprocessError
from qpi_kernel.preprocess.traces import average_traces


@dataclass(frozen=True)
class Companions:
    """What the same scan recorded beside dI/dV, on the same grid; None where it did not.

    Parameters
    ----------
    backward : xarray.DataArray, (bias, y, x), optional
        The backward trace of dI/dV, at the same biases.
    current : xarray.DataArray, (bias, y, x), optional
        The current [pA], at the same biases and possibly more.
    topography : xarray.DataArray, (1, y, x), optional
        The topography [pm].
    """

    backward: xr.DataArray | None = None
    current: xr.DataArray | None = None
    topography: xr.DataArray | None = None


def prepare(
    didv: xr.DataArray,
    settings: PrepareSettings | None = None,
    companions: Companions | None = None,
) -> xr.DataArray:
    """Apply the steps of `settings` to a map.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map; it is not changed.
    settings : PrepareSettings, optional
        By default a plane is subtracted.
    companions : Companions, optional
        Other channels of the same scan, for the steps that need them.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        The prepared map; ``attrs["prepared"]`` lists the steps in words.

    Raises
    ------
    MapError
        If a slice is constant: levelled, its rounding errors would look like a pattern.
    PreprocessError
        If a step needs a channel that is not there, or does not suit the map.
    """
    settings = settings or PrepareSettings()
    beside = companions or Companions()
    check_map(didv)
    check_pattern(didv)
    steps: list[str] = []
    if settings.average_traces:
        backward = _needed(beside.backward, "backward trace", "averaged with the forward one")
        didv = average_traces(didv, backward)
        lag = didv.attrs["backward_lag_nm"]
        steps.append(f"averaged with the backward trace, moved by {lag:.3g} nm")
    if settings.normalise != "none":
        current = _needed(beside.current, "current", "divided out of dI/dV")
        didv = normalise(didv, current, settings.normalise)
        steps.append(f"normalised to {settings.normalise}")
    if settings.despike:
        didv = despike(didv)
        steps.append("outlier pixels replaced by the local median")
    if settings.remove_streaks:
        didv = remove_streaks(didv)
        steps.append("streaks replaced by the rows above and below")
    if settings.hum_px is not None:
        didv = remove_hum(didv, settings.hum_px)
        steps.append(f"hum of period {settings.hum_px:g} px subtracted")
    cores = " (cores masked)" if settings.mask_cores else ""
    if settings.level_degree is not None:
        masked = mask_cores(didv) if settings.mask_cores else None
        didv = level(didv, settings.level_degree, masked)
        steps.append(f"surface of degree {settings.level_degree} subtracted{cores}")
    if settings.level_rows:
        # Jumps between the rows would hide the cores.
        masked = mask_cores(level_rows(didv)) if settings.mask_cores else None
        didv = level_rows(didv, masked=masked)
        steps.append(f"median of every row subtracted{cores}")
    didv = _straightened(didv, beside.topography, settings.distortion, steps)
    if settings.clusters_nm is not None:
        didv = mask_clusters(didv, settings.clusters_nm)
        steps.append(f"what stands out over more than {settings.clusters_nm:g} nm masked")
    if settings.pixel_nm is not None:
        didv = resample(didv, settings.pixel_nm)
        steps.append(f"resampled to pixels of {settings.pixel_nm:g} nm")
    return didv.assign_attrs(prepared=steps)


def _straightened(
    didv: xr.DataArray,
    topography: xr.DataArray | None,
    settings: DistortionSettings,
    steps: list[str],
) -> xr.DataArray:
    """Correct drift, shear and distortion; the lattice is seen in the topography or in the map."""
    drift = settings.drift_x_nm, settings.drift_y_nm, settings.shear_deg
    ruler = didv if topography is None else topography
    seen_in = "map" if topography is None else "topography"
    if any(drift):
        matrix = drift_matrix(didv, *drift)
        didv, ruler = apply_affine(didv, matrix), apply_affine(ruler, matrix)
        steps.append(
            f"drift of {drift[0]:g}, {drift[1]:g} nm and shear of {drift[2]:g} deg corrected"
        )
    if settings.lawler_fujita:
        symmetry = None if settings.lattice == "none" else settings.lattice
        peaks = find_bragg_peaks(ruler, symmetry, settings.lattice_constant_nm)
        displacement = displacement_field(ruler, peaks, settings.smoothing_nm)
        didv, ruler = undistort(didv, displacement), undistort(ruler, displacement)
        steps.append(f"displacement of the lattice in the {seen_in} taken away (Lawler-Fujita)")
    if settings.lattice != "none":
        # Of a lattice that is straight the Bragg peaks are sharp.
        peaks = find_bragg_peaks(ruler, settings.lattice, settings.lattice_constant_nm)
        matrix = lattice_matrix(peaks, settings.lattice, settings.lattice_constant_nm)
        didv = apply_affine(didv, matrix)
        numbers = ", ".join(f"{matrix[i, j]:.4f}" for i, j in ((0, 0), (0, 1), (1, 1)))
        steps.append(f"set to a {settings.lattice} lattice in the {seen_in} ({numbers})")
    return didv


def _needed(channel: xr.DataArray | None, name: str, purpose: str) -> xr.DataArray:
    if channel is None:
        raise PreprocessError(f"there is no {name} of this map that could be {purpose}")
    return channel
