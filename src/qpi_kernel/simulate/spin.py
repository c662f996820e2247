"""Crystals with spin: orbitals doubled, up first; magnetic scatterers and tips.

Amplitudes of opposite spin do not interfere in a tip without magnetisation: its matrix O is 1 in
spin space, and S.sigma for a magnetic one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

Complexes = npt.NDArray[np.complex128]

PAULI: Complexes = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def with_spin(model: TightBinding, coupling: Sequence[Hopping] = ()) -> TightBinding:
    """Return the crystal with both spins: orbitals 0..n-1 up, n..2n-1 down.

    Parameters
    ----------
    model : TightBinding
        The crystal of one spin.
    coupling : sequence of Hopping
        Spin-orbit or Zeeman terms, in the doubled numbering of orbitals.

    Raises
    ------
    QpiError
        If the crystal has both spins already.
    """
    n = model.orbital_count
    down = tuple(replace(hop, to=hop.to + n, start=hop.start + n) for hop in model.hoppings)
    if model.spins != 1 or model.particles != 1:
        raise QpiError("this crystal has both spins or holes already; add the spin to the bare one")
    return TightBinding(
        model.lattice_nm,
        np.concatenate([model.orbitals_nm, model.orbitals_nm]),
        (*model.hoppings, *down, *coupling),
        lobes=model.lobes * 2,
        spins=2,
    )


def rashba_coupling(strength_eV: float) -> tuple[Hopping, ...]:
    """Return Rashba hoppings of one orbital on a square lattice.

    H_R = 2 l (sigma_x sin ky a - sigma_y sin kx a), which is alpha (sigma_x ky - sigma_y kx) with
    alpha = 2 l a for long waves.
    """
    # sin(k a) of <up|H|down> needs the hoppings to both sides: partners fill <down|H|up>.
    return (
        Hopping((1, 0), 0, 1, -strength_eV),
        Hopping((-1, 0), 0, 1, strength_eV),
        Hopping((0, 1), 0, 1, 1j * strength_eV),
        Hopping((0, -1), 0, 1, -1j * strength_eV),
    )


def exchange(coupling_eV: float, direction: Sequence[float]) -> Complexes:
    """Return J S.sigma of a classical spin along `direction`, shape (2, 2) [eV]."""
    return np.asarray(coupling_eV * _along(direction))


def spin_tip(orbitals: int, direction: Sequence[float] | None = None) -> Complexes:
    """Return the matrix O of a tip over `with_spin` orbitals, shape (2 n, 2 n).

    Parameters
    ----------
    orbitals : int
        n, orbitals of one spin; those of the same spin interfere.
    direction : (x, y, z), optional
        Magnetisation, O = d.sigma: the difference between the two polarisations. Without it the
        tip counts both spins, O = 1.
    """
    spin = np.eye(2) if direction is None else _along(direction)
    return np.asarray(np.kron(spin, np.ones((orbitals, orbitals))), dtype=np.complex128)


def _along(direction: Sequence[float]) -> Complexes:
    vector = np.asarray(direction, float)
    if vector.shape != (3,) or not np.linalg.norm(vector) > 0:
        raise QpiError(f"a spin needs a direction (x, y, z) other than zero, got {direction}")
    return np.asarray(np.tensordot(vector / np.linalg.norm(vector), PAULI, 1))
