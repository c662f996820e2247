"""Bands of several orbitals or of long-range hopping: metals with names and random ones."""

import numpy as np

from qpi_kernel.simulate.families.crystal import SQUARE, TRIANGULAR, crystal_kernel, one_site
from qpi_kernel.simulate.families.drawing import Floats, log_uniform, strength
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

# Lobes of the orbitals xz and yz, as the tip sees them from above.
XZ, YZ = (1.0, 0.0), (0.0, 1.0)
ONE = np.eye(2, dtype=np.complex128)


def triangular_shells(rng: np.random.Generator, axis: Floats) -> Floats:
    """Five shells of neighbours on a triangular lattice, as in the barrels of NbSe2."""
    first, second = ((1, 0), (0, 1), (1, -1)), ((1, 1), (2, -1), (1, -2))
    fourth = ((2, 1), (1, 2), (3, -1), (3, -2), (1, -3), (2, -3))
    shells = (first, second, [(2 * i, 2 * j) for i, j in first], fourth,
              [(3 * i, 3 * j) for i, j in first])  # fmt: skip
    sizes = rng.normal(size=5) * np.array([0.6, 1.0, 0.4, 0.1, 0.1])
    hoppings = [
        Hopping(cell, 0, 0, size) for shell, size in zip(shells, sizes, strict=True)
        for cell in shell
    ]  # fmt: skip
    model = TightBinding(TRIANGULAR, np.zeros((1, 2)), tuple(hoppings))
    return crystal_kernel(rng, axis, model, one_site(rng, 0, 8.0))


def pnictide(rng: np.random.Generator, axis: Floats) -> Floats:
    """Orbitals xz and yz of an iron pnictide; a scatterer on one of them is twofold."""
    model = iron_bands(rng)
    if rng.random() < 0.6:
        impurity = one_site(rng, int(rng.integers(2)), 8.0)
    else:
        impurity = Impurity(
            ((0, 0, 0), (0, 0, 1)), strength(rng, 8.0) * np.eye(2, dtype=np.complex128)
        )
    if rng.random() < 0.5:
        return crystal_kernel(rng, axis, model, impurity, lobes=(XZ, YZ))
    return crystal_kernel(rng, axis, model, impurity, tip=np.eye(2))


def iron_bands(rng: np.random.Generator) -> TightBinding:
    """Draw a two-orbital model of an iron pnictide, near that of Raghu et al."""
    t1, t2, t3, t4 = np.array([-1.0, 1.3, -0.85, -0.85]) * rng.uniform(0.8, 1.2, 4)
    hoppings = [Hopping((1, 0), 0, 0, -t1), Hopping((0, 1), 0, 0, -t2)]
    hoppings += [Hopping((1, 0), 1, 1, -t2), Hopping((0, 1), 1, 1, -t1)]
    hoppings += [Hopping((1, j), m, m, -t3) for m in (0, 1) for j in (1, -1)]
    hoppings += [Hopping((i, j), 0, 1, t4 * i * j) for i in (1, -1) for j in (1, -1)]
    return TightBinding(SQUARE, np.zeros((2, 2)), tuple(hoppings))


def t2g(rng: np.random.Generator, axis: Floats) -> Floats:
    """Orbitals xz, yz (chains) and xy (a plane) with spin-orbit coupling, as in Sr2RuO4."""
    chain, across, plane, diagonal = np.array([1.0, 0.1, 0.8, 0.3]) * rng.uniform(0.7, 1.3, 4)
    mixing, coupling = rng.uniform(0, 0.1), rng.uniform(0, 0.4)
    hoppings = [Hopping((0, 0), 2, 2, rng.uniform(-0.5, 0.5))]
    hoppings += [Hopping((1, 0), 0, 0, -chain), Hopping((0, 1), 0, 0, -across)]
    hoppings += [Hopping((1, 0), 1, 1, -across), Hopping((0, 1), 1, 1, -chain)]
    hoppings += [Hopping(cell, 2, 2, -plane) for cell in ((1, 0), (0, 1))]
    hoppings += [Hopping((1, j), 2, 2, -diagonal) for j in (1, -1)]
    hoppings += [Hopping((i, j), 0, 1, -mixing * i * j) for i in (1, -1) for j in (1, -1)]
    # One of the two blocks of l.s: xz and yz of one spin with xy of the other.
    hoppings += [Hopping((0, 0), 0, 1, 0.5j * coupling), Hopping((0, 0), 0, 2, -0.5 * coupling)]
    hoppings += [Hopping((0, 0), 1, 2, 0.5j * coupling)]
    model = TightBinding(SQUARE, np.zeros((3, 2)), tuple(hoppings))
    sees_plane = rng.uniform(0.1, 1.0)
    # xy has the other spin and does not interfere.
    tip = [[1.0, 1.0, 0.0], [0.0, 0.0, sees_plane]]
    return crystal_kernel(
        rng, axis, model, one_site(rng, int(rng.integers(3)), 6.0), tip=tip,
        lobes=(XZ, YZ, (0.0, 0.0)),
    )  # fmt: skip


