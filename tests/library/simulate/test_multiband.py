import numpy as np
import pytest

from qpi_kernel.simulate import multiband
from qpi_kernel.simulate.crystals import contour_crossings, sr2ruo4
from qpi_kernel.simulate.impurity import Impurity, impurity_kernel

K = np.random.default_rng(5).uniform(-8, 8, (2, 20))


def levels(model, kx, ky):
    return np.linalg.eigvalsh(model.hamiltonian(np.asarray(kx, float), np.asarray(ky, float)))


def test_without_spin_orbit_coupling_sr2ruo4_has_the_published_bands():
    model = multiband.sr2ruo4_t2g(0.0)
    x, y = 0.387 * K
    xz = -2 * np.cos(x) - 0.16 * np.cos(y) - 1.08
    yz = -2 * np.cos(y) - 0.16 * np.cos(x) - 1.08
    mix = 0.52 * np.sin(x) * np.sin(y)
    root = np.sqrt((xz - yz) ** 2 / 4 + mix**2)
    bands = [0.1134 * ((xz + yz) / 2 + sign * root) for sign in (-1, 1)]
    gamma = sr2ruo4().hamiltonian(*K)[:, 0, 0].real
    expected = np.sort(np.stack([*bands, gamma], -1), axis=-1)
    np.testing.assert_allclose(levels(model, *K), expected, atol=1e-4)


def test_the_fermi_surface_of_sr2ruo4_is_the_published_one():
    # Along the diagonal beta, gamma and alpha; along x beta and gamma; 4 electrons in 3 orbitals.
    model = multiband.sr2ruo4_t2g(0.0)
    along = contour_crossings(model, 0.0, (1.0, 1.0), 11.0)
    assert along == pytest.approx([6.77, 7.44, 8.28], abs=0.01)
    assert contour_crossings(model, 0.0, (1.0, 0.0), 8.0)[0] == pytest.approx(5.78, abs=0.01)
    u, v = (np.indices((120, 120)) + 0.5) / 120 * 2 * np.pi / 0.387
    assert 3 * np.mean(levels(model, u, v) < 0) == pytest.approx(2.016, abs=0.01)


def test_spin_orbit_coupling_opens_the_crossings_of_sr2ruo4():
    coupled, plain = (multiband.sr2ruo4_t2g(strength) for strength in (0.03, 0.0))
    k = np.linspace(0, 11, 4000) / np.sqrt(2)
    gaps = [np.diff(levels(model, k, k), axis=-1).min() for model in (coupled, plain)]
    assert gaps[1] < 1e-4
    assert gaps[0] > 0.01


def test_cecoin5_is_two_bands_hybridised():
    x, y = 0.46 * K
    light = -0.1 * (np.cos(x) + np.cos(y)) + 0.02
    root = np.sqrt(((light - 0.002) / 2) ** 2 + 0.01**2)
    expected = np.stack([(light + 0.002) / 2 - root, (light + 0.002) / 2 + root], -1)
    np.testing.assert_allclose(levels(multiband.cecoin5(), *K), expected, atol=1e-14)


def test_lifeas_has_its_pockets_where_they_belong():
    model = multiband.lifeas()
    corner = np.pi / 0.377
    assert levels(model, 0, 0)[:3] == pytest.approx([0.005, 0.012, 0.030], abs=1e-12)
    assert levels(model, corner, corner)[3] == pytest.approx(-0.030, abs=1e-12)
    # Curvature -hbar^2 / m of the outer pocket.
    step = 1e-3
    bend = (levels(model, step, 0)[2] - levels(model, 0, 0)[2]) / step**2
    assert bend == pytest.approx(-0.0381 / 4, rel=1e-3)


def test_the_square_net_is_two_sets_of_chains_folded():
    # Along and across the bonds, d = a / sqrt 2; the bands +-E meet in a diamond at E = 0.
    a, sigma, pi = 0.354, 0.6, -0.06
    kx, ky = K
    one, two = (kx + ky) * a / 2, (ky - kx) * a / 2
    chains = [2 * sigma * np.cos(one) + 2 * pi * np.cos(two)]
    chains += [2 * sigma * np.cos(two) + 2 * pi * np.cos(one)]
    expected = np.sort(np.stack([sign * e for e in chains for sign in (-1, 1)], -1), axis=-1)
    np.testing.assert_allclose(
        levels(multiband.square_net(a, sigma, pi, 0.0), *K), expected, atol=1e-12
    )


def test_the_sites_of_the_square_net_are_turned_copies():
    model = multiband.square_net(0.354, 0.6, -0.06, 0.1)
    axis = 0.1 * np.arange(-15, 16)
    a, b = (
        impurity_kernel(
            model, Impurity(((0, 0, m), (0, 0, m + 1)), np.eye(2)), axis, axis, 0.2,
            broadening_eV=0.05, wannier_nm=0.1, cells=48,
        )
        for m in (0, 2)
    )  # fmt: skip
    np.testing.assert_allclose(b, a.T, atol=1e-9 * np.abs(a).max())
    assert np.linalg.norm(b - a) > 0.1 * np.linalg.norm(a)


@pytest.mark.parametrize(
    ("model", "bottom"), [(multiband.tise2(), -0.12), (multiband.tas2(), -0.37)]
)
def test_the_electrons_of_the_dichalcogenides_sit_at_m(model, bottom):
    b1, b2 = model.reciprocal
    u, v = np.indices((60, 60)) / 60
    d = model.hamiltonian(u * b1[0] + v * b2[0], u * b1[1] + v * b2[1])[..., -1, -1].real
    assert d.min() == pytest.approx(bottom, abs=1e-12)
    assert {(int(i), int(j)) for i, j in np.argwhere(d < bottom + 1e-9)} == {
        (0, 30),
        (30, 0),
        (30, 30),
    }


def test_the_holes_of_tise2_sit_at_gamma():
    step = 1e-2
    model = multiband.tise2()
    p = model.hamiltonian(np.array([0.0, step]), np.zeros(2))[:, 0, 0].real
    assert p[0] == pytest.approx(0.0, abs=1e-12)
    assert (p[1] - p[0]) / step**2 == pytest.approx(-0.0381 / 0.6, rel=1e-3)
