"""Lattices of one orbital per site, each with a geometry of its own."""

import numpy as np

from qpi_kernel.simulate import tight_binding
from qpi_kernel.simulate.families.crystal import SQUARE, TRIANGULAR, crystal_kernel, one_site
from qpi_kernel.simulate.families.drawing import DECAY_PX, Floats, log_uniform, strength
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding
from qpi_kernel.simulate.tmatrix import lattice_kernel


def square(rng: np.random.Generator, axis: Floats) -> Floats:
    """Square lattice with next neighbours, anywhere in the band."""
    t2, t3 = rng.uniform(-0.45, 0.45), rng.uniform(-0.2, 0.2)
    model = tight_binding.square_lattice(_lattice_px(rng), 1.0, t2, t3)
    return _lattice(rng, axis, model)


def rectangular(rng: np.random.Generator, axis: Floats) -> Floats:
    """Rectangular lattice: twofold, from nearly square to nearly one-dimensional."""
    a = _lattice_px(rng)
    model = tight_binding.rectangular_lattice(
        (a, a * rng.uniform(0.75, 1.3)), (1.0, rng.uniform(0.25, 1.2)), rng.uniform(-0.3, 0.3)
    )
    return _lattice(rng, axis, model)


def honeycomb(rng: np.random.Generator, axis: Floats) -> Floats:
    """Honeycomb lattice, scatterer on one site: threefold."""
    model = tight_binding.honeycomb_lattice(
        _lattice_px(rng) * 1.4, 1.0, rng.choice([0.0, rng.uniform(0, 0.8)])
    )
    return _lattice(rng, axis, model)


def triangular(rng: np.random.Generator, axis: Floats) -> Floats:
    """Triangular lattice with next neighbours, anywhere in the band: sixfold."""
    model = tight_binding.triangular_lattice(_lattice_px(rng), 1.0, rng.uniform(-0.4, 0.4))
    return _lattice(rng, axis, model)


def oblique(rng: np.random.Generator, axis: Floats) -> Floats:
    """One orbital on an oblique lattice: no symmetry but inversion."""
    angle, length = np.deg2rad(rng.uniform(66, 84)), rng.uniform(0.75, 1.35)
    vectors = np.array([[1.0, 0.0], [length * np.cos(angle), length * np.sin(angle)]])
    hoppings = [Hopping((0, 0), 0, 0, 0.0), Hopping((1, 0), 0, 0, 1.0)]
    hoppings += [Hopping((0, 1), 0, 0, rng.uniform(0.3, 1.2))]
    hoppings += [Hopping((1, j), 0, 0, rng.uniform(-0.4, 0.4)) for j in (1, -1)]
    model = TightBinding(vectors, np.zeros((1, 2)), tuple(hoppings))
    return crystal_kernel(rng, axis, model, one_site(rng, 0, 8.0))


def nematic(rng: np.random.Generator, axis: Floats) -> Floats:
    """Square lattice that a nematic order stretches, with a scatterer along one axis."""
    order, t2 = rng.uniform(0.03, 0.35), rng.uniform(-0.4, 0.4)
    hoppings = [Hopping((1, 0), 0, 0, 1 + order), Hopping((0, 1), 0, 0, 1 - order)]
    hoppings += [Hopping((1, j), 0, 0, t2) for j in (1, -1)]
    model = TightBinding(SQUARE, np.zeros((1, 2)), tuple(hoppings))
    along = [(1, 0), (-1, 0)] if rng.random() < 0.5 else [(0, 1), (0, -1)]
    sites = ((0, 0, 0), *((*cell, 0) for cell in along))
    centre, wing = strength(rng, 8.0), rng.uniform(-1, 1)
    potential = np.diag([centre, centre * wing, centre * wing]).astype(np.complex128)
    return crystal_kernel(rng, axis, model, Impurity(sites, potential))


def graphene(rng: np.random.Generator, axis: Floats) -> Floats:
    """Honeycomb lattice near the Dirac point, with rings between the valleys; threefold."""
    t2, mass = rng.uniform(-0.1, 0.1), rng.choice([0.0, rng.uniform(0, 0.3)])
    hoppings = [Hopping((0, 0), 0, 0, mass), Hopping((0, 0), 1, 1, -mass)]
    hoppings += [Hopping(cell, 0, 1, 1.0) for cell in ((0, 0), (1, 0), (0, 1))]
    hoppings += [Hopping(cell, m, m, t2) for m in (0, 1) for cell in ((1, 0), (0, 1), (1, -1))]
    model = TightBinding(
        TRIANGULAR, np.array([[0.0, 0.0], TRIANGULAR.sum(axis=0) / 3]), tuple(hoppings)
    )
    # Second neighbours shift the Dirac point to -3 t2.
    away = rng.uniform(0.08, 0.6)
    dirac_point = -3 * t2
    return crystal_kernel(
        rng, axis, model, one_site(rng, int(rng.integers(2)), 6.0),
        energies=(dirac_point - mass - away, dirac_point + mass + away), wannier=(0.15, 0.32),
    )  # fmt: skip


