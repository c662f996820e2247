import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.green import (
    cells_per_nm,
    group_velocity,
    local_green,
    resolvent,
    torus_green,
    torus_length,
)
from qpi_kernel.simulate.spin import rashba_coupling, with_spin
from qpi_kernel.simulate.superconductor import d_wave, nambu
from qpi_kernel.simulate.tight_binding import (
    Hopping,
    TightBinding,
    honeycomb_lattice,
    square_lattice,
    triangular_lattice,
)

SQUARE = square_lattice(0.4, -0.1)
MODELS = {
    "one orbital": triangular_lattice(0.35, -0.1, 0.02),
    "two orbitals": honeycomb_lattice(0.3, -0.5, 0.1),
    "spin and holes": nambu(with_spin(SQUARE, rashba_coupling(0.02)), d_wave(0.02, 2)),
}
EVERY = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("broadening", [1e-1, 1e-4])
def test_the_resolvent_inverts_without_a_search_for_pivots(n, broadening):
    rng = np.random.default_rng(n)
    draw = rng.normal(size=(40, n, n)) + 1j * rng.normal(size=(40, n, n))
    hermitian = draw + draw.conj().swapaxes(1, 2)
    # The worst pivots: an energy that is an eigenvalue of the first diagonal element.
    energy = hermitian[0, 0, 0].real + 1j * broadening
    expected = np.linalg.inv(energy * np.eye(n) - hermitian)
    got = np.moveaxis(resolvent(np.moveaxis(hermitian, 0, 2), energy), 2, 0)
    scale = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert np.abs((got - expected) / scale).max() < 1e-10


@EVERY
def test_the_part_of_a_torus_is_that_of_the_whole(model):
    whole, part = (torus_green(model, 0.05, 0.03, 16, reach) for reach in (None, 3))
    near = np.r_[0:4, -3:0]
    np.testing.assert_allclose(part, whole[np.ix_(near, near)], atol=1e-12)
    assert part.shape[:2] == (7, 7)
    some = torus_green(model, 0.05, 0.03, 16, 3, [0])
    np.testing.assert_allclose(some[:, :, 0], part[:, :, 0], atol=1e-12)
    np.testing.assert_allclose(some[:, :, :, 0], part[:, :, :, 0], atol=1e-12)
    assert np.isnan(some[:, :, 1:, 1:]).all()


@EVERY
def test_the_torus_obeys_the_equation_of_motion(model):
    # sum_R' (E - H)(R - R') G(R') = delta_R0, with G summed by hand over the hoppings.
    energy, cells = 0.05 + 0.03j, 12
    green = torus_green(model, energy.real, energy.imag, cells)
    result = energy * green
    for cell, matrix in zip(*model.hopping_matrices, strict=True):
        result = result - np.einsum("mn,ijnk->ijmk", matrix, np.roll(green, cell, axis=(0, 1)))
    expected = np.zeros_like(green)
    expected[0, 0] = np.eye(model.orbital_count)
    np.testing.assert_allclose(result, expected, atol=1e-10)


@EVERY
def test_the_local_green_function_needs_no_torus_of_pixels(model):
    # Midpoints against the corners of the mesh: both converge to the infinite crystal.
    expected = torus_green(model, 0.05, 0.08, 96)[0, 0]
    got = local_green(model, 0.05, 0.08, 90)
    np.testing.assert_allclose(got, expected, atol=1e-6 * np.abs(expected).max())


def test_the_group_velocity_is_the_slope_of_the_band():
    # E = 2 t (cos kx a + cos ky a): hbar |v| = 2 t a sqrt(sin^2 + sin^2), at most 2 sqrt(2) t a.
    fastest = 2 * np.sqrt(2) * 0.1 * 0.4
    assert group_velocity(SQUARE, 0.0, 0.001) == pytest.approx(fastest, rel=5e-3)
    assert group_velocity(SQUARE, -0.39, 0.001) < 0.75 * fastest
    assert group_velocity(SQUARE, 3.0, 0.001) == 0


def test_a_heavy_band_is_slower_than_the_light_one_it_hybridises_with():
    # A flat level f and a band e: (e - E)(f - E) = s^2, so dE/de = 1 / (1 + s^2 / (f - E)^2).
    light, s, f, energy = square_lattice(0.4, -0.1), 0.02, 0.01, 0.0025
    coupled = (Hopping((0, 0), 1, 1, f), Hopping((0, 0), 0, 1, s))
    model = TightBinding(light.lattice_nm, np.zeros((2, 2)), (*light.hoppings, *coupled))
    band = energy + s**2 / (f - energy)
    cosine = -band / 0.4
    share = 1 / (1 + s**2 / (f - energy) ** 2)
    expected = 2 * 0.1 * 0.4 * np.sqrt(2 * (1 - cosine**2)) * share
    assert expected < group_velocity(model, energy, 1e-4) < 1.3 * expected
    assert group_velocity(model, 0.2, 1e-4) > 5 * expected


def test_the_torus_is_longer_than_the_waves_live():
    long, short = (torus_length(SQUARE, 0.0, eta, 20.0) - 20.0 for eta in (0.002, 0.02))
    assert long == pytest.approx(10 * short, rel=5e-3)
    assert short == pytest.approx(5 * group_velocity(SQUARE, 0.0, 0.02) / 0.02, rel=1e-9)
    assert torus_length(SQUARE, 3.0, 0.01, 20.0) == 20.0


def test_a_torus_that_no_machine_holds_is_refused_with_its_size():
    with pytest.raises(QpiError, match=r"more than 4096; raise the broadening to 0\.\d+ meV"):
        torus_length(SQUARE, 0.0, 1e-5, 20.0)
    with pytest.raises(QpiError, match="take a smaller window"):
        torus_length(SQUARE, 0.0, 0.01, 5000.0)
    with pytest.raises(QpiError, match="broadening must be positive"):
        torus_length(SQUARE, 0.0, 0.0, 20.0)


def test_what_the_refusal_asks_for_is_enough():
    with pytest.raises(QpiError) as refusal:
        torus_length(SQUARE, 0.0, 1e-5, 20.0)
    asked = float(str(refusal.value).split("raise the broadening to ")[1].split()[0])
    assert torus_length(SQUARE, 0.0, 1.06e-3 * asked, 20.0) * cells_per_nm(SQUARE) <= 4096
