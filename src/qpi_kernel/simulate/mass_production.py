"""Many lattice kernels at once, in single precision and on any device.

`tmatrix.lattice_kernel` is the reference; this is the same formula over a batch of crystals,
energies and scatterers, for banks of kernels to learn from.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.green import resolvent
from qpi_kernel.simulate.tight_binding import TightBinding
from qpi_kernel.simulate.wannier import LOBES

Floats = npt.NDArray[np.float64]


def lattice_kernels(
    models: Sequence[TightBinding],
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: npt.ArrayLike,
    *,
    potential_eV: npt.ArrayLike,
    broadening_eV: npt.ArrayLike,
    wannier_nm: npt.ArrayLike,
    angle_deg: npt.ArrayLike = 0.0,
    mesh: int = 96,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.complex64,
) -> Tensor:
    """Return delta rho of one scatterer in each of many crystals, (b, ny, nx) [1/(eV nm^2)].

    Images of the scatterers lie two windows away, as in `lattice_kernel` with a mesh: for waves
    that live no longer than that.

    Parameters
    ----------
    models : sequence of TightBinding
        Crystals of one spin, all with the same number of orbitals of the same lobes.
    y_nm, x_nm : array, shape (ny,), (nx,)
        Evenly spaced axes with the scatterer at 0 [nm].
    energy_eV, broadening_eV, wannier_nm, angle_deg : float or array, shape (b,)
        As in `lattice_kernel`, one for all or one each.
    potential_eV : array, shape (n, n) or (b, n, n)
        V on the orbitals of the scatterer's cell [eV].
    mesh : int
        k points along each reciprocal vector for G0(0).
    device : str or torch.device
        Where to compute.
    dtype : torch.complex64 or torch.complex128
        Single precision is 1e-3 of the largest value of a kernel, or better.

    Returns
    -------
    torch.Tensor, shape (b, ny, nx)
        Real, on the device.

    Raises
    ------
    QpiError
        If the crystals differ in their orbitals, one has spins or holes, a width is not positive
        or the potential does not fit.
    """
    n, lobes = _common_orbitals(models)
    batch = len(models)
    energy, eta, sigma, angle = (
        np.broadcast_to(np.asarray(values, float), batch)
        for values in (energy_eV, broadening_eV, wannier_nm, np.deg2rad(angle_deg))
    )
    if np.any(eta <= 0) or np.any(sigma <= 0):
        raise QpiError(
            f"broadenings (from {eta.min()} eV) and Wannier widths (from {sigma.min()} nm) must be"
            " positive"
        )
    potential = np.asarray(potential_eV, np.complex128)
    if potential.shape not in ((n, n), (batch, n, n)):
        raise QpiError(
            f"the potential of {batch} scatterers on {n} orbitals has the shape ({n}, {n}) or"
            f" ({batch}, {n}, {n}), got {potential.shape}"
        )
    most = max(len(model.hopping_matrices[0]) for model in models)
    cells, hops = np.zeros((batch, most, 2)), np.zeros((batch, most, n, n), np.complex128)
    for b, model in enumerate(models):
        count = len(model.hopping_matrices[0])
        cells[b, :count], hops[b, :count] = model.hopping_matrices
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2)
    lattice = np.stack([model.lattice_nm for model in models])
    places = cells @ lattice @ turn
    atoms = np.stack([model.orbitals_nm - model.orbitals_nm[0] for model in models]) @ turn

    def there(values: npt.ArrayLike) -> Tensor:
        # Phases are made in double precision: k R is large, and its remainder counts.
        return torch.tensor(np.asarray(values)).to(device=device, dtype=dtype)

    def hamiltonian(first: Floats, second: Floats) -> Tensor:
        """H of phases (b, u, h) and (b, v, h) [rad], shape (n, n, b, u, v)."""
        left, right = there(np.exp(-1j * first)), there(np.exp(-1j * second)).transpose(1, 2)
        weights = there(np.moveaxis(hops, (2, 3), (0, 1)))
        return (weights[..., None, :] * left) @ right

    z = there(energy + 1j * eta)[:, None, None]
    fractions = 2 * np.pi * (np.arange(mesh) + 0.5) / mesh
    local = (
        resolvent(
            hamiltonian(*(fractions[:, None] * cells[:, None, :, axis] for axis in (0, 1))), z
        )
        .mean(dim=(3, 4))
        .permute(2, 0, 1)
    )
    v = there(np.broadcast_to(potential, (batch, n, n)))
    scattering = v @ torch.linalg.inv(torch.eye(n, device=local.device) - local @ v)

    steps = [float(axis[1] - axis[0]) for axis in (y_nm, x_nm)]
    ky, kx = (
        2 * np.pi * np.fft.fftfreq(int(next_fast_len(2 * axis.size)), step)
        for axis, step in zip((y_nm, x_nm), steps, strict=True)
    )
    green = resolvent(
        hamiltonian(ky[:, None] * places[:, None, :, 1], kx[:, None] * places[:, None, :, 0]),
        z,
    )

    def form(lobe: str) -> Tensor:
        gauss = [np.exp(-(np.outer(sigma, k) ** 2) / 2) for k in (ky, kx)]
        peak = 2 * np.sqrt(np.pi) * sigma[:, None]
        w = there(peak * gauss[0])[:, :, None] * there(gauss[1])[:, None, :]
        if lobe == "s":
            return w
        x, y = (
            there(-1j * sigma[:, None] * np.outer(turn[:, axis, 0], kx))[:, None, :]
            + there(-1j * sigma[:, None] * np.outer(turn[:, axis, 1], ky))[:, :, None]
            for axis in (0, 1)
        )
        polynomial: Tensor = LOBES[lobe](x, y)
        return polynomial * w

    seen = torch.stack([
        form(lobe)
        * there(np.exp(1j * ky * (y_nm[0] - atoms[:, m, 1:])))[:, :, None]
        * there(np.exp(1j * kx * (x_nm[0] - atoms[:, m, :1])))[:, None, :]
        for m, lobe in enumerate(lobes)
    ])  # fmt: skip
    touched = np.flatnonzero(potential.reshape(-1, n, n).any(axis=(0, 1)))
    out, back = (seen[:, None] * green[:, touched]).sum(0), (seen.conj() * green[touched]).sum(1)
    out = torch.fft.ifft2(out)[..., : y_nm.size, : x_nm.size]
    back = torch.fft.fft2(back)[..., : y_nm.size, : x_nm.size]
    part = scattering[:, touched][:, :, touched]
    density = torch.einsum("sbyx,bst,tbyx->byx", out, part, back)
    scale = np.pi * (steps[0] * steps[1]) ** 2 * ky.size * kx.size
    return -density.imag / scale


def _common_orbitals(models: Sequence[TightBinding]) -> tuple[int, tuple[str, ...]]:
    lobes = {model.lobes for model in models}
    if len(lobes) != 1 or any(model.spins * model.particles != 1 for model in models):
        raise QpiError(
            f"crystals of one batch have the same orbitals and neither spins nor holes; got"
            f" {len(models)} crystals with {len(lobes)} kinds of orbitals"
        )
    return models[0].orbital_count, lobes.pop()
