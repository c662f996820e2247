"""Many scatterers exactly: waves that visit several of them (Foldy-Lax).

With the scatterers at r_j and their T-matrices t_j,

    delta rho(r) = -(2/pi) Im sum_ij G(r - r_i) T_ij G(r_j - r),
    (T^-1)_ij = delta_ij / t_i - (1 - delta_ij) G(r_i - r_j).

The sum over i = j with T_ij = t_i delta_ij is the convolution of kernel and scatterers that
extraction assumes; what it leaves out is of order |t G(d)| ~ sqrt(2 / pi k d) |sin delta| and falls
slowly with the distance d. Energies in eV, lengths in nm.
"""

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate.continuum import ParabolicBand, parabolic_green

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

# G(r) is looked up in a table, linearly, with this many points per rounded-off core.
POINTS_PER_CORE = 20
PIXELS_AT_ONCE = 16384


def foldy_lax(
    y_nm: Floats,
    x_nm: Floats,
    energy_eV: float,
    *,
    band: ParabolicBand,
    xy_nm: Floats,
    weight: Floats,
) -> Floats:
    """Return delta rho of all scatterers together in a parabolic band.

    Parameters
    ----------
    y_nm, x_nm : array, shape (ny,), (nx,)
        Axes of the map [nm].
    energy_eV : float
        Energy [eV] relative to the Fermi level.
    band : ParabolicBand
        The band and the T-matrix t of a scatterer of weight 1.
    xy_nm : array, shape (n, 2)
        Positions (x, y) of the scatterers [nm].
    weight : array, shape (n,)
        Scatterer j has t_j = weight_j t. In the unitary limit 1 is the strongest elastic
        scatterer, less absorbs and more would amplify.

    Returns
    -------
    array, shape (ny, nx)
        delta rho [1/(eV nm^2)].
    """
    distance = np.hypot(*(xy_nm[:, None, :] - xy_nm[None, :, :]).transpose(2, 0, 1))
    hops = _green(distance, energy_eV, band)
    np.fill_diagonal(hops, 0)
    t = weight * band.t_matrix
    # (1 - t G)^-1 t, which stays finite for a scatterer of weight 0.
    scattering = np.linalg.solve(np.eye(len(t)) - t[:, None] * hops, np.diag(t))
    rows, columns = np.meshgrid(y_nm, x_nm, indexing="ij")
    pixels = np.column_stack([columns.ravel(), rows.ravel()])
    table_step = band.core_nm / POINTS_PER_CORE
    corners = np.array([[x, y] for x in (x_nm[0], x_nm[-1]) for y in (y_nm[0], y_nm[-1])])
    farthest = max(np.hypot(*(corner - xy_nm).T).max() for corner in corners)
    knots = np.arange(0.0, farthest + 2 * table_step, table_step)
    known = _green(knots, energy_eV, band)
    density = np.empty(len(pixels))
    for start in range(0, len(pixels), PIXELS_AT_ONCE):
        part = slice(start, start + PIXELS_AT_ONCE)
        away = np.hypot(*(pixels[part, None, :] - xy_nm).transpose(2, 0, 1))
        waves = np.interp(away, knots, known)
        density[part] = np.sum(waves * (waves @ scattering), axis=1).imag
    return np.asarray(-2 / np.pi * density.reshape(y_nm.size, x_nm.size))


def _green(distance: Floats, energy: float, band: ParabolicBand) -> Complexes:
    return parabolic_green(
        distance, energy, band.mass, band.edge_eV, band.broadening_eV, band.core_nm
    )
