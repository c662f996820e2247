"""Charge order: a crystal in a larger cell, its on-site energies modulated by three waves."""

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

Cell = tuple[tuple[int, int], tuple[int, int]]


def charge_ordered(model: TightBinding, cell: Cell, amplitude_eV: npt.ArrayLike) -> TightBinding:
    """Return a crystal of hexagonal symmetry with triple-q charge order.

    The cell at R gains A [cos G1 R + cos G2 R + cos (G1 + G2) R], with the reciprocal vectors G of
    the larger cell. The densest sites (A < 0) or the emptiest are at R = 0.

    Parameters
    ----------
    model : TightBinding
        The crystal without order, n orbitals.
    cell : ((i, j), (k, l))
        Vectors of the larger cell in units of those of the crystal, 60 degrees apart: ((2, 0),
        (0, 2)) is the 2 x 2, ((3, 1), (-1, 4)) the sqrt 13 x sqrt 13 order.
    amplitude_eV : array, shape (n, n)
        A, Hermitian: on-site energies on its diagonal, what mixes orbitals beside it [eV].

    Returns
    -------
    TightBinding
        Orbital m of the s-th small cell is orbital s n + m; the small cell at R = 0 is the first.

    Raises
    ------
    QpiError
        If the vectors are parallel or the amplitude is not Hermitian.
    """
    vectors = np.array(cell)
    size = round(abs(np.linalg.det(vectors)))
    amplitude = np.asarray(amplitude_eV, dtype=np.complex128)
    n = model.orbital_count
    if size == 0:
        raise QpiError(f"the vectors {cell} of the larger cell are parallel")
    if amplitude.shape != (n, n) or not np.allclose(amplitude, amplitude.conj().T):
        raise QpiError(
            f"the amplitude of a charge order in {n} orbitals is a Hermitian n x n matrix"
        )
    inverse = np.linalg.inv(vectors)

    def split(place: npt.NDArray[np.int_]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the larger cell that holds a small cell, and the small cell's place in it."""
        i, j = np.floor(place @ inverse + 1e-9).astype(int)
        rest = place - np.array([i, j]) @ vectors
        return (int(i), int(j)), (int(rest[0]), int(rest[1]))

    span = range(-int(np.abs(vectors).sum()), int(np.abs(vectors).sum()) + 1)
    sites = sorted(
        {split(np.array([i, j]))[1] for i in span for j in span}, key=lambda s: s != (0, 0)
    )
    index = {site: s for s, site in enumerate(sites)}
    hoppings = []
    for site, s in index.items():
        for hop in model.hoppings:
            outer, inner = split(np.array(site) + np.array(hop.cell))
            to, start = index[inner] * n + hop.to, s * n + hop.start
            hoppings.append(Hopping(outer, to, start, hop.amplitude_eV))
        first, second = 2 * np.pi * np.array(site) @ inverse
        wave = np.cos(first) + np.cos(second) + np.cos(first + second)
        for m in range(n):
            for other in range(m, n):
                change = complex(amplitude[m, other] * wave)
                if m == other:
                    change = complex(change.real)
                hoppings.append(Hopping((0, 0), s * n + m, s * n + other, change))
    places = np.array(sites) @ model.lattice_nm
    orbitals = (places[:, None] + model.orbitals_nm).reshape(-1, 2)
    return TightBinding(vectors @ model.lattice_nm, orbitals, tuple(hoppings))
