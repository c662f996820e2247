"""Scatterers that are no points: missing atoms, changed bonds, clusters, clouds and charges."""

import numpy as np

from qpi_kernel.simulate import continuum
from qpi_kernel.simulate.families.crystal import SQUARE, TRIANGULAR, crystal_kernel
from qpi_kernel.simulate.families.drawing import (
    LIVED_PX,
    WAVELENGTH_PX,
    Floats,
    log_uniform,
    strength,
)
from qpi_kernel.simulate.families.scattering import Mesh, Waves, answer, density
from qpi_kernel.simulate.families.surface_states import (
    POINT_PX,
    RADIAL_STEP_PX,
    radial,
    rounded,
    scaled_energy,
    scatterer,
)
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding


def vacancy(rng: np.random.Generator, axis: Floats) -> Floats:
    """Missing atom, the limit of infinite V, on a square, rectangular or honeycomb lattice."""
    model, orbital = _plain(rng)
    wannier = (0.3, 0.5) if model.orbital_count == 1 else (0.18, 0.32)
    missing = Impurity(((0, 0, orbital),), np.array([[1e6 + 0j]]))
    return crystal_kernel(rng, axis, model, missing, wannier=wannier)


def bond_disorder(rng: np.random.Generator, axis: Floats) -> Floats:
    """Bond whose hopping is changed, with or without potentials at its ends: a V off-diagonal."""
    model, orbital = _plain(rng)
    wannier = (0.3, 0.5) if model.orbital_count == 1 else (0.18, 0.32)
    other = (1, 0, 0) if model.orbital_count == 1 else (0, 0, 1 - orbital)
    change = strength(rng, 2.0)
    ends = rng.choice([0.0, rng.uniform(-1, 1)]) * change
    bond = Impurity(((0, 0, orbital), other), np.array([[ends, change], [change, ends]]))
    return crystal_kernel(rng, axis, model, bond, wannier=wannier)


def _plain(rng: np.random.Generator) -> tuple[TightBinding, int]:
    """Draw a lattice of one kind of atom and one of its orbitals."""
    if rng.random() < 0.4:
        hoppings = [Hopping(cell, 0, 1, 1.0) for cell in ((0, 0), (1, 0), (0, 1))]
        hoppings += [Hopping((0, 0), 0, 0, rng.uniform(0, 0.3))]
        orbitals = np.array([[0.0, 0.0], TRIANGULAR.sum(axis=0) / 3])
        return TightBinding(TRIANGULAR, orbitals, tuple(hoppings)), int(rng.integers(2))
    t_y, t2 = rng.choice([1.0, rng.uniform(0.4, 1.0)]), rng.uniform(-0.4, 0.4)
    hoppings = [Hopping((1, 0), 0, 0, 1.0), Hopping((0, 1), 0, 0, float(t_y))]
    hoppings += [Hopping((1, j), 0, 0, t2) for j in (1, -1)]
    return TightBinding(SQUARE, np.zeros((1, 2)), tuple(hoppings)), 0


def clusters(rng: np.random.Generator, axis: Floats) -> Floats:
    """Two or three point scatterers up to a wavelength apart, and the waves between them."""
    mesh = Mesh(axis.size, log_uniform(rng, *LIVED_PX))
    k = np.pi / log_uniform(rng, *WAVELENGTH_PX)
    count = int(rng.integers(2, 4))
    places = rng.uniform(0.4, 3.2) / k * rng.normal(size=(count, 2))
    green, form = _free(rng, mesh, k)
    weights = rng.uniform(0.3, 1.0, count) * rng.choice([1.0, float(rng.choice([-1, 1]))], count)
    return _pointlike(mesh, green, form, places, strength(rng, 1.0) * weights)


