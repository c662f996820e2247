import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.spin import PAULI, exchange, rashba_coupling, spin_tip, with_spin
from qpi_kernel.simulate.superconductor import nambu, s_wave
from qpi_kernel.simulate.tight_binding import (
    Hopping,
    TightBinding,
    honeycomb_lattice,
    square_lattice,
)

SQUARE = square_lattice(0.5, -0.1, 0.02)
KX, KY = np.random.default_rng(3).uniform(-12, 12, (2, 40))


@pytest.mark.parametrize("model", [SQUARE, honeycomb_lattice(0.3, -1.0, 0.1)])
def test_without_coupling_there_are_two_copies(model):
    n = model.orbital_count
    whole, one = with_spin(model).hamiltonian(KX, KY), model.hamiltonian(KX, KY)
    np.testing.assert_allclose(whole[:, :n, :n], one, atol=1e-14)
    np.testing.assert_allclose(whole[:, n:, n:], one, atol=1e-14)
    assert not whole[:, :n, n:].any()


def test_rashba_has_the_stated_form():
    strength, a = 0.03, 0.5
    whole = with_spin(SQUARE, rashba_coupling(strength)).hamiltonian(KX, KY)
    expected = 2 * strength * (
        np.sin(KY * a)[:, None, None] * PAULI[0] - np.sin(KX * a)[:, None, None] * PAULI[1]
    ) + SQUARE.hamiltonian(KX, KY) * np.eye(2)
    np.testing.assert_allclose(whole, expected, atol=1e-14)


def test_spin_orbit_coupling_keeps_time_reversal():
    # sigma_y H*(-k) sigma_y = H(k), and levels are pairs at k and -k.
    model = with_spin(SQUARE, rashba_coupling(0.03))
    reversed_in_time = PAULI[1] @ model.hamiltonian(-KX, -KY).conj() @ PAULI[1]
    np.testing.assert_allclose(reversed_in_time, model.hamiltonian(KX, KY), atol=1e-14)


def test_zeeman_terms_break_it():
    zeeman = (Hopping((0, 0), 0, 0, 0.04), Hopping((0, 0), 1, 1, -0.04))
    levels = np.linalg.eigvalsh(with_spin(SQUARE, zeeman).hamiltonian(KX, KY))
    np.testing.assert_allclose(levels[:, 1] - levels[:, 0], 0.08, atol=1e-12)


def test_a_spin_points_where_it_is_told():
    for direction, sigma in zip(np.eye(3), PAULI, strict=True):
        np.testing.assert_allclose(exchange(0.7, 5 * direction), 0.7 * sigma, atol=1e-15)
    tilted = exchange(0.7, (1.0, -2.0, 2.0))
    np.testing.assert_allclose(np.linalg.eigvalsh(tilted), [-0.7, 0.7])
    np.testing.assert_allclose(tilted[0, 0], 0.7 * 2 / 3)


def test_a_tip_without_magnetisation_sees_the_two_spins_apart():
    observed = spin_tip(2)
    up, down = np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])
    assert (up @ observed @ up, down @ observed @ down, up @ observed @ down) == (4, 4, 0)
    polarised = spin_tip(2, (0, 0, 1))
    assert (up @ polarised @ up, down @ polarised @ down) == (4, -4)


def test_what_makes_no_spin_is_refused():
    with pytest.raises(QpiError, match="direction"):
        spin_tip(1, (0, 0, 0))
    for model in (with_spin(SQUARE), nambu(SQUARE, s_wave(0.01))):
        with pytest.raises(QpiError, match="has both spins or holes already"):
            with_spin(model)
    with pytest.raises(QpiError, match="does not fit 2 orbitals"):
        with_spin(SQUARE, [Hopping((0, 0), 0, 2, 0.1)])
    with pytest.raises(QpiError, match="as many lobes"):
        TightBinding(np.eye(2), np.zeros((1, 2)), (), lobes=("px", "py"))
    with pytest.raises(QpiError, match="each one of s, px"):
        TightBinding(np.eye(2), np.zeros((1, 2)), (), lobes=("dxz",))
