import numpy as np
import pytest

from qpi_kernel.simulate.crystals import bi2212, octet_tip, pnictide
from qpi_kernel.simulate.green import torus_green
from qpi_kernel.simulate.impurity import Impurity, impurity_kernel
from qpi_kernel.simulate.spin import with_spin
from qpi_kernel.simulate.superconductor import (
    bond_pair_impurity,
    d_wave,
    magnetic_impurity,
    nambu,
    nambu_density_change,
    pair_impurity,
    s_plus_minus,
    s_wave,
    scalar_impurity,
)
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding, square_lattice

SQUARE = square_lattice(1.0, -1.0, 0.3)
LOPSIDED = TightBinding(
    np.array([[1.0, 0.0], [0.2, 1.1]]),
    np.array([[0.0, 0.0], [0.4, 0.3]]),
    (Hopping((0, 0), 1, 0, 0.3 + 0.4j), Hopping((1, 0), 0, 0, 0.2j), Hopping((0, 1), 0, 1, -0.5)),
)
AXIS = 0.3 * np.arange(-15, 16)


def gap_of(pairing, kx, ky):
    return nambu(SQUARE, pairing).hamiltonian(kx, ky)[..., 0, 1]


def test_pairings_have_their_form():
    kx, ky = np.random.default_rng(1).uniform(-5, 5, (2, 30))
    cx, cy = np.cos(kx), np.cos(ky)
    np.testing.assert_allclose(gap_of(s_wave(0.3), kx, ky), 0.3, atol=1e-14)
    np.testing.assert_allclose(gap_of(d_wave(0.3), kx, ky), 0.3 * (cx - cy) / 2, atol=1e-14)
    np.testing.assert_allclose(gap_of(s_plus_minus(0.3), kx, ky), 0.3 * cx * cy, atol=1e-14)


def test_holes_are_electrons_run_backwards():
    kx, ky = np.random.default_rng(2).uniform(-5, 5, (2, 30))
    whole = nambu(LOPSIDED, ()).hamiltonian(kx, ky)
    np.testing.assert_allclose(whole[:, :2, :2], LOPSIDED.hamiltonian(kx, ky), atol=1e-14)
    holes = -LOPSIDED.hamiltonian(-kx, -ky).conj()
    np.testing.assert_allclose(whole[:, 2:, 2:], holes, atol=1e-14)
    np.testing.assert_allclose(whole[:, :2, 2:], 0)


def test_levels_are_those_of_bogoliubov():
    kx, ky = np.random.default_rng(3).uniform(-5, 5, (2, 30))
    band, gap = SQUARE.hamiltonian(kx, ky)[:, 0, 0].real, 0.4 * (np.cos(kx) - np.cos(ky)) / 2
    expected = np.sqrt(band**2 + gap**2)
    levels = np.linalg.eigvalsh(nambu(SQUARE, d_wave(0.4)).hamiltonian(kx, ky))
    np.testing.assert_allclose(levels, np.stack([-expected, expected], -1), atol=1e-12)


def test_an_s_wave_gap_is_empty():
    model = nambu(SQUARE, s_wave(0.5))
    inside, outside = (
        -torus_green(model, energy, 0.01, 96)[0, 0, 0, 0].imag for energy in (0.1, 0.55)
    )
    assert inside < 0.05 * outside


@pytest.mark.parametrize("energy", [-0.7, 0.4])
@pytest.mark.parametrize("model", [SQUARE, LOPSIDED], ids=["square", "lopsided"])
def test_without_a_gap_the_kernel_is_the_normal_one_of_two_spins(model, energy):
    normal = impurity_kernel(
        model, Impurity(((0, 0, 0),), [[0.8]]), AXIS, AXIS, energy, broadening_eV=0.3,
        wannier_nm=0.4, cells=48,
    )  # fmt: skip
    n = model.orbital_count
    kernel = impurity_kernel(
        nambu(model, s_wave(0.0, n)), scalar_impurity(0.8, 0, n), AXIS, AXIS, energy,
        broadening_eV=0.3, wannier_nm=0.4, cells=48,
    )  # fmt: skip
    np.testing.assert_allclose(kernel, 2 * normal, atol=1e-10)


