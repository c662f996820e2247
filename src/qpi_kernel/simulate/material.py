"""What a material is: the scatterers it offers, the wave vectors they show, and where both hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.continuum import ParabolicBand
from qpi_kernel.simulate.impurity import Impurity, impurity_kernel
from qpi_kernel.simulate.tight_binding import TightBinding

Floats = npt.NDArray[np.float64]
Kernel = Callable[[Floats, Floats, float], Floats]
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Defect:
    """One kind of scatterer in a material.

    Parameters
    ----------
    kernel : callable (y_nm, x_nm, energy_eV) -> array
        delta rho [1/(eV nm^2)] on the axes y (ny,) and x (nx,), scatterer at the origin.
    symmetry : str
        Point group of the kernel, such as "C3v"; "isotropic" where it depends on r alone.
    impurity : Impurity, optional
        What it adds to the Hamiltonian, in a crystal.
    """

    kernel: Kernel = field(repr=False)
    symmetry: str
    impurity: Impurity | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Crystal:
    """A lattice model and how sharply its kernels are seen.

    Parameters
    ----------
    model : TightBinding
        The bands; a superconductor in the form of `superconductor.nambu`. Densities are those of
        one spin in the normal state and of both in a superconductor.
    broadening_eV : float
        eta (half width) [eV].
    wannier_nm : float
        Width sigma of the Wannier functions [nm].
    tip : array, shape (n, n), optional
        Which orbitals (of the normal crystal) the tip sees, see `impurity_kernel`.
    cells : int, optional
        Cells between the window and the nearest image of the scatterer; as many as the broadening
        asks for without it.
    """

    model: TightBinding
    broadening_eV: float
    wannier_nm: float
    tip: npt.ArrayLike | None = None
    cells: int | None = None

    def kernel(self, impurity: Impurity, y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
        """Return delta rho of a scatterer [1/(eV nm^2)], shape (ny, nx)."""
        return impurity_kernel(
            self.model, impurity, y_nm, x_nm, energy_eV, broadening_eV=self.broadening_eV,
            wannier_nm=self.wannier_nm, tip=self.tip, cells=self.cells,
        )  # fmt: skip

    def defect(self, impurity: Impurity, symmetry: str) -> Defect:
        """Return a scatterer of this crystal as a material offers it."""
        return Defect(partial(self.kernel, impurity), symmetry, impurity)


@dataclass(frozen=True)
class Material:
    """A surface whose kernels can be simulated.

    Parameters
    ----------
    name, description, source : str
        Key, what it is, where its parameters come from.
    scatterers : mapping from str to Defect
        The kinds of scatterers it offers; the first is the usual one.
    vectors : callable (energy_eV) -> mapping from str to (qx, qy)
        Wave vectors that its bands put into a kernel of the usual scatterer, by formula [1/nm]; the
        first is that of the ring. NaN where the bands have none.
    energies_eV : (low, high)
        Range in which the model holds; outside, its kernels count as zero.
    band : ParabolicBand, optional
        The band, where it is one for which multiple scattering is known.
    crystal : Crystal, optional
        The lattice, where there is one.
    """

    name: str
    description: str
    source: str
    scatterers: Mapping[str, Defect]
    vectors: Callable[[float], Mapping[str, tuple[float, float]]] = field(repr=False)
    energies_eV: tuple[float, float]
    band: ParabolicBand | None = field(default=None, repr=False)
    crystal: Crystal | None = field(default=None, repr=False)

    def scatterer(self, name: str | None = None) -> Defect:
        """Return one kind of scatterer, without a name the usual one.

        Raises
        ------
        QpiError
            If there is none of that name.
        """
        if name is None:
            return next(iter(self.scatterers.values()))
        return find_by_name(self.scatterers, name, f"scatterer of {self.name}")

    def kernel(self, y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
        """Return delta rho of the usual scatterer [1/(eV nm^2)], shape (ny, nx)."""
        return self.scatterer().kernel(y_nm, x_nm, energy_eV)

    def wave_vectors(self, energy_eV: float) -> dict[str, tuple[float, float]]:
        """Return the named wave vectors (qx, qy) that the bands have at an energy [1/nm]."""
        every = self.vectors(energy_eV)
        return {name: q for name, q in every.items() if np.all(np.isfinite(q))}

    def ring_q(self, energy_eV: float) -> float:
        """Return the length of the first wave vector [1/nm]; NaN where there is none."""
        first = next(iter(self.wave_vectors(energy_eV).values()), (np.nan, np.nan))
        return float(np.hypot(*first))

    def holds_at(self, energy_eV: float) -> bool:
        """Tell whether an energy lies in the range of the model."""
        low, high = self.energies_eV
        return low <= energy_eV <= high


def find_by_name(table: Mapping[str, Entry], name: str, what: str) -> Entry:
    """Return an entry of a table of names in lower case.

    Raises
    ------
    QpiError
        If there is none; the message names the nearest ones, or all where none is near.
    """
    key = name.lower()
    if key in table:
        return table[key]
    near = get_close_matches(key, table, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(table)}"
    raise QpiError(f"unknown {what} {name!r}; {hint}")
