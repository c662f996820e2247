"""A scatterer of several sites in a crystal of several orbitals, at a random energy and scale."""

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate.families.drawing import (
    LIVED_PX,
    WAVELENGTH_PX,
    Floats,
    log_uniform,
    strength,
)
from qpi_kernel.simulate.families.scattering import (
    Mesh,
    Waves,
    answer,
    bloch,
    density,
    zone,
)
from qpi_kernel.simulate.green import resolvent
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.tight_binding import TightBinding

SQUARE = np.eye(2)
TRIANGULAR = np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
LATTICE_PX = (2.5, 12.0)
# States this near to the energy, in units of the width of the bands, tell the velocity.
NEAR = 0.03
SURVEY, LOCAL = 24, 48


def crystal_kernel(
    rng: np.random.Generator,
    axis: Floats,
    model: TightBinding,
    impurity: Impurity,
    *,
    energies: tuple[float, float] = (-np.inf, np.inf),
    wannier: tuple[float, float] = (0.3, 0.5),
    tip: npt.ArrayLike | None = None,
    lobes: npt.ArrayLike | None = None,
    scattering_signs: tuple[float, ...] = (1.0,),
) -> Floats:
    """Draw energy, scale and angle of a crystal, and render the kernel of a scatterer in it.

    Parameters
    ----------
    model : TightBinding
        With lattice vectors of length about 1; they are scaled so that the contour at the drawn
        energy makes ripples of a drawn wavelength.
    impurity : Impurity
        Its middle is the origin of the kernel.
    energies : (low, high)
        Where to draw the energy.
    wannier : (low, high)
        Size of the Wannier functions in units of the lattice vector.
    tip : array, shape (c, n)
        Amplitudes of the orbitals in the channels of the tip; one channel of all without it.
    lobes : array, shape (n, 2)
        Direction (x, y) of orbitals with two lobes of opposite sign; zero for round ones.
    scattering_signs : tuple of float
        T is summed over the potential times each sign.
    """
    energy, k, velocity = _draw_energy(rng, model, energies)
    a = float(np.clip(k * log_uniform(rng, *WAVELENGTH_PX) / np.pi, *LATTICE_PX))
    mesh = Mesh(axis.size, log_uniform(rng, *LIVED_PX))
    energy += 1j * velocity * a / (2 * mesh.decay)
    turn = rng.uniform(0, 2 * np.pi)
    turned = a * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    vectors, orbitals = model.lattice_nm @ turned, model.orbitals_nm @ turned
    sites = np.array(impurity.sites)
    cells, on = sites[:, :2], [int(orbital) for orbital in sites[:, 2]]
    corners = cells @ vectors
    centre = (corners + orbitals[on]).mean(axis=0)
    green = resolvent(bloch(model, mesh.wave(vectors[0]), mesh.wave(vectors[1])), energy)
    sigma = a * rng.uniform(*wannier)
    round_form = np.exp(-(mesh.kx**2 + mesh.ky**2) * np.float32(sigma**2 / 2))
    n = model.orbital_count
    shape = np.stack([round_form * mesh.wave(-orbital) for orbital in orbitals])
    if lobes is not None:
        for m, (x, y) in enumerate(np.asarray(lobes, float) @ turned / a):
            if x or y:
                shape[m] *= 1j * sigma * (mesh.kx * float(x) + mesh.ky * float(y))
    channels = np.ones((1, n)) if tip is None else np.atleast_2d(np.asarray(tip))
    seen = channels.astype(np.complex64)[..., None, None] * shape
    local = _between_sites(model, energy, cells, on)
    scattering = sum(answer(local, sign * impurity.potential_eV) for sign in scattering_signs)
    places = [mesh.wave(corner - centre) for corner in corners]
    return density(mesh, green, seen, on, places, np.asarray(scattering))


def one_site(rng: np.random.Generator, orbital: int, width: float) -> Impurity:
    """Return a potential of drawn strength on one orbital."""
    return Impurity(((0, 0, orbital),), np.array([[strength(rng, width)]], np.complex128))


def _draw_energy(
    rng: np.random.Generator, model: TightBinding, limits: tuple[float, float]
) -> tuple[complex, float, float]:
    """Draw a state; return its energy, its |k|, and the velocity of the states beside it."""
    hamiltonian = bloch(model, *zone(SURVEY))
    levels = np.linalg.eigvalsh(np.moveaxis(hamiltonian, (0, 1), (2, 3))).astype(float)
    width = float(np.ptp(levels))
    fractions = (np.arange(SURVEY) + 0.5) / SURVEY
    first, second = np.meshgrid(fractions, fractions, indexing="ij")
    images = [
        (first - i)[..., None] * model.reciprocal[0] + (second - j)[..., None] * model.reciprocal[1]
        for i in range(-1, 3) for j in range(-1, 3)
    ]  # fmt: skip
    k = np.min(np.linalg.norm(images, axis=-1), axis=0)
    wanted = (levels > limits[0]) & (levels < limits[1]) & (k[..., None] > 0.9)
    if not wanted.any():
        wanted = k[..., None] > 0.9 + 0 * levels
    i, j, band = np.argwhere(wanted)[rng.integers(int(wanted.sum()))]
    energy = float(levels[i, j, band]) + rng.normal(0, 0.003) * width
    by_first, by_second = (
        (np.roll(levels, -1, axis) - np.roll(levels, 1, axis)) * SURVEY / 2 for axis in (0, 1)
    )
    gradient = (
        by_first[..., None] * model.lattice_nm[0] + by_second[..., None] * model.lattice_nm[1]
    ) / (2 * np.pi)
    speed = np.linalg.norm(gradient, axis=-1)
    beside = np.abs(levels - energy) < NEAR * width
    return complex(energy), float(k[i, j]), max(float(speed[beside].mean()), 0.01 * width)


def _between_sites(
    model: TightBinding, energy: complex, cells: npt.NDArray[np.int_], orbitals: list[int]
) -> npt.NDArray[np.complex128]:
    """Return G between the sites of a scatterer, (s, s)."""
    first, second = zone(LOCAL)
    green = resolvent(bloch(model, first, second), energy)
    result = np.empty((len(cells), len(cells)), np.complex128)
    for a, (cell, orbital) in enumerate(zip(cells, orbitals, strict=True)):
        for b, (other, start) in enumerate(zip(cells, orbitals, strict=True)):
            i, j = (int(step) for step in cell - other)
            wave: Waves = first**i * second**j
            result[a, b] = np.mean(wave * green[orbital, start])
    return result
