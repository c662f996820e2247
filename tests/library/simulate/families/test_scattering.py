import numpy as np
import pytest

from qpi_kernel.simulate.families.crystal import TRIANGULAR
from qpi_kernel.simulate.families.scattering import (
    Mesh,
    answer,
    bloch,
    density,
    zone,
)
from qpi_kernel.simulate.green import resolvent
from qpi_kernel.simulate.impurity import Impurity, impurity_kernel
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

A_PX, SIGMA_PX, ENERGY = 4.0, 1.2, 0.7


def test_bloch_has_the_bands_of_the_tight_binding_model():
    orbitals = np.array([[0.0, 0.0], [0.4, 0.1]])
    hoppings = (
        Hopping((0, 0), 0, 0, 0.2), Hopping((2, -1), 0, 1, 0.7 + 0.2j), Hopping((1, 0), 0, 0, -1.0),
        Hopping((0, 0), 1, 0, 0.3j),
    )  # fmt: skip
    model = TightBinding(TRIANGULAR, orbitals, hoppings)
    fractions = (np.arange(6) + 0.5) / 6
    first, second = np.meshgrid(fractions, fractions, indexing="ij")
    k = first[..., None] * model.reciprocal[0] + second[..., None] * model.reciprocal[1]
    expected = np.linalg.eigvalsh(model.hamiltonian(k[..., 0], k[..., 1]))
    found = np.linalg.eigvalsh(np.moveaxis(bloch(model, *zone(6)), (0, 1), (2, 3)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_fast_way_agrees_with_the_exact_one():
    vectors = A_PX * np.array([[1.0, 0.0], [0.3, 1.1]])
    orbitals = np.array([[0.0, 0.0], [1.5, 1.0]])
    hoppings = (
        Hopping((0, 0), 1, 1, 0.4), Hopping((1, 0), 0, 0, -1.0), Hopping((0, 1), 0, 0, -0.8),
        Hopping((0, 0), 0, 1, 0.5), Hopping((1, 0), 1, 1, 0.3), Hopping((0, -1), 0, 1, 0.2j),
    )  # fmt: skip
    model = TightBinding(vectors, orbitals, hoppings)
    impurity = Impurity(((0, 0, 0), (1, 0, 1)), np.array([[2.0, 0.5j], [-0.5j, 1.0]]))
    eta = 0.25
    axis = np.arange(64.0) - 32
    exact = impurity_kernel(
        model, impurity, axis, axis, ENERGY, broadening_eV=eta, wannier_nm=SIGMA_PX
    )
    mesh = Mesh(64, 40.0)
    first, second = mesh.wave(vectors[0]), mesh.wave(vectors[1])
    green = resolvent(bloch(model, first, second), ENERGY + 1j * eta)
    corners = np.array([[0.0, 0.0], vectors[0]])
    centre = (corners + orbitals).mean(axis=0)
    # The transform of a Gaussian of norm 1.
    form = 2 * np.sqrt(np.pi) * SIGMA_PX * np.exp(-(mesh.kx**2 + mesh.ky**2) * SIGMA_PX**2 / 2)
    seen = np.stack([form * mesh.wave(-orbital) for orbital in orbitals])[None]
    near = resolvent(bloch(model, *zone(96)), ENERGY + 1j * eta)
    step = zone(96)[0]
    local = np.array([
        [near[0, 0].mean(), (near[0, 1] * step.conj()).mean()],
        [(near[1, 0] * step).mean(), near[1, 1].mean()],
    ])  # fmt: skip
    places = [mesh.wave(corner - centre) for corner in corners]
    fast = density(mesh, green, seen, (0, 1), places, answer(local, impurity.potential_eV))
    assert np.abs(fast - exact).max() < 2e-3 * np.abs(exact).max()


def test_the_torus_leaves_room_for_the_ripples_to_fade():
    assert Mesh(64, 6.0).pixels >= 64 + 4 * 6
    assert Mesh(64, 1000.0).decay == pytest.approx(0.6 * 64)
    assert Mesh(64, 1000.0).pixels < 4 * 64
