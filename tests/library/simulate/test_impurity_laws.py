"""Laws that every scatterer in every crystal obeys, those of the materials among them."""

import numpy as np
import pytest

from qpi_kernel.simulate import MATERIALS
from qpi_kernel.simulate.green import torus_green
from qpi_kernel.simulate.impurity import (
    Impurity,
    density_change,
    gaussian_impurity,
    impurity_green,
)
from qpi_kernel.simulate.spin import exchange
from qpi_kernel.simulate.superconductor import (
    bond_pair_impurity,
    d_wave,
    nambu,
    pair_impurity,
    s_wave,
)
from qpi_kernel.simulate.tmatrix import t_matrix
from tests.library.simulate.small_crystals import BOND, HONEYCOMB, RASHBA, SQUARE, TRIANGULAR

CASES = {
    "one site": (SQUARE, Impurity(((0, 0, 0),), [[1.7]])),
    "bond": (SQUARE, Impurity(((0, 0, 0), (1, 0, 0)), BOND)),
    "three sites in three cells": (
        TRIANGULAR,
        Impurity(((0, 0, 0), (2, -1, 0), (-1, 3, 0)), np.diag([1.0, -2.0, 0.5])),
    ),
    "vacancy on B of another cell": (HONEYCOMB, Impurity(((1, 2, 1),), [[1e4]])),
    "singular, both sublattices": (
        HONEYCOMB,
        Impurity(((0, 0, 0), (0, 0, 1), (0, -1, 1)), np.ones((3, 3))),
    ),
    "touched but not changed": (HONEYCOMB, Impurity(((0, 0, 0), (0, 0, 1)), np.zeros((2, 2)))),
    "magnetic": (RASHBA, Impurity(((0, 0, 0), (0, 0, 1)), exchange(0.8, (1.0, 0.5, -0.3)))),
    "antiferromagnetic pair": (
        RASHBA,
        Impurity(
            ((0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1)),
            np.kron(np.diag([1, -1]), exchange(0.8, (0, 0, 1))),
        ),
    ),
    "smooth charge": (TRIANGULAR, gaussian_impurity(TRIANGULAR, 0.9, 0.5)),
    "pair": (nambu(SQUARE, s_wave(0.4)), pair_impurity(0.7)),
    "pair on bonds": (nambu(SQUARE, d_wave(0.4)), bond_pair_impurity(0.6)),
}
# Model, scatterer, energy and broadening [eV]; the laws hold for any broadening, and waves of so
# much fade on a small torus.
LATTICES = [
    pytest.param(model, impurity, energy_eV, 0.1, id=f"{name} {energy_eV:g}")
    for name, (model, impurity) in CASES.items()
    for energy_eV in (-1.1, 0.4)
]
OF_MATERIALS = [
    pytest.param(
        material.crystal.model,
        material.scatterer(kind).impurity,
        0.4 * material.energies_eV[0] + 0.6 * material.energies_eV[1],
        0.05,
        id=f"{name} {kind}",
    )
    for name, material in MATERIALS.items()
    if material.crystal
    for kind in material.scatterers
]
SCATTERERS = pytest.mark.parametrize(
    ("model", "impurity", "energy_eV", "eta_eV"), LATTICES + OF_MATERIALS
)


def as_matrix(green):
    """G between all orbitals of the torus: G[(R, m), (R', n)] = G_mn(R - R')."""
    cells, n = len(green), green.shape[-1]
    i, j, m = (axis.ravel() for axis in np.indices((cells, cells, n)))
    return green[(i[:, None] - i) % cells, (j[:, None] - j) % cells, m[:, None], m[None, :]]


@pytest.mark.parametrize(("model", "impurity"), CASES.values(), ids=CASES)
def test_the_torus_is_that_of_the_hamiltonian(model, impurity):
    # G (E - H) = 1 with H built from the hoppings, cell by cell.
    cells, n = 6, model.orbital_count
    hamiltonian = np.zeros((cells, cells, n, n), complex)
    for hop in model.hoppings:
        i, j = hop.cell
        hamiltonian[i % cells, j % cells, hop.to, hop.start] += hop.amplitude_eV
        if hop.cell != (0, 0) or hop.to != hop.start:
            hamiltonian[-i % cells, -j % cells, hop.start, hop.to] += np.conj(hop.amplitude_eV)
    whole = (0.3 + 0.2j) * np.eye(cells**2 * n) - as_matrix(hamiltonian)
    green = as_matrix(torus_green(model, 0.3, 0.2, cells))
    np.testing.assert_allclose(green @ whole, np.eye(cells**2 * n), atol=1e-10)


@SCATTERERS
def test_the_t_matrix_equals_direct_inversion_of_a_torus(model, impurity, energy_eV, eta_eV):
    cells, n = 5, model.orbital_count
    green = torus_green(model, energy_eV, eta_eV, cells)
    bare = as_matrix(green)
    rows = [(i % cells * cells + j % cells) * n + m for i, j, m in impurity.sites]
    full = np.linalg.inv(bare)
    full[np.ix_(rows, rows)] -= impurity.potential_eV
    exact = np.linalg.inv(full)
    scattering = t_matrix(impurity_green(green, impurity), impurity.potential_eV)
    from_t = bare + bare[:, rows] @ scattering @ bare[rows, :]
    np.testing.assert_allclose(from_t, exact, atol=1e-9)
    density = -np.diagonal(exact - bare).imag / np.pi
    np.testing.assert_allclose(density_change(green, impurity).ravel(), density, atol=1e-9)


@SCATTERERS
def test_the_states_that_a_scatterer_adds_obey_friedel(model, impurity, energy_eV, eta_eV):
    cells, step = 6, 1e-4 * eta_eV

    def log_determinant(at_eV):
        green = impurity_green(torus_green(model, at_eV, eta_eV, cells), impurity)
        sign, size = np.linalg.slogdet(np.eye(len(green)) - green @ impurity.potential_eV)
        return size + 1j * np.angle(sign)

    added = density_change(torus_green(model, energy_eV, eta_eV, cells), impurity).sum()
    above, below = (log_determinant(energy_eV + shift) for shift in (step, -step))
    assert added == pytest.approx(-(above - below).imag / (2 * step) / np.pi, rel=1e-6, abs=1e-7)


@SCATTERERS
def test_a_scatterer_obeys_causality_and_the_optical_theorem(model, impurity, energy_eV, eta_eV):
    green = impurity_green(torus_green(model, energy_eV, eta_eV, 16), impurity)
    loss = (green - green.conj().T) / 2j
    assert np.linalg.eigvalsh(loss).max() < 0, "retarded"
    scattering = t_matrix(green, impurity.potential_eV)
    lost = (scattering - scattering.conj().T) / 2j
    np.testing.assert_allclose(
        lost, scattering.conj().T @ loss @ scattering, atol=1e-9 * np.abs(scattering).max()
    )


@pytest.mark.parametrize(("model", "impurity", "energy_eV", "eta_eV"), OF_MATERIALS)
def test_a_weak_scatterer_is_in_the_born_limit(model, impurity, energy_eV, eta_eV):
    green = torus_green(model, energy_eV, eta_eV, 8)
    unit = impurity.potential_eV / np.abs(impurity.potential_eV).max()

    def change(potential_eV):
        return density_change(green, Impurity(impurity.sites, potential_eV * unit))

    born, weak = change(1e-7) / 1e-7, change(1e-5) / 1e-5
    np.testing.assert_allclose(change(-1e-7) / -1e-7, born, atol=1e-4 * np.abs(born).max())
    np.testing.assert_allclose(weak, born, atol=1e-2 * np.abs(born).max())
