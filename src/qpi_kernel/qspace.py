"""Kernels and maps in q space: calibrated Fourier transforms, rings and symmetry.

    F(q) = sum_r f(r) exp(-i q.r) dx dy,    q = 2 pi / wavelength [1/nm]

r is the position in the coordinates of the map. A kernel has its scatterer at r = 0, so the phase
of its transform is the phase about the scatterer, whatever the number of pixels and wherever the
window begins. The unit of F is the unit of the map times nm^2.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import map_coordinates
from scipy.signal import find_peaks

from qpi_kernel.maps import MapError, check_map, pixel_nm

Window = Literal["none", "hann"]
Array = npt.NDArray[np.floating[Any]]
FOLDS = (1, 2, 3, 4, 6)
# A rim must rise out of what surrounds it by this share of its own height, which the speckle of an
# average over a ring of many pixels does not, and of the prominence of the most prominent one.
RIM_PROMINENCE = 0.2
MAX_SHIFT_PX = 2.0


def kernel_fft(kernel: xr.DataArray, *, window: Window = "none", pad: int = 1) -> xr.DataArray:
    """Return the complex Fourier transform of a kernel, its phase taken about the scatterer.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0; NaN counts as 0.
    window : {"none", "hann"}
        "hann" multiplies by (1 + cos(pi r / R)) / 2, r the distance from the scatterer and R that
        of the farthest window edge: 1 at the scatterer, 0 at the edge.
    pad : int
        Length of the transform in units of the window: 2 halves the step in q by zero padding.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx), complex64
        F(q) [unit of the kernel nm^2]; qy, qx [1/nm] increase, with q = 0 on the axes.
    """
    check_map(kernel)
    values = np.nan_to_num(kernel.values.astype(float))
    if window == "hann":
        y, x = kernel["y"].values, kernel["x"].values
        dy, dx = pixel_nm(kernel)
        reach = max(np.max(np.abs(y)) + dy, np.max(np.abs(x)) + dx)
        r = np.minimum(np.hypot(y[:, None], x[None, :]), reach)
        values = values * (0.5 + 0.5 * np.cos(np.pi * r / reach))
    return _transform(kernel, values, pad)


def map_fft(didv: xr.DataArray, *, window: Window = "hann", pad: int = 1) -> xr.DataArray:
    """Return the complex Fourier transform of a whole map, its mean removed.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map; its mean over the measured points is removed first, then NaN counts as 0.
    window : {"hann", "none"}
        "hann" tapers y and x to 0 at the borders, which keeps them from drawing a cross.
    pad : int
        Length of the transform in units of the map.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx), complex64
        F(q) [unit of the map nm^2].
    """
    check_map(didv)
    values = _without_mean(didv.values.astype(float))
    if window == "hann":
        rows, columns = (np.hanning(didv.sizes[dim] + 2)[1:-1] for dim in ("y", "x"))
        values = values * rows[:, None] * columns[None, :]
    return _transform(didv, values, pad)


def radial_average(fft: xr.DataArray) -> xr.DataArray:
    """Return |F| averaged over rings one q-pixel wide.

    Parameters
    ----------
    fft : xarray.DataArray, (bias, qy, qx)
        A transform as `kernel_fft` and `map_fft` return it.

    Returns
    -------
    xarray.DataArray, (bias, q)
        Mean of |F| over the ring |q| +- half a q-pixel, out to the nearer Nyquist limit.
    """
    _check_fft(fft)
    qy, qx = fft["qy"].values, fft["qx"].values
    step = max(float(qy[1] - qy[0]), float(qx[1] - qx[0]))
    rings = int(min(-qy[0], -qx[0]) / step) + 1
    ring = np.rint(np.hypot(qy[:, None], qx[None, :]) / step).astype(int).ravel()
    inside = ring < rings
    count = np.bincount(ring[inside], minlength=rings)
    power = np.abs(fft.values).reshape(fft.sizes["bias"], -1)[:, inside]
    means = np.stack([np.bincount(ring[inside], row, rings) / count for row in power])
    return _profile(fft, means, step * np.arange(rings), fft.attrs["units"])


def radial_profile(kernel: xr.DataArray, q_per_nm: npt.ArrayLike | None = None) -> xr.DataArray:
    """Return the complex radial transform of a kernel, in magnitude.

        P(q) = | integral_0^R  r <k>(r) w(r) exp(-i q r) dr |

    <k>(r) is the average over the circle of radius r about the scatterer, R the nearest window edge
    and w = sin^2(pi r / R). Unlike the ring in |F|, whose maximum moves by up to 1.5 q-pixels with
    the scattering phase, P peaks at the wave number itself: the transform of one side takes the
    wave and its phase apart, and w keeps the mirror wave at -q and the core away from it.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    q_per_nm : array_like, optional
        Where to evaluate [1/nm]; by default from 0 to the Nyquist limit in tenths of pi / R.

    Returns
    -------
    xarray.DataArray, (bias, q)
        P [unit of the kernel nm^2].

    Raises
    ------
    MapError
        If the scatterer is not inside the window.
    """
    check_map(kernel)
    reach, step = _reach(kernel), min(pixel_nm(kernel))
    q = (
        np.arange(0, np.pi / max(pixel_nm(kernel)), 0.1 * np.pi / reach)
        if q_per_nm is None
        else np.atleast_1d(np.asarray(q_per_nm, float))
    )
    count = int(np.ceil(2 * reach / step)) + 1
    r = np.linspace(0, reach, count)
    taper = np.sin(np.pi * r / reach) ** 2
    wave = np.exp(-1j * np.outer(r, q)) * (r[1] - r[0])
    profiles = np.abs((_circle_means(kernel, r) * r * taper) @ wave)
    return _profile(kernel, profiles, q, f"{kernel.attrs['units']} nm^2")


def ring_radius(kernel: xr.DataArray, q_range: tuple[float, float] | None = None) -> Array:
    """Return the wave number of the strongest ring of a kernel, without bias by its phase.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    q_range : (lowest, highest), optional
        Where to look [1/nm]; by default from one wavelength per window half-width to Nyquist.

    Returns
    -------
    array, shape (bias,)
        q [1/nm] of the highest maximum of `radial_profile`; NaN where the range holds none.
    """
    reach = _reach(kernel)
    low, high = q_range or (2 * np.pi / reach, np.pi / max(pixel_nm(kernel)))
    step = 0.02 * np.pi / reach
    profiles = radial_profile(kernel, np.arange(max(low - step, 0), high + 2 * step, step))
    return np.array([_highest_maximum(profiles["q"].values, row) for row in profiles.values])


def half_rim_q(fft_or_kernel: xr.DataArray) -> Array:
    """Return the edge of a disc or ring in |F|: where it falls to half of its rim.

    Parameters
    ----------
    fft_or_kernel : xarray.DataArray
        A kernel (bias, y, x), or a transform (bias, qy, qx).

    Returns
    -------
    array, shape (bias,)
        q [1/nm] beyond the outermost prominent maximum of `radial_average` at which it has fallen
        to half of that maximum, between the rings linearly; NaN where there is no such edge.
    """
    fft = kernel_fft(fft_or_kernel) if "y" in fft_or_kernel.dims else fft_or_kernel
    profiles = radial_average(fft)
    q = profiles["q"].values
    edges = np.full(profiles.sizes["bias"], np.nan)
    for index, row in enumerate(profiles.values):
        peaks, found = find_peaks(row, prominence=0)
        # Two waves across the window, or less, are what is left of the background.
        waves = peaks >= 2 * int(fft.attrs.get("pad", 1))
        peaks, prominence = peaks[waves], found["prominences"][waves]
        tallest = prominence.max(initial=0.0)
        rims = peaks[prominence > RIM_PROMINENCE * np.maximum(row[peaks], tallest)]
        if rims.size:
            half = 0.5 * row[rims[-1]]
            below = np.flatnonzero(row[rims[-1] :] < half)
            if below.size:
                last = int(rims[-1] + below[0])
                share = (row[last - 1] - half) / (row[last - 1] - row[last])
                edges[index] = q[last - 1] + share * (q[last] - q[last - 1])
    return edges


def symmetrise(kernel: xr.DataArray, fold: int, *, mirror: bool = False) -> xr.DataArray:
    """Average a kernel over rotations about its scatterer, and over a mirror if asked.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    fold : {1, 2, 3, 4, 6}
        Rotations by 360 / fold degrees.
    mirror : bool
        Whether to average with the image under y -> -y too.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        The average over those images that lie in the window, ``attrs["symmetrised"]`` naming the
        group ("C4", "C4v").

    Raises
    ------
    MapError
        If `fold` is no rotation of a lattice.
    """
    check_map(kernel)
    if fold not in FOLDS:
        raise MapError(f"fold must be one of {FOLDS}, not {fold}")
    y, x = np.meshgrid(kernel["y"].values, kernel["x"].values, indexing="ij")
    total = np.zeros(kernel.shape)
    count = np.zeros(kernel.shape)
    for turn in 2 * np.pi * np.arange(fold) / fold:
        for sign in (1, -1) if mirror else (1,):
            turned_y = np.sin(turn) * x + np.cos(turn) * sign * y
            turned_x = np.cos(turn) * x - np.sin(turn) * sign * y
            image = _sample(kernel, turned_y, turned_x)
            measured = np.isfinite(image)
            total += np.where(measured, image, 0)
            count += measured
    mean = np.divide(total, count, out=np.full(kernel.shape, np.nan), where=count > 0)
    group = f"C{fold}{'v' if mirror else ''}"
    return kernel.copy(data=mean.astype(np.float32)).assign_attrs(symmetrised=group)


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
    resampled_b = _sample(smooth_b, y, x)

    qy, qx = (
        2 * np.pi * np.fft.fftfreq(kernel_a.sizes[dim], d)
        for dim, d in zip(("y", "x"), pitch, strict=True)
    )
    q = np.hypot(qy[:, None], qx[None, :])
    band = (q >= q_band[0]) & (q <= q_band[1])
    if not band.any():
        raise MapError(f"the band {q_band[0]:g} to {q_band[1]:g} 1/nm holds no q of the kernel")
    a, b = (
        np.fft.fft2(_without_mean(values.astype(float))) * band
        for values in (kernel_a.values, resampled_b)
    )
    cross = np.conj(a) * b
    norm = np.sqrt(np.sum(np.abs(a) ** 2, axis=(1, 2)) * np.sum(np.abs(b) ** 2, axis=(1, 2)))
    similarity = [_best_overlap(c, qy * pitch[0], qx * pitch[1]) for c in cross]
    result: Array = np.divide(similarity, norm, out=np.zeros(len(norm)), where=norm > 0)
    return result


def _transform(like: xr.DataArray, values: Array, pad: int) -> xr.DataArray:
    """Transform plain values on the grid of the map `like`."""
    if pad < 1:
        raise MapError(f"pad must be 1 or more, not {pad}")
    dy, dx = pixel_nm(like)
    shape = (pad * like.sizes["y"], pad * like.sizes["x"])
    qy, qx = (
        2 * np.pi * np.fft.fftshift(np.fft.fftfreq(n, d))
        for n, d in zip(shape, (dy, dx), strict=True)
    )
    # The discrete transform counts positions from the first pixel; the map has it at (y0, x0).
    y0, x0 = float(like["y"][0]), float(like["x"][0])
    phase = np.exp(-1j * (qy[:, None] * y0 + qx[None, :] * x0))
    spectrum = np.fft.fftshift(np.fft.fft2(values, shape), axes=(-2, -1)) * phase * (dy * dx)
    return xr.DataArray(
        spectrum.astype(np.complex64),
        dims=("bias", "qy", "qx"),
        coords={
            "bias": like["bias"],
            "qy": ("qy", qy, {"units": "1/nm"}),
            "qx": ("qx", qx, {"units": "1/nm"}),
        },
        name=f"{like.name} FFT",
        attrs={**like.attrs, "units": f"{like.attrs['units']} nm^2", "pad": pad},
    )


def _check_fft(fft: xr.DataArray) -> None:
    if fft.dims != ("bias", "qy", "qx"):
        raise MapError(f"expected a transform with dimensions (bias, qy, qx), found {fft.dims}")


def _profile(like: xr.DataArray, values: Array, q: Array, units: str) -> xr.DataArray:
    """Wrap one curve per bias."""
    return xr.DataArray(
        values,
        dims=("bias", "q"),
        coords={"bias": like["bias"], "q": ("q", q, {"units": "1/nm"})},
        attrs={"units": units},
    )


def _without_mean(values: Array) -> Array:
    """Remove the mean over the measured points of each bias and fill the others with 0."""
    measured = np.isfinite(values)
    count = np.maximum(measured.sum(axis=(-2, -1), keepdims=True), 1)
    mean = np.where(measured, values, 0).sum(axis=(-2, -1), keepdims=True) / count
    return np.where(measured, values - mean, 0)


def _reach(kernel: xr.DataArray) -> float:
    """Return the distance from the scatterer to the nearest window edge [nm]."""
    y, x = kernel["y"].values, kernel["x"].values
    reach = float(min(-y[0], y[-1], -x[0], x[-1]))
    if reach <= 0:
        raise MapError("the window does not hold the scatterer (y = x = 0): is this a kernel?")
    return reach


def _sample(field: xr.DataArray, y: Array, x: Array) -> Array:
    """Interpolate a map with cubic splines at the positions (y, x) [nm]; NaN outside its window."""
    dy, dx = pixel_nm(field)
    rows, columns = (y - float(field["y"][0])) / dy, (x - float(field["x"][0])) / dx
    last_row, last_column = field.sizes["y"] - 1, field.sizes["x"] - 1
    # A pixel that a rotation by 90 degrees throws 1e-12 outside is still that pixel.
    edge = 1e-6
    outside = (rows < -edge) | (rows > last_row + edge)
    outside |= (columns < -edge) | (columns > last_column + edge)
    where = np.stack([np.clip(rows, 0, last_row), np.clip(columns, 0, last_column)])
    filled = np.nan_to_num(field.values.astype(float))
    samples = np.stack([map_coordinates(v, where, order=3, mode="mirror") for v in filled])
    samples[:, outside] = np.nan
    return samples


def _circle_means(kernel: xr.DataArray, r: Array) -> Array:
    """Return the mean over circles of the radii `r` [nm] about the scatterer, (bias, r)."""
    count = int(np.ceil(2 * np.pi * r[-1] / min(pixel_nm(kernel))))
    angle = 2 * np.pi * np.arange(count) / count
    means: Array = _sample(kernel, np.outer(r, np.sin(angle)), np.outer(r, np.cos(angle))).mean(-1)
    return means


def _highest_maximum(q: Array, profile: Array) -> float:
    """Return the abscissa of the highest inner maximum, refined by a parabola."""
    peaks = find_peaks(profile)[0]
    if not peaks.size:
        return float("nan")
    top = int(peaks[np.argmax(profile[peaks])])
    before, at, after = profile[top - 1 : top + 2]
    bend = before - 2 * at + after
    offset = 0.5 * (before - after) / bend if bend else 0.0
    return float(q[top] + offset * (q[1] - q[0]))


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
