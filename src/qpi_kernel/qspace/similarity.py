"""How alike two kernels are, whatever their pixels and however their origins were set."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import ndimage

from qpi_kernel.maps import MapError, check_map, pixel_nm
from qpi_kernel.qspace.sampling import sample
from qpi_kernel.qspace.transform import kernel_fft, without_mean

Array = npt.NDArray[np.floating[Any]]
MAX_SHIFT_PX = 2.0
# What is fainter than this share of the maximum does not count in a logarithm.
LOG_FLOOR = 1e-3


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


def core_free_similarity(
    kernel_a: xr.DataArray, kernel_b: xr.DataArray, *, core_px: float = 3.0, free_sign: bool = False
) -> Array:
    """Return the cosine similarity of two kernels outside their core, at the best small shift.

    Parameters
    ----------
    kernel_a, kernel_b : xarray.DataArray, (bias, y, x)
        Two kernels on one grid. Both lose their mean over what is compared.
    core_px : float
        Pixels this near to the scatterer, which may outshine the ripples a hundredfold, are left
        out; negative compares all.
    free_sign : bool
        Take the better of the two signs: kernel and weights may change theirs together.

    Returns
    -------
    array, shape (bias,)
        The greatest <a, b> / (|a| |b|) over shifts of up to 2 pixels, -1 to 1; 0 where one of them
        is constant. A margin of 2 pixels, which shifts would fill with nothing, does not count.

    Raises
    ------
    MapError
        If the kernels have different grids.
    """
    _check_grids(kernel_a, kernel_b)
    y, x = kernel_b["y"].values, kernel_b["x"].values
    dy, dx = pixel_nm(kernel_b)
    inside = np.hypot(y[:, None] / dy, x[None, :] / dx) > core_px
    margin = int(MAX_SHIFT_PX)
    inside[:margin] = inside[-margin:] = inside[:, :margin] = inside[:, -margin:] = False
    return np.array([
        _best_cosine(a, b, inside, free_sign)
        for a, b in zip(kernel_a.values.astype(float), kernel_b.values.astype(float), strict=True)
    ])  # fmt: skip


def log_power_correlation(kernel_a: xr.DataArray, kernel_b: xr.DataArray) -> Array:
    """Return the correlation of the logarithms of |F| of two kernels, which no shift changes.

        corr(log(|F_a| + f max |F_a|), log(|F_b| + f max |F_b|)),   f = 0.001, 0 < |q| < pi / pixel

    Parameters
    ----------
    kernel_a, kernel_b : xarray.DataArray, (bias, y, x)
        Two kernels on one grid; tapered by a Hann window before the transform.

    Returns
    -------
    array, shape (bias,)
        -1 to 1; 0 where one of them is constant.

    Raises
    ------
    MapError
        If the kernels have different grids.
    """
    _check_grids(kernel_a, kernel_b)
    ffts = [kernel_fft(kernel, window="hann") for kernel in (kernel_a, kernel_b)]
    q = np.hypot(ffts[0]["qy"].values[:, None], ffts[0]["qx"].values[None, :])
    inside = (q > 1e-9) & (q < np.pi / max(pixel_nm(kernel_a)))
    logs = []
    for fft in ffts:
        size = np.abs(fft.values[:, inside]).astype(float)
        floor = LOG_FLOOR * size.max(axis=1, keepdims=True)
        logs.append(np.log(size + np.maximum(floor, np.finfo(float).tiny)))
    return np.array([_cosine(a - a.mean(), b - b.mean()) for a, b in zip(*logs, strict=True)])


def _check_grids(kernel_a: xr.DataArray, kernel_b: xr.DataArray) -> None:
    check_map(kernel_a)
    check_map(kernel_b)
    if kernel_a.shape != kernel_b.shape or any(
        np.max(np.abs(kernel_a[dim].values - kernel_b[dim].values)) > 0.01 * pitch
        for dim, pitch in zip(("y", "x"), pixel_nm(kernel_b), strict=True)
    ):
        raise MapError(
            f"the kernels have different grids ({kernel_a.shape} and {kernel_b.shape} points):"
            " resample one of them"
        )


def _best_cosine(a: Array, b: Array, inside: npt.NDArray[np.bool_], free_sign: bool) -> float:
    """Return the greatest cosine of `a`, shifted by up to 2 pixels, with `b`."""
    spline, target = ndimage.spline_filter(a), b[inside] - b[inside].mean()

    def cosine(shift: Array) -> float:
        moved = ndimage.shift(spline, shift, mode="nearest", prefilter=False)[inside]
        value = _cosine(moved - moved.mean(), target)
        return abs(value) if free_sign else value

    steps = np.arange(-MAX_SHIFT_PX, MAX_SHIFT_PX + 0.5)
    shifts = [np.array([i, j]) for i in steps for j in steps if np.hypot(i, j) <= MAX_SHIFT_PX]
    best = max(shifts, key=cosine)
    for step in (0.5, 0.25, 0.125, 0.0625):
        around = [best + step * np.array([i, j]) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        best = max((at for at in around if np.hypot(*at) <= MAX_SHIFT_PX + 1e-9), key=cosine)
    return cosine(best)


def _cosine(a: Array, b: Array) -> float:
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 0 else 0.0
