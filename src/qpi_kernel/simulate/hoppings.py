"""A crystal of your own: tight-binding models from files, as materials that can be simulated.

Two layouts are known, told apart by what the file holds: `_hr.dat` of Wannier90, and lines
rx,ry,rz,a,b,Re,Im. In both a line is the matrix element <0 a|H|R b> in eV.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.material import Crystal, Material
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

LARGEST_FILE_BYTES = 2**28
MOST_ORBITALS = 200
MOST_ELEMENTS = 2 * 10**7
# Wannier90 writes six decimals.
ROUNDING_EV = 2.1e-6


def read_hoppings(
    path: Path | str,
    *,
    lattice_nm: npt.ArrayLike,
    orbitals_nm: npt.ArrayLike | None = None,
    lobes: Sequence[str] = (),
    spins: int = 1,
    fermi_eV: float = 0.0,
    kz: float | None = None,
) -> TightBinding:
    """Read a tight-binding model from `_hr.dat` of Wannier90 or from lines rx,ry,rz,a,b,Re,Im.

    The degeneracies of Wannier90 are divided out. Orbitals count from 1, or from 0 where the file
    has an orbital 0. Such files hold neither the lattice nor the places of the orbitals: both are
    given here, those of Wannier90 stand in its `.wout`.

    Parameters
    ----------
    path : Path or str
        The file.
    lattice_nm : array, shape (2, 2)
        Lattice vectors in the plane of the surface as rows, (x, y) [nm].
    orbitals_nm : array, shape (n, 2), optional
        Places of the orbitals in the cell [nm]; all at its origin without it.
    lobes : sequence of str, optional
        Form of every orbital from above, see `TightBinding`.
    spins : 1 or 2
        2 where the first half of the orbitals has spin up, the second half spin down.
    fermi_eV : float
        Fermi level, which becomes zero [eV].
    kz : float, optional
        For crystals whose orbitals hop between layers: the wave vector along the third lattice
        vector c, as a part of 2 pi / c. The model is then the cut through the bands at this kz,
        t(R) = sum_rz t(R, rz) exp(2 pi i kz rz), not a surface.

    Returns
    -------
    TightBinding

    Raises
    ------
    QpiError
        If the file cannot be read, has neither layout or is not complete, H is not Hermitian, the
        lattice or the places do not fit, or orbitals hop between layers and kz is not given.

    References
    ----------
    Pizzi et al., J. Phys.: Condens. Matter 32, 165902 (2020).
    """
    path = Path(path)
    lattice = np.asarray(lattice_nm, float)
    if lattice.shape != (2, 2):
        raise QpiError(f"the lattice is two vectors (x, y), got an array of shape {lattice.shape}")
    if spins not in (1, 2):
        raise QpiError(f"a crystal has 1 or 2 spins, got {spins}")
    rows = _rows(path)
    cells, first, second = (rows[:, part].astype(int) for part in (slice(0, 3), 3, 4))
    if np.any(rows[:, :5] != np.round(rows[:, :5])):
        raise QpiError(f"{path.name}: cells and orbitals are whole numbers; found fractions")
    base = min(1, int(min(first.min(), second.min())))
    n = int(max(first.max(), second.max())) - base + 1
    if base < 0 or n > MOST_ORBITALS or n % spins:
        raise QpiError(
            f"{path.name}: found orbitals {base} to {base + n - 1}; they count from 0 or 1, up to"
            f" {MOST_ORBITALS} of them, and {spins} spins share them evenly"
        )
    amplitudes = rows[:, 5] + 1j * rows[:, 6]
    if kz is None:
        layers = np.abs(cells[np.abs(amplitudes) > ROUNDING_EV, 2]).max(initial=0)
        if layers:
            raise QpiError(
                f"{path.name}: orbitals hop across up to {layers} layers; give kz, as a part of"
                " 2 pi / c, for a cut through the bands"
            )
    else:
        amplitudes = amplitudes * np.exp(2j * np.pi * kz * cells[:, 2])
    plane, where = np.unique(cells[:, :2], axis=0, return_inverse=True)
    if len(plane) * n**2 > MOST_ELEMENTS:
        raise QpiError(
            f"{path.name}: {n} orbitals in {len(plane)} cells are {len(plane) * n**2:.2g} hoppings,"
            f" more than {MOST_ELEMENTS:.0e}; leave out the far cells"
        )
    matrices = np.zeros((len(plane), n, n), np.complex128)
    np.add.at(matrices, (where.ravel(), first - base, second - base), amplitudes)
    places = np.zeros((n, 2)) if orbitals_nm is None else np.asarray(orbitals_nm, float)
    if places.shape != (n, 2):
        raise QpiError(
            f"{path.name}: {n} orbitals need {n} places (x, y), got an array of shape"
            f" {places.shape}"
        )
    hoppings = _half(path.name, plane, matrices, base, fermi_eV)
    return TightBinding(lattice, places, hoppings, lobes=tuple(lobes), spins=spins)


def crystal_material(
    model: TightBinding,
    *,
    name: str,
    broadening_eV: float,
    wannier_nm: float,
    potential_eV: float,
    orbital: int = 0,
    energies_eV: tuple[float, float] | None = None,
) -> Material:
    """Return a crystal of your own as a material, for `simulate_kernel` and `simulate_map`.

    Parameters
    ----------
    model : TightBinding
        The crystal, from `read_hoppings` for example.
    name : str
        How maps of it are to be called.
    broadening_eV, wannier_nm : float
        eta [eV] and width sigma of the Wannier functions [nm].
    potential_eV : float
        V of the scatterer [eV], on both spins where the crystal has two.
    orbital : int
        Which orbital of a cell the scatterer changes, counted from 0.
    energies_eV : (low, high), optional
        Where the model holds; from the bottom to the top of its bands without it.

    Raises
    ------
    QpiError
        If there is no such orbital or a width is not positive.
    """
    apart = model.orbital_count // model.spins
    if not 0 <= orbital < apart:
        raise QpiError(
            f"orbital {orbital} is not among the {apart} of this crystal, 0 to {apart - 1}"
        )
    if not (broadening_eV > 0 and wannier_nm > 0):
        raise QpiError(
            f"broadening ({broadening_eV} eV) and Wannier width ({wannier_nm} nm) must be positive"
        )
    if energies_eV is None:
        fractions = np.arange(24) / 24
        kx, ky = np.tensordot(model.reciprocal.T, np.meshgrid(fractions, fractions), 1)
        levels = np.linalg.eigvalsh(model.hamiltonian(kx, ky))
        energies_eV = (float(levels.min()), float(levels.max()))
    sites = tuple((0, 0, orbital + spin * apart) for spin in range(model.spins))
    impurity = Impurity(sites, potential_eV * np.eye(len(sites), dtype=np.complex128))
    crystal = Crystal(model, broadening_eV, wannier_nm)
    return Material(
        name, f"{name}, a crystal of {model.orbital_count} orbitals", "given by the user",
        {"scalar": crystal.defect(impurity, "C1")}, lambda energy_eV: {}, energies_eV,
        crystal=crystal,
    )  # fmt: skip


def _half(
    name: str, plane: npt.NDArray[np.int_], matrices: Complexes, base: int, fermi_eV: float
) -> tuple[Hopping, ...]:
    """One hopping of each Hermitian pair, after a look at both."""
    known = {(int(i), int(j)): matrix for (i, j), matrix in zip(plane, matrices, strict=True)}
    n = matrices.shape[1]
    none = np.zeros((n, n))
    hoppings = [Hopping((0, 0), m, m, -fermi_eV) for m in range(n) if fermi_eV]
    for (i, j), matrix in known.items():
        apart = np.abs(matrix - known.get((-i, -j), none).conj().T)
        if apart.max() > ROUNDING_EV + 1e-6 * np.abs(matrix).max():
            a, b = np.unravel_index(int(apart.argmax()), apart.shape)
            raise QpiError(
                f"{name}: H is not Hermitian: <0 {a + base}|H|R {b + base}> at R = ({i}, {j}) and"
                f" its partner at ({-i}, {-j}) differ by {apart.max():.2g} eV"
            )
        for a, b in zip(*np.nonzero(matrix), strict=True):
            # <0 a|H|R b> takes an electron from b in R to a: by -R, as t_ab(-R).
            amplitude = complex(matrix[a, b])
            if (i, j) == (0, 0) and a == b:
                hoppings.append(Hopping((0, 0), int(a), int(b), amplitude.real))
            elif (i, j, a) > (0, 0, b):
                hoppings.append(Hopping((-i, -j), int(a), int(b), amplitude))
    return tuple(hoppings)


def _rows(path: Path) -> Floats:
    """Lines (r1, r2, r3, a, b, Re, Im) of a file."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise QpiError(
                f"{path.name}: {size / 2**20:.0f} MiB are more than any model of a surface needs"
                f" ({LARGEST_FILE_BYTES // 2**20} MiB)"
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QpiError(f"{path.name}: no file of hoppings could be read there ({error})") from None
    lines = [line for line in text.splitlines() if line.strip()]
    counts = [line.split() for line in lines[1:3]]
    wannier90 = len(counts) == 2 and all(len(words) == 1 and words[0].isdigit() for words in counts)
    if wannier90:
        return _wannier90_rows(path.name, lines)
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    return _numbers(path.name, lines[1:] if lines and not _parsed(lines[0]) else lines)


