"""Wave numbers free of the phase of scattering: transforms of one side of a kernel.

    P(q) = | integral_0^R  f(s) w(s) u*(q s) ds |,     w = sin^2(pi s / R)

The ring in |F| has its maximum up to 1.5 q-pixels beside the wave number, to one side or the other
by the phase of scattering: both halves of a wave through the scatterer add up, with that phase
between them. One half alone has the phase as a mere factor, and P peaks at the wave number. w keeps
the mirror wave at -q and the core away. u is the phase of a wave that goes out and back,

    u(z) = H0(z/2)^2 / |H0(z/2)|^2,

which for all isotropic bands is that of the Green function at every distance, exp(i z) far away.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse
from scipy.special import hankel1

from qpi_kernel.maps import MapError, check_map, pixel_nm
from qpi_kernel.qspace.profiles import as_profile
from qpi_kernel.qspace.sampling import spline_coefficients, spline_sums

Transform = Callable[[xr.DataArray], xr.DataArray]
Array = npt.NDArray[np.floating[Any]]


def radial_profile(kernel: xr.DataArray, q_per_nm: npt.ArrayLike | None = None) -> xr.DataArray:
    """Return the complex radial transform of a kernel, in magnitude.

        P(q) = | integral_0^R  r <k>(r) w(r) u*(q r) dr |

    <k>(r) is the average over the circle of radius r about the scatterer, R the nearest window
    edge; w and u are those of this module.

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
    return radial_transform(kernel, q_per_nm)(kernel)


def radial_transform(like: xr.DataArray, q_per_nm: npt.ArrayLike | None = None) -> Transform:
    """Return `radial_profile` for many kernels on the grid of one."""
    r, q = _axes(like, q_per_nm)
    count = int(np.ceil(2 * np.pi * r[-1] / min(pixel_nm(like))))
    angle = 2 * np.pi * np.arange(count) / count
    circles = spline_sums(like, np.outer(r, np.sin(angle)), np.outer(r, np.cos(angle)))
    return _transform([circles], _outgoing(r, q) * (r / count)[:, None], q)


def ray_profile(
    kernel: xr.DataArray,
    angle_deg: float,
    *,
    width_deg: float = 0.0,
    q_per_nm: npt.ArrayLike | None = None,
) -> xr.DataArray:
    """Return the transform of a kernel along a ray from q = 0, free of the phase of scattering.

        P(q) = | integral_0^R  p(s) w(s) u*(q s) v*(q s) ds |,     p(s) = integral k(s e + t n) dt

    with e the direction of the ray and n across it. The projection p of a kernel transforms into F
    along the ray, and so P shows what |F| shows there, but with its maxima at the wave numbers
    (this module says why). v = H0(z) exp(-i z) / |H0(z)| is what projecting a wave adds to its
    phase.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel with the scatterer at y = x = 0.
    angle_deg : float
        Direction of the ray, counted from x towards y [degrees].
    width_deg : float
        P is the mean over rays up to half of this to either side.
    q_per_nm : array_like, optional
        Where to evaluate [1/nm]; by default from 0 to the Nyquist limit in tenths of pi / R.

    Returns
    -------
    xarray.DataArray, (bias, q)
        P [unit of the kernel nm^2]; ``attrs`` keep angle_deg and width_deg.

    Raises
    ------
    MapError
        If the scatterer is not inside the window, or the angles are no numbers.
    """
    transform = ray_transform(kernel, angle_deg, width_deg=width_deg, q_per_nm=q_per_nm)
    return transform(kernel).assign_attrs(angle_deg=float(angle_deg), width_deg=float(width_deg))


def ray_transform(
    like: xr.DataArray,
    angle_deg: float,
    *,
    width_deg: float = 0.0,
    q_per_nm: npt.ArrayLike | None = None,
) -> Transform:
    """Return `ray_profile` for many kernels on the grid of one."""
    if not (np.isfinite(angle_deg) and 0 <= width_deg <= 180):
        raise MapError(
            f"a ray has a direction and a width of 0 to 180 degrees,"
            f" not {angle_deg:g} and {width_deg:g}"
        )
    s, q = _axes(like, q_per_nm)
    across = np.concatenate([-s[:0:-1], s])
    # One degree is finer than a q-pixel out to a Nyquist limit of 57 of them.
    rays = np.linspace(-0.5, 0.5, int(np.ceil(width_deg)) + 1) * width_deg if width_deg else [0.0]
    projections = []
    for angle in np.deg2rad(angle_deg + np.asarray(rays)):
        y = s[:, None] * np.sin(angle) + across[None, :] * np.cos(angle)
        x = s[:, None] * np.cos(angle) - across[None, :] * np.sin(angle)
        projections.append(spline_sums(like, y, x))
    return _transform(projections, _outgoing(s, q, projected=True) * (s[1] - s[0]), q)


def window_reach(kernel: xr.DataArray) -> float:
    """Return the distance from the scatterer to the nearest window edge [nm].

    Raises
    ------
    MapError
        If the scatterer is not inside the window.
    """
    check_map(kernel)
    y, x = kernel["y"].values, kernel["x"].values
    reach = float(min(-y[0], y[-1], -x[0], x[-1]))
    if reach <= 0:
        raise MapError("the window does not hold the scatterer (y = x = 0): is this a kernel?")
    return reach


def _transform(
    lines: Sequence[sparse.csr_array], waves: npt.NDArray[np.complex128], q: Array
) -> Transform:
    """Return the mean over some sets of lines of | sums along them times waves |."""

    def transform(kernel: xr.DataArray) -> xr.DataArray:
        coefficients = spline_coefficients(kernel.values)
        values = np.mean([np.abs((sums @ coefficients).T @ waves) for sums in lines], axis=0)
        return as_profile(kernel, values, q, f"{kernel.attrs['units']} nm^2")

    return transform


def _axes(kernel: xr.DataArray, q_per_nm: npt.ArrayLike | None) -> tuple[Array, Array]:
    """Return the distances from the scatterer [nm] and the wave numbers [1/nm]."""
    reach = window_reach(kernel)
    r = np.linspace(0, reach, int(np.ceil(2 * reach / min(pixel_nm(kernel)))) + 1)
    if q_per_nm is None:
        return r, np.arange(0, np.pi / max(pixel_nm(kernel)), 0.1 * np.pi / reach)
    return r, np.atleast_1d(np.asarray(q_per_nm, float))


def _outgoing(r: Array, q: Array, *, projected: bool = False) -> npt.NDArray[np.complex128]:
    """Return w(r) u*(q r), with v* if projected, times the step of r, shape (r, q)."""
    # At z = 0 the Hankel function is infinite, with the limit of its phase just beside.
    z = np.maximum(np.outer(r, q), 1e-9)
    phase = 2 * np.angle(hankel1(0, z / 2))
    if projected:
        phase += np.angle(hankel1(0, z)) - z
    taper = np.sin(np.pi * r / r[-1]) ** 2
    waves: npt.NDArray[np.complex128] = np.exp(-1j * phase) * (taper * (r[1] - r[0]))[:, None]
    return waves
