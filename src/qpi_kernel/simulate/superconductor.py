"""Superconductors: the Bogoliubov-de Gennes form of a crystal and its scatterers.

In the basis (c_up, c_down^dagger) a crystal h(k) with pairing D(k) becomes

    H(k) = [[h(k), D(k)], [D(k)^dagger, -h*(-k)]],

which is again a tight-binding model, with the holes as orbitals n..2n-1. The density of states is
that of the electrons at E and of the holes at -E,

    delta rho = -(1/pi) Im [ delta G_ee(E) + delta G_hh(-E) ],

twice the first term where both spins are alike; `impurity.impurity_kernel` adds both.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate.green import torus_green
from qpi_kernel.simulate.impurity import Impurity, density_change
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

Floats = npt.NDArray[np.float64]

NEIGHBOURS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def nambu(model: TightBinding, pairing: Sequence[Hopping]) -> TightBinding:
    """Return the crystal in Nambu form: orbitals 0..n-1 electrons, n..2n-1 holes.

    Parameters
    ----------
    model : TightBinding
        The normal crystal of one spin, h(k).
    pairing : sequence of Hopping
        D(k) = sum_R D_mn(R) exp(-i k R) in the orbitals of the normal crystal: every R on its own,
        nothing is added. `s_wave`, `d_wave` and `s_plus_minus` make them.
    """
    n = model.orbital_count
    holes = tuple(
        replace(hop, to=hop.to + n, start=hop.start + n, amplitude_eV=-np.conj(hop.amplitude_eV))
        for hop in model.hoppings
    )
    pairs = tuple(replace(pair, start=pair.start + n) for pair in pairing)
    orbitals = np.concatenate([model.orbitals_nm, model.orbitals_nm])
    return TightBinding(
        model.lattice_nm, orbitals, (*model.hoppings, *holes, *pairs), lobes=model.lobes * 2,
        spins=model.spins, particles=2,
    )  # fmt: skip


def s_wave(gap_eV: float, orbitals: int = 1) -> tuple[Hopping, ...]:
    """Return D(k) = gap in every orbital."""
    return tuple(Hopping((0, 0), m, m, gap_eV) for m in range(orbitals))


def d_wave(gap_eV: float, orbitals: int = 1) -> tuple[Hopping, ...]:
    """Return D(k) = gap (cos kx a - cos ky a) / 2 in every orbital of a square lattice."""
    return tuple(
        Hopping(cell, m, m, (gap_eV if cell[0] else -gap_eV) / 4)
        for m in range(orbitals)
        for cell in NEIGHBOURS
    )


def s_plus_minus(gap_eV: float, orbitals: int = 1) -> tuple[Hopping, ...]:
    """Return D(k) = gap cos kx a cos ky a in every orbital of a square lattice."""
    return tuple(
        Hopping((i, j), m, m, gap_eV / 4) for m in range(orbitals) for i in (1, -1) for j in (1, -1)
    )


def scalar_impurity(potential_eV: float, orbital: int = 0, orbitals: int = 1) -> Impurity:
    """Return V tau_3 on one orbital: a charge, which electrons and holes see with opposite sign."""
    return _local(potential_eV * np.diag([1.0, -1.0]), orbital, orbitals)


def magnetic_impurity(exchange_eV: float, orbital: int = 0, orbitals: int = 1) -> Impurity:
    """Return V tau_0 on one orbital: a classical spin along z, which breaks pairs."""
    return _local(exchange_eV * np.eye(2), orbital, orbitals)


def pair_impurity(change_eV: float, orbital: int = 0, orbitals: int = 1) -> Impurity:
    """Return V tau_1 on one orbital: a local change of an s-wave gap."""
    return _local(change_eV * np.array([[0.0, 1.0], [1.0, 0.0]]), orbital, orbitals)


def bond_pair_impurity(change_eV: float) -> Impurity:
    """Return a d-wave gap that changes on the four bonds of a site of a square lattice.

    The pairing between the site and its neighbours along x changes by `change_eV` / 4, that along
    y by the opposite, as in `d_wave`.
    """
    sites = ((0, 0), *NEIGHBOURS)
    pairs = np.zeros((5, 5))
    pairs[0, 1:] = pairs[1:, 0] = change_eV / 4 * np.array([1.0, 1.0, -1.0, -1.0])
    return Impurity(
        tuple((*cell, particle) for particle in (0, 1) for cell in sites),
        np.kron(np.array([[0, 1], [1, 0]]), pairs),
    )


def nambu_density_change(
    model: TightBinding,
    impurity: Impurity,
    energy_eV: float,
    *,
    broadening_eV: float,
    cells: int,
) -> Floats:
    """Return delta rho of the orbitals at every cell of a torus, (cells, cells, n) [1/eV].

    `model` and `impurity` are in Nambu form; both spins count.
    """
    n = model.orbital_count // 2
    electrons, holes = (
        density_change(torus_green(model, energy, broadening_eV, cells), impurity)
        for energy in (energy_eV, -energy_eV)
    )
    return np.asarray(electrons[..., :n] + holes[..., n:])


def _local(potential: Floats, orbital: int, orbitals: int) -> Impurity:
    sites = ((0, 0, orbital), (0, 0, orbital + orbitals))
    return Impurity(sites, np.asarray(potential, dtype=np.complex128))
