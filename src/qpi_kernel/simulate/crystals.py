"""Crystals with published bands, in tight binding: one function each, with its source.

The first lattice vector lies along x. Energies count from the Fermi level.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.tight_binding import (
    Hopping,
    TightBinding,
    honeycomb_lattice,
    one_orbital_lattice,
    square_lattice,
)

Floats = npt.NDArray[np.float64]

TRIANGULAR = np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def graphene() -> TightBinding:
    """Graphene, E = hbar v k about K with hbar v = sqrt(3) t a / 2 = 0.5965 eV nm.

    Mallet et al., PRB 86, 045444 (2012).
    """
    return honeycomb_lattice(0.246, -2.8)


def bi2212() -> TightBinding:
    """Bi2Sr2CaCu2O8 in the normal state, optimally doped: Norman et al., PRB 52, 615 (1995).

    E = c0 + c1 (cos x + cos y) / 2 + c2 cos x cos y + c3 (cos 2x + cos 2y) / 2
    + c4 (cos 2x cos y + cos x cos 2y) / 2 + c5 cos 2x cos 2y, with x = kx a, y = ky a.
    """
    c0, c1, c2, c3, c4, c5 = 0.1305, -0.5951, 0.1636, -0.0519, -0.1117, 0.0510
    cells = {(1, 0): c1 / 4, (0, 1): c1 / 4, (1, 1): c2 / 4, (1, -1): c2 / 4}
    cells |= {(2, 0): c3 / 4, (0, 2): c3 / 4, (2, 2): c5 / 4, (2, -2): c5 / 4}
    cells |= dict.fromkeys(((2, 1), (2, -1), (1, 2), (1, -2)), c4 / 8)
    return one_orbital_lattice(0.383 * np.eye(2), cells, c0)


def sr2ruo4() -> TightBinding:
    """Return the gamma (xy) band of Sr2RuO4 with the parameters of the transport code Ludwig.jl.

    t = 77.35 meV, t' = 30.32 meV, mu = 114.5 meV in
    E = -mu - 2 t (cos x + cos y) - 4 t' cos x cos y.
    """
    return square_lattice(0.387, -0.07735, -0.03032, onsite_eV=-0.1145)


def nbse2(barrel: int = 1) -> TightBinding:
    """One of the two Nb barrels of 2H-NbSe2: Rahn et al., PRB 85, 224532 (2012).

    Five shells of neighbours on the triangular lattice of Nb.

    Parameters
    ----------
    barrel : 1 or 2
        The inner or the outer of the two.
    """
    shells = {
        1: (0.0109, 0.0868, 0.1399, 0.0296, 0.0035, 0.0033),
        2: (0.2030, 0.0460, 0.2575, 0.0044, -0.0150, 0.0060),
    }
    if barrel not in shells:
        raise QpiError(f"NbSe2 has the barrels 1 and 2, not {barrel}")
    onsite, *shell = shells[barrel]
    first, second = ((1, 0), (0, 1), (1, -1)), ((1, 1), (2, -1), (1, -2))
    fourth = ((2, 1), (1, 2), (3, -1), (3, -2), (1, -3), (2, -3))
    cells = dict.fromkeys(first, shell[0] / 2) | dict.fromkeys(second, shell[1] / 2)
    cells |= {(2 * i, 2 * j): shell[2] / 2 for i, j in first}
    cells |= dict.fromkeys(fourth, shell[3] / 4)
    cells |= {(3 * i, 3 * j): shell[4] / 2 for i, j in first}
    return one_orbital_lattice(0.3445 * TRIANGULAR, cells, onsite)


def pnictide() -> TightBinding:
    """Iron pnictide with the orbitals xz, yz: Raghu et al., PRB 77, 220503 (2008).

    t1..t4 = (-1, 1.3, -0.85, -0.85) and mu = 1.45 in units of 0.1 eV. The mirrors of the crystal
    turn one orbital over but not the other: their amplitudes do not add up in a tip.
    """
    t1, t2, t3, t4, mu = 0.1 * np.array([-1.0, 1.3, -0.85, -0.85, 1.45])
    hoppings = [Hopping((0, 0), m, m, -mu) for m in (0, 1)]
    hoppings += [Hopping((1, 0), 0, 0, -t1), Hopping((0, 1), 0, 0, -t2)]
    hoppings += [Hopping((1, 0), 1, 1, -t2), Hopping((0, 1), 1, 1, -t1)]
    for m in (0, 1):
        hoppings += [Hopping((1, j), m, m, -t3) for j in (1, -1)]
    # -4 t4 sin x sin y mixes the orbitals.
    hoppings += [Hopping((i, j), 0, 1, t4 * i * j) for i in (1, -1) for j in (1, -1)]
    return TightBinding(0.38 * np.eye(2), np.zeros((2, 2)), tuple(hoppings))


def kagome() -> TightBinding:
    """Kagome toy of CsV3Sb5: one orbital per site, t = -0.4 eV, lower van Hove point at 0 eV.

    The Dirac point lies at 0.4 eV, the flat band at 1.6 eV.
    """
    a1, a2 = 0.55 * TRIANGULAR
    orbitals = np.array([a1 / 2, a2 / 2, (a1 + a2) / 2])
    t = -0.4
    hoppings = [Hopping((0, 0), m, m, 0.8) for m in range(3)]
    # The chains along a1, a2 and a1 - a2 alternate between two sites each.
    hoppings += [Hopping((0, 0), 2, 1, t), Hopping((-1, 0), 2, 1, t)]
    hoppings += [Hopping((0, 0), 2, 0, t), Hopping((0, -1), 2, 0, t)]
    hoppings += [Hopping((0, 0), 1, 0, t), Hopping((1, -1), 1, 0, t)]
    return TightBinding(np.stack([a1, a2]), orbitals, tuple(hoppings))


def contour_k(
    model: TightBinding,
    energy_eV: float,
    direction: tuple[float, float],
    reach: float,
    origin: tuple[float, float] = (0.0, 0.0),
) -> float:
    """Return the least k > 0 along a direction where a band has the energy; NaN where none has.

    Parameters
    ----------
    direction : (x, y)
        Of k; its length does not matter.
    reach : float
        Where to stop [1/nm].
    origin : (kx, ky)
        Where k begins: the middle of the pocket [1/nm].
    """
    return next(iter(contour_crossings(model, energy_eV, direction, reach, origin)), float("nan"))


def contour_crossings(
    model: TightBinding,
    energy_eV: float,
    direction: tuple[float, float],
    reach: float,
    origin: tuple[float, float] = (0.0, 0.0),
) -> list[float]:
    """Return every k > 0 of `contour_k`, in rising order [1/nm]."""
    x, y = np.array(direction) / np.hypot(*direction)

    def levels(k: Floats) -> Floats:
        kx, ky = origin[0] + k * x, origin[1] + k * y
        return np.asarray(np.linalg.eigvalsh(model.hamiltonian(kx, ky)) - energy_eV)

    k = np.linspace(0, reach, 800)
    signs = np.sign(levels(k))
    return [
        float(brentq(lambda at, b=band: levels(np.array([at]))[0, b], k[step], k[step + 1]))
        for step, band in np.argwhere(signs[1:] * signs[:-1] < 0)
    ]


def octet_tip(
    energy_eV: float, gap_eV: float, normal: TightBinding | None = None
) -> tuple[float, float]:
    """Return (kx, ky), the tip of a contour of constant energy of a d-wave superconductor [1/nm].

    There E = |gap (cos kx a - cos ky a) / 2| on the Fermi surface. The vectors between the eight
    tips are q1 = (2 kx, 0), q2 = (kx + ky, ky - kx), q3 = (kx + ky, kx + ky), q4 = (2 kx, 2 ky),
    q5 = (0, 2 ky), q7 = (ky - kx, kx - ky). NaN outside 0 < E < gap. The normal crystal, on a
    square lattice, is `bi2212` unless told otherwise.
    """
    normal = normal or bi2212()
    a = float(normal.lattice_nm[0, 0])
    difference = 2 * energy_eV / gap_eV

    def band(cosine: float) -> float:
        kx, ky = np.arccos([cosine, cosine - difference]) / a
        # Zero where one of the bands crosses the Fermi level.
        return float(np.linalg.det(normal.hamiltonian(np.array(kx), np.array(ky))).real)

    low, high = difference - 1 + 1e-9, 1.0
    if not (0 < difference < 2) or band(low) * band(high) > 0:
        return float("nan"), float("nan")
    cosine = float(brentq(band, low, high))
    return float(np.arccos(cosine) / a), float(np.arccos(cosine - difference) / a)
