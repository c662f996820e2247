"""Green functions of a crystal without scatterers, and how large a torus holds them.

All of them are in the gauge of the cells, H(k) = sum_R t(R) exp(-i k R), in which G(k) is periodic.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.fft import ifft

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.tight_binding import TightBinding

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Matrices = TypeVar("Matrices", Complexes, npt.NDArray[np.complex64], "Tensor")

# Mean free paths between the window and the nearest image of the scatterer: exp(-5) is left of it.
MEAN_FREE_PATHS = 5.0
# Cells along each side of the largest torus: a minute for two orbitals on one core.
LARGEST_TORUS = 4096
# Mesh of wave vectors that looks for states at an energy, and how often its cells are halved.
COARSE, REFINEMENTS = 32, 5
# Wave vectors at a time: their matrices stay in the cache.
BLOCK = 1 << 14


def resolvent(hamiltonian: Matrices, energy: "complex | Matrices") -> Matrices:
    """Return (E - H)^-1 of many matrices at once, shape (n, n, *k) like H [1/eV].

    Gauss-Jordan elimination, all k together, of NumPy arrays or torch tensors. It needs no search
    for pivots: for H Hermitian and Im E = eta every pivot is at least eta.
    """
    matrix = -hamiltonian
    n = len(matrix)
    for p in range(n):
        matrix[p, p] += energy
    for p in range(n):
        pivot = 1.0 / matrix[p, p]
        matrix[p, p] = 1.0
        matrix[p] *= pivot
        for row in range(n):
            if row != p:
                factor = 1.0 * matrix[row, p]
                matrix[row, p] = 0.0
                matrix[row] -= factor * matrix[p]
    return matrix


def green_rows(
    model: TightBinding, energy: complex, fractions: Floats
) -> Iterator[tuple[slice, Complexes]]:
    """Yield G(k) in the gauge of the cells for some rows of the Brillouin zone after the other.

    Parameters
    ----------
    fractions : array, shape (N,)
        Of the reciprocal lattice vectors; k = (f_i, f_j).

    Yields
    ------
    slice, array of shape (n, n, rows, N)
        Rows f_i, and their G [1/eV].
    """
    cells, _ = model.hopping_matrices
    first = np.exp(-2j * np.pi * np.outer(fractions, cells[:, 0]))
    second = np.exp(-2j * np.pi * np.outer(cells[:, 1], fractions))
    step = max(1, BLOCK // (len(fractions) * model.orbital_count))
    for start in range(0, len(fractions), step):
        rows = slice(start, start + step)
        yield rows, resolvent(model.periodic_hamiltonian(first[rows], second), energy)


def local_green(
    model: TightBinding, energy_eV: float, broadening_eV: float, mesh: int
) -> Complexes:
    """Return G0(0, E) between the orbitals of one cell [1/eV], shape (n, n).

    This is the mean of G0(k), in the gauge of the cells, over the Brillouin zone.

    Parameters
    ----------
    mesh : int
        k points along each reciprocal vector; the torus of mesh cells must be long compared with
        the mean free path hbar v / eta.
    """
    fractions = (np.arange(mesh) + 0.5) / mesh
    energy = energy_eV + 1j * broadening_eV
    total = sum(green.sum(axis=(2, 3)) for _, green in green_rows(model, energy, fractions))
    return np.asarray(total / mesh**2)


def torus_green(
    model: TightBinding,
    energy_eV: float,
    broadening_eV: float,
    cells: int,
    reach: int | None = None,
    orbitals: Collection[int] | None = None,
) -> Complexes:
    """Return G_mn(R) on a torus, shape (cells, cells, n, n) [1/eV].

    Parameters
    ----------
    energy_eV, broadening_eV : float
        E and eta > 0 [eV]; waves reach hbar v / eta.
    cells : int
        N, cells along each lattice vector; index (i, j) is R = i a1 + j a2, negative ones from the
        end.
    reach : int, optional
        Keep only -reach <= i, j <= reach, the shape is then (2 reach + 1, 2 reach + 1, n, n).
    orbitals : collection of int, optional
        Keep only G from and to these, those of a scatterer; the others are NaN.

    Raises
    ------
    QpiError
        If the broadening is not positive.
    """
    if broadening_eV <= 0:
        raise QpiError(f"the broadening must be positive, got {broadening_eV} eV")
    near = np.arange(cells)
    if reach is not None and 2 * reach + 1 < cells:
        near = np.concatenate([near[: reach + 1], near[-reach:]])
    n = model.orbital_count
    kept = np.ones((n, n), dtype=bool)
    if orbitals is not None:
        touched = np.isin(np.arange(n), list(orbitals))
        kept = touched[:, None] | touched
    half = np.empty((np.count_nonzero(kept), cells, near.size), dtype=np.complex128)
    energy = energy_eV + 1j * broadening_eV
    for rows, green in green_rows(model, energy, np.arange(cells) / cells):
        half[:, rows] = ifft(green[kept], axis=2)[..., near]
    result = np.full((near.size, near.size, n, n), np.nan, dtype=np.complex128)
    result[:, :, kept] = np.moveaxis(ifft(half, axis=1)[:, near], 0, 2)
    return result


def group_velocity(model: TightBinding, energy_eV: float, broadening_eV: float) -> float:
    """Return the largest hbar |v| of the states within 5 eta of an energy [eV nm]; 0 without any.

    A coarse mesh of wave vectors is refined where a band can have the energy, so that a heavy band
    is told from the light one that it hybridises with; states that the finest mesh cannot tell from
    the energy count, so that the answer errs towards fast.
    """
    fractions = (np.arange(COARSE) + 0.5) / COARSE
    points = np.stack(np.meshgrid(fractions, fractions), -1).reshape(-1, 2)
    step, corners = 1.0 / COARSE, np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    longest = float(np.linalg.norm(model.reciprocal, axis=1).max())
    width = 0.0
    for _ in range(REFINEMENTS + 1):
        levels, speed = _bands(model, points @ model.reciprocal)
        width = max(width, float(np.ptp(levels)))
        # How far a band may bend within a cell of the mesh: by its slope and its curvature.
        bend = speed * longest * step / np.sqrt(2) + width * (np.pi * step) ** 2 / 4
        near = np.abs(levels - energy_eV) < 5 * broadening_eV + bend
        fastest = float(speed[near].max(initial=0.0))
        if not near.any() or bend[near].max() < 5 * broadening_eV:
            break
        points = points[near.any(axis=1)][:, None] + step / 4 * corners
        points, step = points.reshape(-1, 2), step / 2
    return fastest


def _bands(model: TightBinding, k: Floats) -> tuple[Floats, Floats]:
    """Levels [eV] and speeds [eV nm] of the bands at wave vectors (p, 2), both (p, n)."""
    levels, states = np.linalg.eigh(model.hamiltonian(k[:, 0], k[:, 1]))
    small = 1e-4 * float(np.linalg.norm(model.reciprocal[0]))
    slopes = []
    for dx, dy in ((small, 0.0), (0.0, small)):
        change = model.hamiltonian(k[:, 0] + dx, k[:, 1] + dy)
        change -= model.hamiltonian(k[:, 0] - dx, k[:, 1] - dy)
        slopes.append(np.einsum("kmb,kmn,knb->kb", states.conj(), change, states).real / 2 / small)
    return levels, np.hypot(*slopes)


def torus_length(
    model: TightBinding, energy_eV: float, broadening_eV: float, window_nm: float
) -> float:
    """Return how long a torus must be, window + 5 hbar v / eta [nm].

    Raises
    ------
    QpiError
        If the broadening is not positive, or so small that the torus has more than 4096 cells.
    """
    if broadening_eV <= 0:
        raise QpiError(f"the broadening must be positive, got {broadening_eV} eV")
    around = MEAN_FREE_PATHS * group_velocity(model, energy_eV, broadening_eV)
    length = window_nm + around / broadening_eV
    cells = int(np.ceil(length * cells_per_nm(model)))
    if cells > LARGEST_TORUS:
        free = LARGEST_TORUS / cells_per_nm(model) - window_nm
        mend = (
            f"raise the broadening to {1e3 * around / free:.2g} meV"
            if free > 0
            else "take a smaller window"
        )
        raise QpiError(
            f"a window of {window_nm:.3g} nm and waves that live for"
            f" {around / broadening_eV / MEAN_FREE_PATHS:.3g} nm need {cells} x {cells} cells, more"
            f" than {LARGEST_TORUS}; {mend}"
        )
    return length


def cells_per_nm(model: TightBinding) -> float:
    """Return how many cells fit into a nanometre, in the direction where most do [1/nm]."""
    return float(np.linalg.norm(model.reciprocal, axis=1).max() / (2 * np.pi))