def _wannier90_rows(name: str, lines: list[str]) -> Floats:
    orbitals, cells = int(lines[1]), int(lines[2])
    header = 3 + -(-cells // 15)
    if not (0 < orbitals <= MOST_ORBITALS and len(lines) == header + cells * orbitals**2):
        raise QpiError(
            f"{name}: {orbitals} orbitals in {cells} cells of a Wannier90 file need"
            f" {cells} x {orbitals} x {orbitals} lines of hoppings, found"
            f" {max(0, len(lines) - header)}; the file is not complete"
        )
    try:
        degeneracy = np.array(" ".join(lines[3:header]).split(), dtype=int)
    except ValueError:
        degeneracy = np.zeros(0, dtype=int)
    if degeneracy.size != cells or np.any(degeneracy < 1):
        raise QpiError(
            f"{name}: expected {cells} degeneracies, whole numbers above 0, found others"
        )
    rows = _numbers(name, lines[header:])
    rows[:, 5:] /= np.repeat(degeneracy, orbitals**2)[:, None]
    return rows


def _numbers(name: str, lines: list[str]) -> Floats:
    rows = np.full((max(1, len(lines)), 7), np.nan)
    for row, line in enumerate(lines):
        numbers = _parsed(line)
        if len(numbers) == 7:
            rows[row] = numbers
    strange = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if strange.size:
        found = repr(lines[strange[0]].strip()[:60]) if lines else "none"
        raise QpiError(
            f"{name}: expected seven finite numbers rx ry rz a b Re Im in every line, found {found}"
        )
    return rows


def _parsed(line: str) -> list[float]:
    """Numbers of a line; empty where it holds anything else."""
    try:
        return [float(word) for word in line.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        return []
