import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.tight_binding import (
    Hopping,
    TightBinding,
    honeycomb_lattice,
    rectangular_lattice,
    square_lattice,
    triangular_lattice,
)

MODELS = {
    "square": square_lattice(0.4, -0.1, 0.03, -0.01, 0.05),
    "triangular": triangular_lattice(0.35, -0.1, 0.02, -0.04),
    "rectangular": rectangular_lattice((0.3, 0.45), (-0.1, -0.04), 0.01),
    "honeycomb": honeycomb_lattice(0.246, -2.8, 0.1),
    "two orbitals, complex hopping": TightBinding(
        np.array([[0.4, 0.0], [0.1, 0.5]]),
        np.array([[0.0, 0.0], [0.15, 0.2]]),
        (
            Hopping((0, 0), 0, 0, 0.2),
            Hopping((0, 0), 1, 0, 0.1 + 0.3j),
            Hopping((1, 0), 0, 1, -0.2j),
            Hopping((1, -1), 1, 1, 0.05 - 0.02j),
        ),
    ),
}


def wave_vectors(seed=1):
    return np.random.default_rng(seed).uniform(-20, 20, (2, 50))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_hamiltonian_is_hermitian(model):
    hamiltonian = model.hamiltonian(*wave_vectors())
    assert hamiltonian.shape == (50, model.orbital_count, model.orbital_count)
    np.testing.assert_allclose(hamiltonian, hamiltonian.conj().swapaxes(-1, -2), atol=1e-14)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_levels_are_periodic_in_reciprocal_space(model):
    kx, ky = wave_vectors()
    np.testing.assert_allclose(
        model.lattice_nm @ model.reciprocal.T, 2 * np.pi * np.eye(2), atol=1e-12
    )
    for b in model.reciprocal:
        np.testing.assert_allclose(
            np.linalg.eigvalsh(model.hamiltonian(kx + b[0], ky + b[1])),
            np.linalg.eigvalsh(model.hamiltonian(kx, ky)),
            atol=1e-10,
        )


@pytest.mark.parametrize(
    ("name", "fold"), [("square", 4), ("triangular", 6), ("rectangular", 2), ("honeycomb", 6)]
)
def test_levels_keep_the_point_group(name, fold):
    kx, ky = wave_vectors()
    levels = np.linalg.eigvalsh(MODELS[name].hamiltonian(kx, ky))
    angle = 2 * np.pi / fold
    turned = np.linalg.eigvalsh(
        MODELS[name].hamiltonian(
            kx * np.cos(angle) - ky * np.sin(angle), kx * np.sin(angle) + ky * np.cos(angle)
        )
    )
    np.testing.assert_allclose(turned, levels, atol=1e-10)
    mirrored = np.linalg.eigvalsh(MODELS[name].hamiltonian(-kx, ky))
    np.testing.assert_allclose(mirrored, levels, atol=1e-10)


def test_the_square_lattice_has_the_stated_dispersion():
    kx, ky = wave_vectors()
    cx, cy = np.cos(0.4 * kx), np.cos(0.4 * ky)
    expected = (
        0.05
        + 2 * -0.1 * (cx + cy)
        + 4 * 0.03 * cx * cy
        + 2 * -0.01 * (np.cos(0.8 * kx) + np.cos(0.8 * ky))
    )
    np.testing.assert_allclose(MODELS["square"].hamiltonian(kx, ky)[:, 0, 0], expected, atol=1e-12)


def test_the_triangular_lattice_has_the_stated_dispersion():
    kx, ky = wave_vectors()
    x, y = kx * 0.35 / 2, ky * 0.35 * np.sqrt(3) / 2
    expected = 2 * -0.1 * (np.cos(2 * x) + 2 * np.cos(x) * np.cos(y))
    levels = triangular_lattice(0.35, -0.1).hamiltonian(kx, ky)[:, 0, 0]
    np.testing.assert_allclose(levels, expected, atol=1e-12)


def test_the_honeycomb_lattice_has_dirac_points():
    model = honeycomb_lattice(0.246, -2.8)
    corner = 4 * np.pi / (3 * 0.246)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(model.hamiltonian(np.array(corner), np.array(0.0))), 0, atol=1e-9
    )
    levels = np.linalg.eigvalsh(model.hamiltonian(np.array(corner + 0.1), np.array(0.0)))
    velocity = np.sqrt(3) / 2 * 2.8 * 0.246
    np.testing.assert_allclose(levels, [-0.1 * velocity, 0.1 * velocity], rtol=0.02)


def test_a_model_that_makes_no_sense_is_refused():
    with pytest.raises(QpiError, match="parallel"):
        TightBinding(np.array([[1.0, 0.0], [2.0, 0.0]]), np.zeros((1, 2)), ())
    with pytest.raises(QpiError, match="not Hermitian"):
        TightBinding(np.eye(2), np.zeros((1, 2)), (Hopping((0, 0), 0, 0, 1j),))
