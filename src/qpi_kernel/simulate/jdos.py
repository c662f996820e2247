"""The joint density of states: which wave vectors join two points of a contour.

    J(q) = integral d2k/(2 pi)^2  A(k, E) A(k + q, E),       A = -(1/pi) Im tr (E + i eta - H)^-1

counts the pairs of states that a scatterer could join; the spin-resolved one,

    J_s(q) = (1/2) sum_i integral d2k/(2 pi)^2  tr[sigma_i A(k)] tr[sigma_i A(k + q)],   i = 0 .. 3,

weighs them by the overlap of their spins, so that turning a wave straight back counts nothing on a
Dirac cone. Neither knows phases: a kernel is more than its joint density of states. Energies in eV,
lengths in nm.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.signal import fftconvolve

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import check_map, pixel_nm
from qpi_kernel.simulate.spin import PAULI

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Hamiltonian = Callable[[Floats, Floats], Complexes]


def joint_density_of_states(
    hamiltonian: Hamiltonian,
    kernel: xr.DataArray,
    *,
    broadening_eV: float,
    spin: bool = False,
    zone: Callable[[Floats, Floats], npt.NDArray[np.bool_]] | None = None,
) -> xr.DataArray:
    """Return J(q) at the biases and wave vectors of a kernel.

    Parameters
    ----------
    hamiltonian : callable (kx, ky) -> array, shape (*k, n, n)
        H(k) [eV] for wave vectors [1/nm]; `TightBinding.hamiltonian` is one.
    kernel : xarray.DataArray, (bias, y, x)
        Gives the biases and, through its window and pixels, the q axes; its values do not count.
    broadening_eV : float
        eta (half width) [eV]; widths in k below the step 2 pi / window are not resolved.
    spin : bool
        Weigh pairs by their spin overlap; H then has an even number of rows, spin up and down
        following each other in every orbital.
    zone : callable (kx, ky) -> bool array, optional
        Wave vectors that count; by default all those of the q axes, |k| < pi / pixel.

    Returns
    -------
    xarray.DataArray, (bias, qy, qx), float32
        J [1/(eV^2 nm^2)]; qy, qx [1/nm] increase, with q = 0 on the axes.

    Raises
    ------
    QpiError
        If the broadening is not positive, H is not as described or not Hermitian, or the kernel is
        not a map.

    Examples
    --------
    The contour k = 1/nm of a parabola: J diverges at q = 2 k.

    >>> from qpi_kernel.maps import make_map
    >>> axis = np.arange(-100, 100) * 0.8
    >>> grid = make_map(np.zeros((200, 200)), bias_mV=[100.0], y_nm=axis, x_nm=axis)
    >>> def parabola(kx, ky):
    ...     return 0.1 * (kx**2 + ky**2)[..., None, None]
    >>> joint = joint_density_of_states(parabola, grid, broadening_eV=0.008)
    >>> cut = joint.sel(qy=0, method="nearest").sel(qx=slice(1, 3))
    >>> f"{cut.qx.values[np.argmax(cut.values)]:.1f}"
    '2.0'
    """
    check_map(kernel)
    if not (np.isfinite(broadening_eV) and broadening_eV > 0):
        raise QpiError(f"the broadening must be positive, got {broadening_eV:g} eV")
    qy, qx = (
        2 * np.pi * np.fft.fftshift(np.fft.fftfreq(kernel.sizes[dim], step))
        for dim, step in zip(("y", "x"), pixel_nm(kernel), strict=True)
    )
    ky, kx = np.meshgrid(qy, qx, indexing="ij")
    matrices = np.asarray(hamiltonian(kx, ky), dtype=np.complex128)
    if matrices.ndim != 4 or matrices.shape[2] != matrices.shape[3]:
        raise QpiError(f"H(k) has shape {matrices.shape}; expected (*k, n, n)")
    if not np.allclose(matrices, matrices.conj().swapaxes(-1, -2), rtol=0, atol=1e-9):
        raise QpiError("H(k) is not Hermitian: H_mn is not the conjugate of H_nm")
    if spin and matrices.shape[-1] % 2:
        raise QpiError(f"H has {matrices.shape[-1]} rows; with spin their number is even")
    counted = np.ones(kx.shape) if zone is None else np.asarray(zone(kx, ky), dtype=float)
    cell = (qy[1] - qy[0]) * (qx[1] - qx[0]) / (2 * np.pi) ** 2
    planes = []
    for energy in kernel["bias"].values / 1e3:
        weights = _spectral_weights(matrices, float(energy), broadening_eV, spin)
        planes.append(cell * sum(_autocorrelation(weight * counted) for weight in weights))
    return xr.DataArray(
        np.asarray(planes, dtype=np.float32),
        dims=("bias", "qy", "qx"),
        coords={
            "bias": kernel["bias"],
            "qy": ("qy", qy, {"units": "1/nm"}),
            "qx": ("qx", qx, {"units": "1/nm"}),
        },
        name="joint density of states",
        attrs={"units": "1/(eV^2 nm^2)"},
    )


def _spectral_weights(matrices: Complexes, energy: float, eta: float, spin: bool) -> list[Floats]:
    """Return tr A(k), or tr[sigma_i A(k)] / sqrt 2 for i = 0 .. 3."""
    size = matrices.shape[-1]
    green = np.linalg.inv((energy + 1j * eta) * np.eye(size) - matrices)
    # The part of G that loses waves; Im G itself would spoil sigma_y.
    spectral = (green.conj().swapaxes(-1, -2) - green) / (2j * np.pi)
    if not spin:
        return [np.trace(spectral, axis1=-2, axis2=-1).real]
    orbitals = np.eye(size // 2)
    return [
        np.einsum("...ab,ba->...", spectral, np.kron(orbitals, sigma)).real / np.sqrt(2)
        for sigma in (np.eye(2), *PAULI)
    ]


def _autocorrelation(weight: Floats) -> Floats:
    """Return sum_k A(k) A(k + q), nothing wrapped round, at the wave vectors of A."""
    rows, columns = weight.shape
    full = fftconvolve(weight, weight[::-1, ::-1])
    # q = 0 is at (rows - 1, columns - 1) of the full correlation and at n // 2 of the axes.
    top, left = rows - 1 - rows // 2, columns - 1 - columns // 2
    return np.asarray(full[top : top + rows, left : left + columns])
