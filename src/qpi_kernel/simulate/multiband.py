"""Crystals of several bands, in tight binding: one function each, with its source.

The first lattice vector lies along x. Energies count from the Fermi level. Toys say so: their bands
have the right pockets in the right places, their numbers are round.
"""

import numpy as np

from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2
from qpi_kernel.simulate.crystals import TRIANGULAR
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

NEIGHBOURS = ((1, 0), (0, 1))
TRIANGLE = ((1, 0), (0, 1), (1, -1))
# Amplitudes of the bands h1, h2, h3, e in tip and scatterers: maps show mostly h3.
LIFEAS_WEIGHTS = (0.4, 0.5, 1.0, 0.8)
SECOND_TRIANGLE = ((1, 1), (2, -1), (1, -2))


def sr2ruo4_t2g(spin_orbit_eV: float = 0.03) -> TightBinding:
    """Sr2RuO4 with the orbitals xz, yz of one spin and xy of the other; no reconstruction.

    The xy band is that of `sr2ruo4`; the others are those of Ludwig.jl with t = 0.1134 eV, the mean
    of its alpha and beta bands, which share one Fermi surface:

        E_xz = t (-2 cos x - 0.16 cos y - 1.08),   xz-yz: 0.52 t sin x sin y.

    Spin and orbital mix as L.S with 30 meV (toy); the other half of the states, with all spins
    turned over, has the same density.
    """
    t, across, mixing, mu = 0.1134, 0.08, 0.13, 1.08
    xz, yz, xy = range(3)
    hoppings = [Hopping((0, 0), m, m, -mu * t) for m in (xz, yz)]
    hoppings += [Hopping((1, 0), xz, xz, -t), Hopping((0, 1), xz, xz, -across * t)]
    hoppings += [Hopping((0, 1), yz, yz, -t), Hopping((1, 0), yz, yz, -across * t)]
    # 4 r sin x sin y mixes the orbitals.
    hoppings += [Hopping((i, j), xz, yz, -mixing * t * i * j) for i in (1, -1) for j in (1, -1)]
    hoppings += [Hopping((0, 0), xy, xy, -0.114478)]
    hoppings += [Hopping(cell, xy, xy, -0.07735) for cell in NEIGHBOURS]
    hoppings += [Hopping((1, j), xy, xy, -0.0303212) for j in (1, -1)]
    half = spin_orbit_eV / 2
    hoppings += [Hopping((0, 0), yz, xz, 1j * half), Hopping((0, 0), yz, xy, -half)]
    hoppings += [Hopping((0, 0), xz, xy, 1j * half)]
    lobes = ("px", "py", "dxy")
    return TightBinding(0.387 * np.eye(2), np.zeros((3, 2)), tuple(hoppings), lobes)


def cecoin5() -> TightBinding:
    """CeCoIn5 toy: a light band hybridised with f electrons, 0.46 nm square lattice.

    E = (e + f) / 2 +- sqrt(((e - f) / 2)^2 + s^2) with e = -0.1 (cos x + cos y) + 0.02 eV,
    f = 2 meV and s = 10 meV: flat bands and a gap about f. After Allan et al., Nat. Phys. 9, 468
    (2013).
    """
    hoppings = [Hopping((0, 0), 0, 0, 0.02), Hopping((0, 0), 1, 1, 0.002)]
    hoppings += [Hopping((0, 0), 0, 1, 0.010)]
    hoppings += [Hopping(cell, 0, 0, -0.05) for cell in NEIGHBOURS]
    return TightBinding(0.46 * np.eye(2), np.zeros((2, 2)), tuple(hoppings))


def lifeas() -> TightBinding:
    """LiFeAs toy, one orbital per band: holes h1, h2, h3 about Gamma and an electron pocket at M.

    Masses -1.5, -2, -4 and 2.5, edges 5, 12, 30 and -30 meV; 2 k of the outer hole pocket is
    3.5 1/nm at the Fermi level. After Allan et al., Science 336, 563 (2012).
    """
    a, hoppings = 0.377, []
    bands = ((-1.5, 0.005), (-2.0, 0.012), (-4.0, 0.030), (2.5, -0.030))
    for m, (mass, edge_eV) in enumerate(bands):
        t = -HBAR2_2M_EV_NM2 / abs(mass) / a**2
        # E = edge - 2 |t| (2 - cos x - cos y), and the same with k from M for the electrons.
        hoppings += [Hopping((0, 0), m, m, edge_eV - 4 * t * np.sign(mass))]
        hoppings += [Hopping(cell, m, m, -t) for cell in NEIGHBOURS]
    return TightBinding(a * np.eye(2), np.zeros((4, 2)), tuple(hoppings))


def square_net(a_nm: float, sigma_eV: float, pi_eV: float, buckling_eV: float) -> TightBinding:
    """Return the Si net of ZrSiS and its relatives: p_x and p_y on the sites A and B of a cell.

    Chains of p orbitals along the bonds, E = 2 sigma cos k d + 2 pi cos k' d with d = a / sqrt 2,
    are folded onto each other: they cross in a diamond |kx| + |ky| = pi / a at E = 0, with the
    velocity 2 sigma d. Seen from above, A has its metal neighbours along x and B along y: their
    p_x and p_y differ by +-`buckling_eV`, so that each site is twofold and B is A turned by 90
    degrees.
    """
    hoppings = [Hopping((0, 0), m, m, sign * buckling_eV) for m, sign in enumerate((1, -1, -1, 1))]
    for i in (0, -1):
        for j in (0, -1):
            slant = (sigma_eV - pi_eV) / 2 * (1 if i == j else -1)
            for m in (0, 1):
                hoppings += [Hopping((i, j), 2 + m, m, (sigma_eV + pi_eV) / 2)]
                hoppings += [Hopping((i, j), 3 - m, m, slant)]
    places = a_nm * np.array([[0.0, 0.0], [0.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    return TightBinding(a_nm * np.eye(2), places, tuple(hoppings), ("px", "py") * 2)


def tise2() -> TightBinding:
    """1T-TiSe2 toy without charge order: Se p, holes at Gamma, and Ti d, electrons at M.

    Hole band of mass -0.6 with its top at 0; three electron ellipses with their bottom at -120 meV.
    """
    a = 0.354
    p = HBAR2_2M_EV_NM2 / 0.6 / (1.5 * a**2)
    hoppings = [Hopping((0, 0), 0, 0, -6 * p), Hopping((0, 0), 1, 1, 0.48)]
    hoppings += [Hopping(cell, 0, 0, p) for cell in TRIANGLE]
    hoppings += [Hopping(cell, 1, 1, 0.15) for cell in (*TRIANGLE, *SECOND_TRIANGLE)]
    return TightBinding(a * TRIANGULAR, np.zeros((2, 2)), tuple(hoppings))


def tas2() -> TightBinding:
    """1T-TaS2 toy without charge order: one Ta d band, three electron ellipses at M."""
    hoppings = [Hopping((0, 0), 0, 0, -0.05)]
    hoppings += [Hopping(cell, 0, 0, 0.10) for cell in TRIANGLE]
    hoppings += [Hopping(cell, 0, 0, 0.06) for cell in SECOND_TRIANGLE]
    return TightBinding(0.336 * TRIANGULAR, np.zeros((1, 2)), tuple(hoppings))
