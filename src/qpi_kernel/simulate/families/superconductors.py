"""Superconductors in Bogoliubov-de Gennes form, at energies about the gap."""

import numpy as np

from qpi_kernel.simulate import superconductor
from qpi_kernel.simulate.families.crystal import SQUARE, crystal_kernel
from qpi_kernel.simulate.families.drawing import Floats, strength
from qpi_kernel.simulate.families.orbitals import iron_bands
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding


def s_wave(rng: np.random.Generator, axis: Floats) -> Floats:
    """One gap everywhere; charge, spin or pair scatterer; above the gap or on a bound state."""
    gap = rng.uniform(0.2, 1.0)
    return _superconductor(rng, axis, _metal(rng), superconductor.s_wave(gap), gap, 0.6)


def d_wave(rng: np.random.Generator, axis: Floats) -> Floats:
    """Gap with nodes along the diagonals: the octet of vectors between the tips of bananas."""
    gap = rng.uniform(0.3, 1.5)
    return _superconductor(rng, axis, _metal(rng), superconductor.d_wave(gap), gap, 0.1)


def s_plus_minus(rng: np.random.Generator, axis: Floats) -> Floats:
    """Gap that changes sign between the pockets of an iron pnictide."""
    gap = rng.uniform(0.3, 1.0)
    bands = iron_bands(rng)
    pairs = superconductor.s_plus_minus(gap, orbitals=2)
    level = rng.uniform(1.2, 1.7)
    filled = (*bands.hoppings, *(Hopping((0, 0), m, m, -level) for m in (0, 1)))
    model = TightBinding(bands.lattice_nm, bands.orbitals_nm, filled)
    return _superconductor(rng, axis, model, pairs, gap, 0.2)


def _metal(rng: np.random.Generator) -> TightBinding:
    """Draw a square lattice of one orbital with the Fermi level anywhere in its middle."""
    t2, level = rng.uniform(-0.4, 0.1), rng.uniform(-1.5, 1.5)
    hoppings = [Hopping((0, 0), 0, 0, -level)]
    hoppings += [Hopping(cell, 0, 0, -1.0) for cell in ((1, 0), (0, 1))]
    hoppings += [Hopping((1, j), 0, 0, -t2) for j in (1, -1)]
    return TightBinding(SQUARE, np.zeros((1, 2)), tuple(hoppings))


def _superconductor(
    rng: np.random.Generator,
    axis: Floats,
    metal: TightBinding,
    pairing: tuple[Hopping, ...],
    gap: float,
    lowest: float,
) -> Floats:
    n = metal.orbital_count
    orbital = int(rng.integers(n))
    kind = rng.choice(["charge", "spin", "pair"], p=[0.5, 0.25, 0.25])
    make = {
        "charge": superconductor.scalar_impurity,
        "spin": superconductor.magnetic_impurity,
        "pair": superconductor.pair_impurity,
    }[str(kind)]
    impurity: Impurity = make(strength(rng, gap if kind == "pair" else 4.0), orbital, n)
    # The holes at -E of a classical spin answer as the electrons at E of the opposite one.
    signs = (1.0, -1.0) if kind == "spin" else (1.0,)
    side = float(rng.choice([-1.0, 1.0]))
    low, high = lowest * gap, rng.uniform(1.1, 2.0) * gap
    energies = (low, high) if side > 0 else (-high, -low)
    tip = np.concatenate([np.eye(n), np.zeros((n, n))], axis=1)
    return crystal_kernel(
        rng, axis, superconductor.nambu(metal, pairing), impurity, energies=energies, tip=tip,
        scattering_signs=signs,
    )  # fmt: skip
