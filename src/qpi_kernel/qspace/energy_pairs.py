"""What the kernels at +E and -E say together about the sign of a gap.

Both ratios need the kernels of one scatterer about one origin: extract both energies in one run,
which shares the positions. An origin that is off by d turns the phase of F by q.d.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from qpi_kernel.maps import MapError
from qpi_kernel.qspace.profiles import write_rows
from qpi_kernel.qspace.transform import check_fft, kernel_fft

# How far -E may lie from an energy that was measured, in steps of the bias axis.
PAIR_TOLERANCE = 0.05


def antisymmetric_part(kernel: xr.DataArray) -> xr.DataArray:
    """Return rho_-(q, E) = Re F(q, +E) - Re F(q, -E) of a kernel.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel at biases of both signs, with the scatterer at y = x = 0.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx)
        For the biases > 0 whose opposite is there too [unit of the kernel nm^2].

    Raises
    ------
    MapError
        If no bias has its opposite.

    References
    ----------
    Hirschfeld, Altenfeld, Eremin, Mazin, Phys. Rev. B 92, 184513 (2015).
    """
    above, below = _pairs(kernel)
    return above.copy(data=above.values.real - below.values.real)


def haem(
    kernel: xr.DataArray, *, centre: tuple[float, float] = (0.0, 0.0), radius: float
) -> xr.DataArray:
    """Return the antisymmetric part of a kernel integrated over a region of q space.

        rho_-(E) = integral_{|q - centre| < radius}  [Re F(q, +E) - Re F(q, -E)] d2q / (2 pi)^2

    Over the q that joins two pockets it keeps one sign at all energies up to the gaps if their
    order parameters have opposite signs, and is small and changes sign if they have the same.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel at biases of both signs.
    centre : (qx, qy)
        Middle of the region [1/nm].
    radius : float
        Its radius [1/nm].

    Returns
    -------
    xarray.DataArray, (bias,)
        In the unit of the kernel, for the biases > 0 whose opposite is there too.

    Raises
    ------
    MapError
        If no bias has its opposite, or the region holds no q of the transform.

    References
    ----------
    Hirschfeld, Altenfeld, Eremin, Mazin, Phys. Rev. B 92, 184513 (2015).
    """
    odd = antisymmetric_part(kernel)
    qy, qx = odd["qy"].values, odd["qx"].values
    inside = np.hypot(qy[:, None] - centre[1], qx[None, :] - centre[0]) < radius
    if not inside.any():
        raise MapError(
            f"the region of radius {radius:g} 1/nm around ({centre[0]:g}, {centre[1]:g}) 1/nm"
            " holds no q of the transform"
        )
    cell = (qy[1] - qy[0]) * (qx[1] - qx[0]) / (2 * np.pi) ** 2
    return xr.DataArray(
        odd.values[:, inside].sum(1) * cell,
        dims=("bias",),
        coords={"bias": odd["bias"]},
        attrs={
            "units": kernel.attrs["units"],
            "centre": list(map(float, centre)),
            "radius": float(radius),
        },
    )


def save_haem(curve: xr.DataArray, path: Path | str) -> None:
    """Write what `haem` returned as CSV: bias and rho_-, with the unit in its name.

    Raises
    ------
    QpiError
        If the file cannot be written.
    """
    names = ["bias_mV", f"rho_minus [{curve.attrs['units']}]"]
    write_rows(path, names, zip(curve["bias"].values, curve.values, strict=True))


def phase_referenced(kernel: xr.DataArray) -> xr.DataArray:
    """Return the phase-referenced transform of a kernel.

        F_r(q, E) = |F(q, -E)| cos(theta(q, -E) - theta(q, +E))

    It is negative where the wave at -E is the opposite of that at +E, as for scattering between
    states whose order parameters have opposite signs.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        A kernel at biases of both signs.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx)
        For the biases > 0 whose opposite is there too [unit of the kernel nm^2].

    Raises
    ------
    MapError
        If no bias has its opposite.

    References
    ----------
    Chi et al., arXiv:1710.09088 (2017).
    """
    above, below = _pairs(kernel)
    phase = np.angle(below.values) - np.angle(above.values)
    return above.copy(data=(np.abs(below.values) * np.cos(phase)).astype(np.float32))


def _pairs(kernel: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the transforms at +E and at -E, both labelled +E."""
    fft = kernel_fft(kernel)
    check_fft(fft)
    bias = fft["bias"].values
    step = float(np.diff(bias).min()) if bias.size > 1 else 0.0
    positive, negative = [], []
    for index in np.flatnonzero(bias > 0):
        opposite = int(np.argmin(np.abs(bias + bias[index])))
        if abs(bias[opposite] + bias[index]) <= PAIR_TOLERANCE * step:
            positive.append(int(index))
            negative.append(opposite)
    if not positive:
        raise MapError(
            "no bias has its opposite: extract the kernels at +E and -E together, in one run"
        )
    above = fft.isel(bias=positive)
    return above, above.copy(data=fft.values[negative])