def heavy_fermion(rng: np.random.Generator, axis: Floats) -> Floats:
    """Light band that hybridises with a flat one; energies about the gap between them."""
    level, mixing = rng.uniform(-2.5, 2.5), log_uniform(rng, 0.15, 0.7)
    t2 = rng.uniform(-0.3, 0.3)
    hoppings = [Hopping(cell, 0, 0, 1.0) for cell in ((1, 0), (0, 1))]
    hoppings += [Hopping((1, j), 0, 0, t2) for j in (1, -1)]
    hoppings += [Hopping((0, 0), 1, 1, level), Hopping((0, 0), 0, 1, mixing)]
    dispersion = rng.uniform(-0.05, 0.05)
    hoppings += [Hopping(cell, 1, 1, dispersion) for cell in ((1, 0), (0, 1))]
    model = TightBinding(SQUARE, np.zeros((2, 2)), tuple(hoppings))
    reach = 3 * mixing**2
    # The tip tunnels into both: a Fano mixture.
    tip = [[1.0, rng.uniform(-0.5, 0.5)]]
    return crystal_kernel(
        rng, axis, model, one_site(rng, int(rng.integers(2)), 4.0), tip=tip,
        energies=(level - reach, level + reach),
    )  # fmt: skip


def nodal_line(rng: np.random.Generator, axis: Floats) -> Floats:
    """Two bands that touch along the diamond |cos kx + cos ky| = c; defects of two classes."""
    size, gap = rng.uniform(0.3, 1.2), rng.uniform(0.0, 0.15)
    tilt = rng.uniform(-0.2, 0.2)
    hoppings = [Hopping((0, 0), 0, 0, -size), Hopping((0, 0), 1, 1, size)]
    hoppings += [Hopping((0, 0), 0, 1, gap)]
    for cell in ((1, 0), (0, 1)):
        hoppings += [Hopping(cell, 0, 0, 0.5 + tilt), Hopping(cell, 1, 1, -0.5 + tilt)]
    model = TightBinding(SQUARE, np.zeros((2, 2)), tuple(hoppings))
    # Both classes stand on a bond, along x or along y.
    orbital = int(rng.integers(2))
    end = (1, 0) if rng.random() < 0.5 else (0, 1)
    sites = ((0, 0, orbital), (*end, orbital))
    impurity = Impurity(sites, strength(rng, 3.0) * ONE)
    reach = rng.uniform(0.15, 0.6)
    return crystal_kernel(
        rng, axis, model, impurity, energies=(-reach - gap, reach + gap), tip=np.eye(2)
    )


def random_orbitals(rng: np.random.Generator, axis: Floats) -> Floats:
    """Two or three orbitals with random hoppings and spin-orbit coupling on a random lattice."""
    n = int(rng.integers(2, 4))
    angle, length = np.deg2rad(rng.choice([90.0, rng.uniform(68, 90)])), rng.uniform(0.8, 1.25)
    vectors = np.array([[1.0, 0.0], [length * np.cos(angle), length * np.sin(angle)]])
    fractions = rng.uniform(0, 1, (n, 2)) * rng.choice([0.0, 1.0])
    hoppings = [Hopping((0, 0), m, m, rng.normal(0, 1)) for m in range(n)]
    for cell, size in (((1, 0), 1.0), ((0, 1), 1.0), ((1, 1), 0.3), ((1, -1), 0.3)):
        hoppings += [Hopping(cell, m, m, size * rng.normal()) for m in range(n)]
        hoppings += [
            Hopping(cell, m, other, 0.3 * size * rng.normal())
            for m in range(n) for other in range(n) if m != other
        ]  # fmt: skip
    coupling = rng.uniform(0, 0.5)
    # l.s within one block of spins: imaginary between orbitals of one site.
    hoppings += [Hopping((0, 0), m, m + 1, 1j * coupling) for m in range(n - 1)]
    model = TightBinding(vectors, fractions @ vectors, tuple(hoppings))
    tip = rng.normal(size=(1, n)) if rng.random() < 0.7 else np.diag(rng.uniform(0.2, 1, n))
    return crystal_kernel(
        rng, axis, model, one_site(rng, int(rng.integers(n)), 6.0), wannier=(0.25, 0.45), tip=tip
    )
