"""Tight-binding models: a lattice, its orbitals and the hoppings between them.

In the gauge that keeps the orbital positions tau,

    H_mn(k) = sum_R t_mn(R) exp(-i k (R + tau_m - tau_n)),

so that Fourier transforms of G(k) land on the atoms. Energies in eV, lengths in nm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.wannier import LOBES

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

# Wave vectors at a time: their phases for hundreds of cells stay in the cache.
BLOCK = 4096


@dataclass(frozen=True)
class Hopping:
    """An amplitude t_mn(R): from orbital n in cell 0 to orbital m in the cell at R.

    Parameters
    ----------
    cell : (int, int)
        R in units of the lattice vectors.
    to, start : int
        Orbitals m and n.
    amplitude_eV : complex
        t_mn(R) [eV]; the Hermitian partner is added by the model.
    """

    cell: tuple[int, int]
    to: int
    start: int
    amplitude_eV: complex


@dataclass(frozen=True)
class TightBinding:
    """A crystal surface in tight binding.

    Parameters
    ----------
    lattice_nm : array, shape (2, 2)
        Lattice vectors as rows, (x, y) [nm].
    orbitals_nm : array, shape (n, 2)
        Positions tau of the orbitals in the cell [nm].
    hoppings : tuple of Hopping
        One of each Hermitian pair; on-site energies have cell (0, 0) and a real amplitude.
    lobes : tuple of str
        Form of every orbital from above, of `wannier.LOBES`; round without it.
    spins, particles : 1 or 2
        Parts of the list of orbitals, as `spin.with_spin` and `superconductor.nambu` make them:
        halves for electrons and holes, and in each of them halves for up and down.

    Raises
    ------
    QpiError
        If the lattice vectors are parallel, H is not Hermitian, or a hopping or a lobe does not
        fit the orbitals.
    """

    lattice_nm: Floats
    orbitals_nm: Floats
    hoppings: tuple[Hopping, ...]
    lobes: tuple[str, ...] = ()
    spins: int = 1
    particles: int = 1

    def __post_init__(self) -> None:
        if abs(np.linalg.det(self.lattice_nm)) < 1e-12:
            raise QpiError("the lattice vectors are parallel")
        n = self.orbital_count
        if not self.lobes:
            object.__setattr__(self, "lobes", ("s",) * n)
        strange = sorted(set(self.lobes) - set(LOBES))
        if strange or len(self.lobes) != n:
            raise QpiError(
                f"{n} orbitals need as many lobes, each one of {', '.join(LOBES)}; got"
                f" {', '.join(self.lobes)}"
            )
        for hopping in self.hoppings:
            if not (0 <= hopping.to < n and 0 <= hopping.start < n):
                raise QpiError(
                    f"a hopping from orbital {hopping.start} to {hopping.to} does not fit {n}"
                    " orbitals, which count from 0"
                )
            onsite = hopping.cell == (0, 0) and hopping.to == hopping.start
            if onsite and abs(complex(hopping.amplitude_eV).imag) > 0:
                raise QpiError(f"H is not Hermitian: on-site energy {hopping.amplitude_eV} eV")

    @property
    def orbital_count(self) -> int:
        """Number of orbitals in the cell."""
        return len(self.orbitals_nm)

    @property
    def reciprocal(self) -> Floats:
        """Reciprocal lattice vectors as rows [1/nm]: a_i b_j = 2 pi delta_ij."""
        return np.asarray(2 * np.pi * np.linalg.inv(self.lattice_nm).T)

    @cached_property
    def hopping_matrices(self) -> tuple[npt.NDArray[np.int_], Complexes]:
        """All cells R that orbitals hop to, (h, 2), and t(R) with both partners, (h, n, n) [eV]."""
        n = self.orbital_count
        matrices: dict[tuple[int, int], Complexes] = {(0, 0): np.zeros((n, n), np.complex128)}
        for hop in self.hoppings:
            i, j = hop.cell
            matrix = matrices.setdefault((i, j), np.zeros((n, n), np.complex128))
            matrix[hop.to, hop.start] += hop.amplitude_eV
            if (i, j) != (0, 0) or hop.to != hop.start:
                partner = matrices.setdefault((-i, -j), np.zeros((n, n), np.complex128))
                partner[hop.start, hop.to] += np.conj(hop.amplitude_eV)
        return np.array(list(matrices)), np.stack(list(matrices.values()))

    def hamiltonian(self, kx: Floats, ky: Floats) -> Complexes:
        """Return H(k) [eV], shape (*k, n, n), for wave vectors kx, ky [1/nm]."""
        n = self.orbital_count
        kx, ky = np.broadcast_arrays(kx, ky)
        k = np.stack([kx.ravel(), ky.ravel()], -1)
        cells, matrices = self.hopping_matrices
        places, flat = cells @ self.lattice_nm, matrices.reshape(len(cells), -1)
        result = np.empty((len(k), n, n), dtype=np.complex128)
        for start in range(0, len(k), BLOCK):
            part = slice(start, start + BLOCK)
            atoms = np.exp(-1j * (k[part] @ self.orbitals_nm.T))
            periodic = np.exp(-1j * (k[part] @ places.T)) @ flat
            result[part] = periodic.reshape(-1, n, n)
            result[part] *= atoms[:, :, None] * atoms[:, None, :].conj()
        return result.reshape(*kx.shape, n, n)

    def periodic_hamiltonian(self, first: Complexes, second: Complexes) -> Complexes:
        """Return sum_R t_mn(R) first(u, R) second(R, v) [eV], shape (n, n, u, v).

        H(k) in the gauge of the cells on a grid of wave vectors whose phases exp(-i k R) factor, as
        those of a torus and of a grid of pixels do: a matrix product in place of an exponential
        per k and R.

        Parameters
        ----------
        first, second : array, shape (u, h), (h, v)
            Factors of the phases of the cells of `hopping_matrices`.
        """
        n = self.orbital_count
        result = np.zeros((n, n, len(first), second.shape[1]), dtype=np.complex128)
        matrices = self.hopping_matrices[1]
        for m, other in zip(*np.nonzero(matrices.any(axis=0)), strict=True):
            hops = matrices[:, m, other]
            there = hops != 0
            result[m, other] = (first[:, there] * hops[there]) @ second[there]
        return result


def square_lattice(
    a_nm: float, t_eV: float, t2_eV: float = 0.0, t3_eV: float = 0.0, onsite_eV: float = 0.0
) -> TightBinding:
    """One orbital on a square lattice.

    E(k) = e0 + 2 t (cos kx a + cos ky a) + 4 t2 cos kx a cos ky a + 2 t3 (cos 2kx a + cos 2ky a).
    """
    cells = {(1, 0): t_eV, (0, 1): t_eV, (1, 1): t2_eV, (1, -1): t2_eV}
    cells |= {(2, 0): t3_eV, (0, 2): t3_eV}
    return one_orbital_lattice(a_nm * np.eye(2), cells, onsite_eV)


def triangular_lattice(
    a_nm: float, t_eV: float, t2_eV: float = 0.0, onsite_eV: float = 0.0
) -> TightBinding:
    """One orbital on a triangular lattice, first (t) and second (t2) neighbours.

    E(k) = e0 + 2 t [cos kx a + 2 cos(kx a / 2) cos(sqrt(3) ky a / 2)] + second neighbours.
    """
    vectors = a_nm * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    cells = {(1, 0): t_eV, (0, 1): t_eV, (1, -1): t_eV}
    cells |= {(1, 1): t2_eV, (2, -1): t2_eV, (1, -2): t2_eV}
    return one_orbital_lattice(vectors, cells, onsite_eV)


def rectangular_lattice(
    a_nm: tuple[float, float], t_eV: tuple[float, float], diagonal_eV: float = 0.0
) -> TightBinding:
    """One orbital on a rectangular lattice, with different hopping along x and y."""
    cells = {(1, 0): t_eV[0], (0, 1): t_eV[1], (1, 1): diagonal_eV, (1, -1): diagonal_eV}
    return one_orbital_lattice(np.diag(a_nm).astype(float), cells, 0.0)


def honeycomb_lattice(a_nm: float, t_eV: float, mass_eV: float = 0.0) -> TightBinding:
    """Two sites A, B on a honeycomb lattice: E = +- sqrt(mass^2 + |t f(k)|^2)."""
    vectors = a_nm * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    orbitals = np.array([[0.0, 0.0], (vectors[0] + vectors[1]) / 3])
    hoppings = [Hopping((0, 0), 0, 0, mass_eV), Hopping((0, 0), 1, 1, -mass_eV)]
    hoppings += [Hopping(cell, 0, 1, t_eV) for cell in ((0, 0), (1, 0), (0, 1))]
    return TightBinding(vectors, orbitals, tuple(hoppings))


def one_orbital_lattice(
    lattice_nm: Floats, cells: Mapping[tuple[int, int], float], onsite_eV: float = 0.0
) -> TightBinding:
    """One orbital with real hoppings to any cells: E(k) = e0 + sum_R 2 t(R) cos k R.

    Parameters
    ----------
    lattice_nm : array, shape (2, 2)
        Lattice vectors as rows [nm].
    cells : mapping from (i, j) to t
        Hopping to the cell i a1 + j a2, one of each pair R, -R [eV].
    onsite_eV : float
        e0 [eV].
    """
    hoppings = [Hopping((0, 0), 0, 0, onsite_eV)]
    hoppings += [Hopping(cell, 0, 0, t) for cell, t in cells.items() if t]
    return TightBinding(np.asarray(lattice_nm, float), np.zeros((1, 2)), tuple(hoppings))