def kagome(rng: np.random.Generator, axis: Floats) -> Floats:
    """Kagome lattice with second neighbours, scatterer on one site or on two."""
    a1, a2 = TRIANGULAR
    orbitals = np.array([a1 / 2, a2 / 2, (a1 + a2) / 2])
    bonds = [((0, 0), 2, 1), ((-1, 0), 2, 1), ((0, 0), 2, 0), ((0, -1), 2, 0)]
    bonds += [((0, 0), 1, 0), ((1, -1), 1, 0)]
    second = [((1, 0), 1, 0), ((0, -1), 1, 0), ((1, -1), 2, 0), ((-1, 0), 2, 0)]
    second += [((-1, 1), 2, 1), ((0, -1), 2, 1)]
    t2 = rng.uniform(-0.2, 0.2)
    hoppings = [Hopping(cell, to, start, 1.0) for cell, to, start in bonds]
    hoppings += [Hopping(cell, to, start, t2) for cell, to, start in second]
    hoppings += [Hopping((0, 0), m, m, rng.normal(0, 0.05)) for m in range(3)]
    model = TightBinding(TRIANGULAR, orbitals, tuple(hoppings))
    return crystal_kernel(
        rng, axis, model, one_site(rng, int(rng.integers(3)), 6.0), wannier=(0.18, 0.3)
    )


def lieb(rng: np.random.Generator, axis: Floats) -> Floats:
    """Lieb lattice: corner sites (fourfold) and edge sites (twofold) of a square."""
    orbitals = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])
    t2, offset = rng.uniform(-0.3, 0.3), rng.uniform(-0.6, 0.6)
    hoppings = [Hopping((0, 0), 0, 0, offset)]
    hoppings += [Hopping(cell, 0, 1, 1.0) for cell in ((0, 0), (1, 0))]
    hoppings += [Hopping(cell, 0, 2, 1.0) for cell in ((0, 0), (0, 1))]
    hoppings += [Hopping(cell, 1, 2, t2) for cell in ((0, 0), (0, 1), (-1, 0), (-1, 1))]
    model = TightBinding(SQUARE, orbitals, tuple(hoppings))
    return crystal_kernel(
        rng, axis, model, one_site(rng, int(rng.integers(3)), 6.0), wannier=(0.2, 0.32)
    )


def bilayer(rng: np.random.Generator, axis: Floats) -> Floats:
    """Two sites A, B that a glide maps on each other; the tip sees one of them better."""
    orbitals = np.array([[0.0, 0.0], [0.5, 0.5]])
    along, across = rng.uniform(0.1, 0.8), rng.uniform(-0.3, 0.3)
    stagger = rng.choice([0.0, rng.uniform(0, 0.5)])
    hoppings = [Hopping((0, 0), 0, 0, stagger), Hopping((0, 0), 1, 1, -stagger)]
    hoppings += [Hopping((i, j), 0, 1, 1.0) for i in (0, 1) for j in (0, 1)]
    # The glide exchanges x and y on its way from A to B.
    for m, (x, y) in enumerate(((along, across), (across, along))):
        hoppings += [Hopping((1, 0), m, m, x), Hopping((0, 1), m, m, y)]
    model = TightBinding(SQUARE, orbitals, tuple(hoppings))
    tip = [[1.0, rng.uniform(0.2, 1.0)]]
    return crystal_kernel(
        rng, axis, model, one_site(rng, int(rng.integers(2)), 8.0), wannier=(0.2, 0.4), tip=tip
    )


def _lattice(rng: np.random.Generator, axis: Floats, model: tight_binding.TightBinding) -> Floats:
    b1, b2 = model.reciprocal
    fractions = np.linspace(0, 1, 24, endpoint=False)
    u, v = np.meshgrid(fractions, fractions)
    levels = np.linalg.eigvalsh(model.hamiltonian(u * b1[0] + v * b2[0], u * b1[1] + v * b2[1]))
    energy = float(rng.choice(levels.ravel())) + rng.normal(0, 0.02)
    width = float(np.ptp(levels))
    a = float(np.linalg.norm(model.lattice_nm[0]))
    velocity = width * a / 4
    broadening = velocity / (2 * log_uniform(rng, DECAY_PX[0], 120.0))
    potential = np.zeros((model.orbital_count, model.orbital_count), complex)
    potential[0, 0] = width * log_uniform(rng, 0.05, 5.0) * rng.choice([-1, 1])
    return lattice_kernel(
        model,
        axis,
        axis,
        energy,
        potential_eV=potential,
        broadening_eV=max(broadening, 0.004 * width),
        wannier_nm=rng.uniform(0.38, 0.6) * a / np.sqrt(model.orbital_count),
        angle_deg=rng.uniform(0, 360),
        mesh=96,
    )


def _lattice_px(rng: np.random.Generator) -> float:
    return log_uniform(rng, 2.2, 7.0)
