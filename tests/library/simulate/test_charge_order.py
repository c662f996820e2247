import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.charge_order import charge_ordered
from qpi_kernel.simulate.crystals import nbse2
from qpi_kernel.simulate.multiband import tas2, tise2

ORDERS = {
    "2 x 2": (tise2(), ((2, 0), (0, 2)), np.array([[0.0, 0.1], [0.1, 0.0]])),
    "3 x 3": (nbse2(1), ((3, 0), (0, 3)), np.array([[-0.05]])),
    "sqrt 13": (tas2(), ((3, 1), (-1, 4)), np.array([[-0.05]])),
}
EVERY = pytest.mark.parametrize(("model", "cell", "amplitude"), ORDERS.values(), ids=ORDERS)
K = np.random.default_rng(3).uniform(-10, 10, (2, 12))


@EVERY
def test_a_larger_cell_without_order_holds_the_bands_folded(model, cell, amplitude):
    large = charge_ordered(model, cell, 0 * amplitude)
    levels = np.linalg.eigvalsh(large.hamiltonian(*K))
    small = np.linalg.eigvalsh(model.hamiltonian(*K))
    assert large.orbital_count == round(np.linalg.det(cell)) * model.orbital_count
    distance = np.abs(levels[:, :, None] - small[:, None, :])
    assert distance.min(axis=1).max() < 1e-12


@EVERY
def test_the_order_is_three_waves_of_the_larger_cell(model, cell, amplitude):
    # On-site matrices: what the ordered crystal has and the same without order has not.
    n = model.orbital_count
    ordered, plain = (charge_ordered(model, cell, part * amplitude) for part in (1, 0))
    zero = np.zeros(1)
    change = (ordered.hamiltonian(zero, zero) - plain.hamiltonian(zero, zero))[0]
    places = ordered.orbitals_nm[::n] - model.orbitals_nm[0]
    first, second = ordered.reciprocal
    waves = sum(np.cos(places @ q) for q in (first, second, first + second))
    assert waves[0] == pytest.approx(3)
    np.testing.assert_allclose(change, np.kron(np.diag(waves), amplitude), atol=1e-12)
    assert np.sum(waves) == pytest.approx(0, abs=1e-12)


def test_order_of_2_x_2_mixes_gamma_with_the_three_m_points():
    model, cell, _ = ORDERS["2 x 2"]
    weak = 1e-3
    ordered = charge_ordered(model, cell, weak * np.array([[0, 1], [1, 0]]))
    zero = np.zeros(1)
    levels = np.linalg.eigvalsh(ordered.hamiltonian(zero, zero))[0]
    # Second order: the holes at Gamma are pushed up by 3 D^2 / (E_p - E_d).
    p, d = 0.0, -0.12
    expected = p + 3 * weak**2 / (p - d)
    assert np.abs(levels - expected).min() < 1e-8
    assert np.abs(levels - p).min() > 1e-5


def test_what_is_no_order_is_refused():
    with pytest.raises(QpiError, match="parallel"):
        charge_ordered(tas2(), ((1, 1), (2, 2)), [[0.1]])
    with pytest.raises(QpiError, match="Hermitian"):
        charge_ordered(tas2(), ((2, 0), (0, 2)), [[0.1j]])
    with pytest.raises(QpiError, match="2 orbitals"):
        charge_ordered(tise2(), ((2, 0), (0, 2)), [[0.1]])
