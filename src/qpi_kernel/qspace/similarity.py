"""How alike two kernels are, whatever their pixels and however their origins were set."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.maps import MapError, check_map, pixel_nm
from qpi_kernel.qspace.sampling import sample
from qpi_kernel.qspace.transform import without_mean

Array = npt.NDArray[np.floating[Any]]
MAX_SHIFT_PX = 2.0


def band_similarity(
    kernel_a: xr.DataArray, kernel_b: xr.DataArray, q_band: tuple[float, float] = (1.0, 6.0)
) -> Array:
    """Return the cosine similarity of two kernels within a band of q, at the best small shift.

    Parameters
    ----------
    kernel_a, kernel_b : xarray.DataArray, (bias, y, x)
        Two kernels with equally many biases. The second is interpolated onto the pixels of the
        first where both have some; both lose their mean and all q outside the band.
    q_band : (lowest, highest)
        The band [1/nm].

    Returns
    -------
    array, shape (bias,)
        The greatest <a, b> / (|a| |b|) over shifts of up to 2 pixels, -1 to 1; with sign.

    Raises
    ------
    MapError
        If the numbers of biases differ, the windows do not overlap or the band is empty.
    """
    check_map(kernel_a)
    check_map(kernel_b)
    if kernel_a.sizes["bias"] != kernel_b.sizes["bias"]:
        raise MapError(
            f"the kernels have {kernel_a.sizes['bias']} and {kernel_b.sizes['bias']} biases"
        )
    inside = {
        dim: (kernel_a[dim].values >= kernel_b[dim].values[0] - 1e-9)
        & (kernel_a[dim].values <= kernel_b[dim].values[-1] + 1e-9)
        for dim in ("y", "x")
    }
    if min(np.count_nonzero(mask) for mask in inside.values()) < 2:
        raise MapError("the windows of the kernels do not overlap")
    kernel_a = kernel_a.isel(inside)
    pitch = pixel_nm(kernel_a)
    smooth_b = kernel_b.copy(data=_low_pass(kernel_b, np.pi / max(pitch)))
    y, x = np.meshgrid(kernel_a["y"].values, kernel_a["x"].values, indexing="ij")
    resampled_b = sample(smooth_b, y, x)

    qy, qx = (
        2 * np.pi * np.fft.fftfreq(kernel_a.sizes[dim], d)
        for dim, d in zip(("y", "x"), pitch, strict=True)
    )
    q = np.hypot(qy[:, None], qx[None, :])
    band = (q >= q_band[0]) & (q <= q_band[1])
    if not band.any():
        raise MapError(f"the band {q_band[0]:g} to {q_band[1]:g} 1/nm holds no q of the kernel")
    a, b = (
        np.fft.fft2(without_mean(values.astype(float))) * band
        for values in (kernel_a.values, resampled_b)
    )
    cross = np.conj(a) * b
    norm = np.sqrt(np.sum(np.abs(a) ** 2, axis=(1, 2)) * np.sum(np.abs(b) ** 2, axis=(1, 2)))
    similarity = [_best_overlap(c, qy * pitch[0], qx * pitch[1]) for c in cross]
    result: Array = np.divide(similarity, norm, out=np.zeros(len(norm)), where=norm > 0)
    return result


def _low_pass(kernel: xr.DataArray, q_limit: float) -> npt.NDArray[np.float32]:
    """Remove all q beyond a limit [1/nm], which a coarser grid would fold back."""
    qy, qx = (
        2 * np.pi * np.fft.fftfreq(kernel.sizes[dim], d)
        for dim, d in zip(("y", "x"), pixel_nm(kernel), strict=True)
    )
    keep = (np.abs(qy)[:, None] <= q_limit) & (np.abs(qx)[None, :] <= q_limit)
    spectrum = np.fft.fft2(np.nan_to_num(kernel.values.astype(float))) * keep
    return np.fft.ifft2(spectrum).real.astype(np.float32)


def _best_overlap(cross: npt.NDArray[np.complex128], qy: Array, qx: Array) -> float:
    """Return the maximum of Re sum cross exp(i q.s) over shifts |s| of up to 2 pixels."""
    centre, span, steps = np.zeros(2), MAX_SHIFT_PX, 21
    best = -np.inf
    for _ in range(3):
        sy, sx = (c + np.linspace(-span, span, steps) for c in centre)
        overlap = (np.exp(1j * np.outer(sy, qy)) @ cross @ np.exp(1j * np.outer(qx, sx))).real
        overlap[np.hypot(sy[:, None], sx[None, :]) > MAX_SHIFT_PX + 1e-9] = -np.inf
        row, column = np.unravel_index(np.argmax(overlap), overlap.shape)
        best = max(best, float(overlap[row, column]))
        centre, span = np.array([sy[row], sx[column]]), span / 10
    return best