def extended(rng: np.random.Generator, axis: Floats) -> Floats:
    """Gaussian potential, round or oval, as a cluster of points with the waves between them."""
    mesh = Mesh(axis.size, log_uniform(rng, *LIVED_PX))
    k = np.pi / log_uniform(rng, *WAVELENGTH_PX)
    sigma = np.sort(log_uniform(rng, 0.25, 1.2) / k * np.array([1.0, rng.uniform(0.4, 1.0)]))
    turn = rng.uniform(0, np.pi)
    # Rings of points out to 1.8 sigma stand for the smooth potential.
    rings = [(0.0, 1), (0.9, 5), (1.8, 7)]
    angles = [2 * np.pi * np.arange(count) / count for _, count in rings]
    points = np.concatenate(
        [
            r * np.column_stack([np.cos(a), np.sin(a)])
            for (r, _), a in zip(rings, angles, strict=True)
        ]
    )
    height = np.exp(-np.sum(points**2, axis=1) / 2)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    green, form = _free(rng, mesh, k)
    return _pointlike(mesh, green, form, points * sigma @ turned, strength(rng, 0.5) * height)


def charged(rng: np.random.Generator, axis: Floats) -> Floats:
    """Charge that bends the band around it: ripples whose wavelength changes, on a slow hill."""
    q = 2 * np.pi / log_uniform(rng, *WAVELENGTH_PX)
    energy, broadening = scaled_energy(rng, q / 2)
    reach = log_uniform(rng, 3.0, 25.0)
    bending = rng.uniform(-1.0, 0.7)
    r = np.arange(0.0, axis.size, RADIAL_STEP_PX)
    # Semiclassical phase: the local wave vector is k sqrt(1 - V(r) / E).
    local = np.sqrt(1 - bending * np.exp(-r / reach))
    optical = np.concatenate([[0.0], RADIAL_STEP_PX * np.cumsum((local[1:] + local[:-1]) / 2)])
    point, core = scatterer(rng)
    waves = continuum.parabolic_kernel(
        rounded(np.zeros(1), core), optical, energy, mass=continuum.HBAR2_2M_EV_NM2, edge_eV=0.0,
        broadening_eV=broadening, core_nm=POINT_PX, **point,
    )  # fmt: skip
    ripples = radial(axis, r, waves)
    distance = np.hypot(axis[:, None], axis[None, :])
    hill = np.exp(-distance / reach)
    outside = distance > 3
    height = rng.uniform(-1.5, 1.5) * ripples[outside].std() / hill[outside].std()
    return np.asarray(ripples + height * hill)


def _free(rng: np.random.Generator, mesh: Mesh, k: float) -> tuple[Waves, Waves]:
    """Draw G(k) of an elliptic band of wave vector k, and the form factor of a point."""
    ratio = log_uniform(rng, 1.0, 2.5) ** 0.5 if rng.random() < 0.4 else 1.0
    squared = (mesh.kx**2 * np.float32(ratio) + mesh.ky**2 / np.float32(ratio)) / np.float32(k**2)
    form = np.exp(-((squared / rng.uniform(1.8, 3.0) ** 2) ** 2)).astype(np.complex64)
    green = 1 / (np.complex64(1 + 1j / (mesh.decay * k)) - squared)
    return green, form


def _pointlike(mesh: Mesh, green: Waves, form: Waves, xy: Floats, potential: Floats) -> Floats:
    """Render points at `xy` about their middle; potentials count in units of 1 / |G(0)|."""
    waves = [mesh.wave(place) for place in xy - xy.mean(axis=0)]
    squared = green * form**2
    count = len(xy)
    apart = (xy[:, None] - xy[None, :]).reshape(-1, 2).astype(np.float32)
    along_x, along_y = (
        np.exp(1j * apart[:, axis, None] * k.ravel()) for axis, k in enumerate((mesh.kx, mesh.ky))
    )
    local = np.mean(along_y @ squared * along_x, axis=1).reshape(count, count) / mesh.pixels
    scattering = answer(local, np.diag(potential) / abs(local[0, 0]))
    seen = form[None, None]
    return density(
        mesh, green[None, None], seen, len(xy) * [0], [wave * form for wave in waves], scattering
    )