@pytest.mark.parametrize("energy", [-0.7, 0.3])
def test_listing_both_spins_changes_nothing(energy):
    # (c_up, c_down, and both daggers) holds every state twice, (c_up, c_down^dagger) once.
    gap = 0.4
    singlet = (Hopping((0, 0), 0, 1, gap), Hopping((0, 0), 1, 0, -gap))
    listed = nambu(with_spin(SQUARE), singlet)
    charge = Impurity(tuple((0, 0, m) for m in range(4)), 0.8 * np.diag([1.0, 1.0, -1.0, -1.0]))
    options = {"broadening_eV": 0.3, "wannier_nm": 0.4, "cells": 48}
    both = impurity_kernel(listed, charge, AXIS, AXIS, energy, **options)
    short = impurity_kernel(
        nambu(SQUARE, s_wave(gap)), scalar_impurity(0.8), AXIS, AXIS, energy, **options
    )
    np.testing.assert_allclose(both, short, atol=1e-10)


def test_a_pair_scatterer_in_a_normal_metal_acts_alike_on_both_sides_of_the_fermi_level():
    # It turns an electron at E into a hole at -E: the densities of E and -E trade places.
    metal = nambu(square_lattice(1.0, -1.0), ())
    forward, backward = (
        nambu_density_change(metal, pair_impurity(0.4), energy, broadening_eV=0.1, cells=32)
        for energy in (0.3, -0.3)
    )
    np.testing.assert_allclose(forward, backward, atol=1e-12)
    assert np.abs(forward).max() > 1e-3


def test_a_weak_magnetic_scatterer_is_seen_at_second_order_only():
    model = nambu(SQUARE, d_wave(0.4))
    weak, strong = (
        nambu_density_change(model, magnetic_impurity(v), 0.2, broadening_eV=0.05, cells=48)
        for v in (1e-3, 2e-3)
    )
    charge = nambu_density_change(model, scalar_impurity(1e-3), 0.2, broadening_eV=0.05, cells=48)
    assert np.abs(weak).max() < 0.01 * np.abs(charge).max()
    np.testing.assert_allclose(strong, 4 * weak, atol=0.01 * np.abs(strong).max())


def test_an_s_wave_magnetic_scatterer_binds_a_state_in_the_gap():
    # Yu-Shiba-Rusinov: a peak inside the gap, which a charge cannot make (Anderson).
    model = nambu(SQUARE, s_wave(0.5))
    energies = np.linspace(0.02, 0.4, 39)
    magnetic, charge = (
        [
            nambu_density_change(model, impurity, energy, broadening_eV=0.01, cells=64)[0, 0, 0]
            for energy in energies
        ]
        for impurity in (magnetic_impurity(2.5), scalar_impurity(2.5))
    )
    assert max(magnetic) > 20 * np.abs(charge).max()


@pytest.mark.parametrize("energy", [0.006, 0.010, 0.014, 0.018])
def test_coherence_factors_of_bi2212(energy):
    # A charge shows the vectors that turn the sign of the gap, a pair scatterer those that keep it.
    cells, gap, a = 320, 0.025, 0.383
    model = nambu(bi2212(), d_wave(gap))
    kx, ky = octet_tip(energy, gap)
    spectra = []
    for impurity in (scalar_impurity(0.02), bond_pair_impurity(0.002)):
        change = nambu_density_change(model, impurity, energy, broadening_eV=0.002, cells=cells)
        spectrum = np.abs(np.fft.fft2(change[..., 0]))
        spectrum[0, 0] = 0.0
        spectra.append(spectrum / np.sqrt(np.mean(spectrum**2)))

    def ratio(qx, qy):
        i, j = (np.arange(-3, 4) + round(q * a / (2 * np.pi) * cells) for q in (qx, qy))
        charge, pair = (spectrum[np.ix_(i % cells, j % cells)].max() for spectrum in spectra)
        return charge / pair

    assert ratio(2 * kx, 0) < 0.3
    assert ratio(kx + ky, ky - kx) > 1.8
    assert ratio(kx + ky, kx + ky) > 30


def test_two_orbitals_superconduct_too():
    model = nambu(pnictide(), s_plus_minus(0.02, 2))
    assert model.orbital_count == 4
    kernel = impurity_kernel(
        model, scalar_impurity(0.2, 0, 2), AXIS, AXIS, 0.03, broadening_eV=0.01, wannier_nm=0.2,
        tip=np.eye(2), cells=64,
    )  # fmt: skip
    assert np.all(np.isfinite(kernel))
    # A scatterer in the xz orbital alone leaves two mirrors, not four.
    np.testing.assert_allclose(kernel[::-1], kernel, atol=1e-9)
    assert np.linalg.norm(kernel.T - kernel) > 0.05 * np.linalg.norm(kernel)
