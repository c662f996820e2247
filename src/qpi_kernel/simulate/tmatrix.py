"""One scatterer in a crystal: G = G0 + G0 T G0 with T = V (1 - G0(0) V)^-1.

The tip sees the crystal through Wannier functions w, so the propagator from the scatterer to the
point r of the map is g(r) = sum_Rm w_m(r - R - tau_m) G0(R m, 0 a). In reciprocal space this sum is
a product, because G0 is periodic there and the transform of w is not:

    g_a(r) = integral d2k/(2 pi)^2 exp(i k r) sum_m w_m(k) exp(-i k tau_m) G0_ma(k),

one FFT per energy on ANY pixel grid and at any crystal angle.
"""

import numpy as np
import numpy.typing as npt
from scipy.fft import fft2, ifft2, next_fast_len

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.green import cells_per_nm, local_green, resolvent, torus_length
from qpi_kernel.simulate.tight_binding import TightBinding
from qpi_kernel.simulate.wannier import wannier_transform

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]


def t_matrix(green: Complexes, potential_eV: Complexes) -> Complexes:
    """Return T = V (1 - G0 V)^-1 [eV]; V may be singular."""
    identity = np.eye(len(green))
    return np.asarray(potential_eV @ np.linalg.inv(identity - green @ potential_eV))


def lattice_kernel(
    model: TightBinding,
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: npt.ArrayLike,
    *,
    potential_eV: npt.ArrayLike,
    broadening_eV: float,
    wannier_nm: float,
    angle_deg: float = 0.0,
    mesh: int | None = None,
) -> Floats:
    """Return delta rho(r) = -(1/pi) Im sum_ab g_a(r) T_ab g~_b(r) of one scatterer [1/(eV nm^2)].

    Parameters
    ----------
    model : TightBinding
        The crystal (one spin).
    y_nm, x_nm : array, shape (ny,), (nx,)
        Evenly spaced axes with the scatterer at 0, not necessarily on a pixel [nm].
    energy_eV : float or array
        E [eV]; the shape of the result is that of E, then (ny, nx).
    broadening_eV : float
        eta [eV].
    potential_eV : float or array, shape (n, n)
        V on the orbitals of the scatterer's cell; a number acts on orbital 0, the origin [eV].
    wannier_nm : float
        Width sigma of the Wannier functions [nm].
    angle_deg : float
        Crystal turned against the map, counter-clockwise [deg].
    mesh : int, optional
        k points for G0(0) of short-lived waves, with images of the scatterer two windows away.
        Without it the torus is as long as the waves live, see `torus_length`.

    Raises
    ------
    QpiError
        If the broadening or the Wannier width is not positive, the torus would be too long, or the
        crystal has spins or holes.
    """
    if broadening_eV <= 0 or wannier_nm <= 0:
        raise QpiError(
            f"broadening ({broadening_eV} eV) and Wannier width ({wannier_nm} nm) must be positive"
        )
    if model.spins != 1 or model.particles != 1:
        raise QpiError("a crystal with two spins or holes needs impurity_kernel")
    n = model.orbital_count
    potential = np.asarray(potential_eV, dtype=np.complex128)
    if potential.ndim == 0:
        potential = np.diag(np.eye(n)[0]) * potential
    energies = np.asarray(energy_eV, float)
    pitch = np.array([y_nm[1] - y_nm[0], x_nm[1] - x_nm[0]])
    length = 2 * pitch * (y_nm.size, x_nm.size)
    if mesh is None:
        window = float(max(np.ptp(y_nm), np.ptp(x_nm)))
        long = max(torus_length(model, e, broadening_eV, window) for e in energies.flat)
        length = np.maximum(length, long)
        mesh = max(64, int(np.ceil(long * cells_per_nm(model))))
    ky, kx = (
        2 * np.pi * np.fft.fftfreq(next_fast_len(round(size / step)), step)
        for size, step in zip(length, pitch, strict=True)
    )
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    places = model.hopping_matrices[0] @ model.lattice_nm @ turn
    first, second = (
        np.exp(-1j * np.outer(k, at)) for k, at in ((ky, places[:, 1]), (kx, places[:, 0]))
    )
    hamiltonian = model.periodic_hamiltonian(first, second.T)
    # Positions count from orbital 0 of the scatterer's cell, the origin of the kernel.
    from_origin = (x_nm[0], y_nm[0]) - (model.orbitals_nm - model.orbitals_nm[0]) @ turn
    crystal_kx, crystal_ky = (np.add.outer(y * ky, x * kx) for x, y in turn)
    seen = np.stack([
        wannier_transform(lobe, crystal_kx, crystal_ky, wannier_nm)
        * np.exp(1j * np.add.outer(ky * y, kx * x))
        for lobe, (x, y) in zip(model.lobes, from_origin, strict=True)
    ])  # fmt: skip
    planes = []
    touched = np.flatnonzero(potential.any(axis=0))
    for energy in energies.flat:
        local = local_green(model, energy, broadening_eV, mesh)
        green = resolvent(hamiltonian, energy + 1j * broadening_eV)
        out, back = (
            np.einsum("myx,mayx->ayx", seen, green[:, touched]),
            np.einsum("myx,amyx->ayx", seen.conj(), green[touched]),
        )
        # G0(0, r) carries exp(-i k r): a forward transform.
        out_r = ifft2(out)[:, : y_nm.size, : x_nm.size] / pitch.prod()
        back_r = fft2(back)[:, : y_nm.size, : x_nm.size] / (ky.size * kx.size * pitch.prod())
        scattering = t_matrix(local, potential)[np.ix_(touched, touched)]
        planes.append(-np.einsum("ayx,ab,byx->yx", out_r, scattering, back_r).imag / np.pi)
    return np.reshape(planes, (*energies.shape, y_nm.size, x_nm.size))
