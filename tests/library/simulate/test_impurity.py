import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.green import torus_green
from qpi_kernel.simulate.impurity import (
    Impurity,
    density_change,
    gaussian_impurity,
    impurity_kernel,
)
from qpi_kernel.simulate.spin import exchange, spin_tip, with_spin
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding
from qpi_kernel.simulate.tmatrix import lattice_kernel
from tests.library.simulate.small_crystals import BOND, HONEYCOMB, RASHBA, SQUARE


def axis_of(pixels=12, step=0.31):
    return step * np.arange(-pixels, pixels + 1)


@pytest.mark.parametrize("angle_deg", [0.0, 25.0])
@pytest.mark.parametrize("name", ["one site", "honeycomb"])
def test_one_site_gives_the_kernel_of_the_lattice(name, angle_deg):
    model, potential = (SQUARE, 1.7) if name == "one site" else (HONEYCOMB, -2.0)
    axis = axis_of(40, 0.25)
    expected = lattice_kernel(
        model, axis, axis, -0.8, potential_eV=potential, broadening_eV=1.0, wannier_nm=0.4,
        angle_deg=angle_deg, mesh=96,
    )  # fmt: skip
    kernel = impurity_kernel(
        model, Impurity(((0, 0, 0),), [[potential]]), axis, axis, -0.8, broadening_eV=1.0,
        wannier_nm=0.4, angle_deg=angle_deg, cells=96,
    )  # fmt: skip
    np.testing.assert_allclose(kernel, expected, atol=1e-4 * np.abs(expected).max())


def test_a_scatterer_may_stand_in_any_cell():
    axis = axis_of()
    kernels = [
        impurity_kernel(
            HONEYCOMB,
            Impurity(((i, j, 0), (i + 1, j, 1)), BOND),
            axis,
            axis,
            -0.8,
            broadening_eV=0.3,
            wannier_nm=0.4,
            cells=48,
        )
        for i, j in ((0, 0), (5, -3))
    ]
    np.testing.assert_allclose(kernels[1], kernels[0], atol=1e-10)


def test_the_torus_grows_with_the_window():
    axis = axis_of(30)
    impurity = Impurity(((0, 0, 0),), [[1.0]])
    kernels = [
        impurity_kernel(
            SQUARE, impurity, axis, axis, -0.8, broadening_eV=1.5, wannier_nm=0.4, cells=cells
        )
        for cells in (4, 128)
    ]
    np.testing.assert_allclose(kernels[0], kernels[1], atol=1e-5 * np.abs(kernels[1]).max())


def spin_kernel(impurity, direction=None, model=RASHBA):
    axis = axis_of()
    return impurity_kernel(
        model, impurity, axis, axis, -1.0, broadening_eV=0.3, wannier_nm=0.4, cells=64,
        tip=spin_tip(1, direction),
    )  # fmt: skip


def test_spins_that_do_not_mix_add_their_densities():
    one = impurity_kernel(
        SQUARE, Impurity(((0, 0, 0),), [[0.9]]), axis_of(), axis_of(), -1.0, broadening_eV=0.3,
        wannier_nm=0.4, cells=64,
    )  # fmt: skip
    both = Impurity(((0, 0, 0), (0, 0, 1)), 0.9 * np.eye(2))
    kernel = spin_kernel(both, model=with_spin(SQUARE))
    np.testing.assert_allclose(kernel, 2 * one, atol=1e-10)


def test_only_a_magnetic_tip_sees_a_weak_spin():
    small = 1e-4
    spin = Impurity(((0, 0, 0), (0, 0, 1)), exchange(small, (0, 0, 1)))
    charge = Impurity(((0, 0, 0), (0, 0, 1)), small * np.eye(2))
    reference = np.abs(spin_kernel(charge)).max()
    assert np.abs(spin_kernel(spin)).max() < 1e-3 * reference
    assert np.abs(spin_kernel(spin, (0, 0, 1))).max() > 0.3 * reference
    assert np.abs(spin_kernel(charge, (0, 0, 1))).max() < 1e-3 * reference


def test_turning_the_spin_over_turns_the_magnetic_kernel_over():
    # Time reversal: J -> -J with d -> -d leaves the map as it is.
    kernels = [
        spin_kernel(Impurity(((0, 0, 0), (0, 0, 1)), exchange(0.8, (0, 0, sign))), (0, 0, sign))
        for sign in (1, -1)
    ]
    np.testing.assert_allclose(kernels[1], kernels[0], atol=1e-9)


def test_rashba_bands_split():
    levels = np.linalg.eigvalsh(RASHBA.hamiltonian(np.array(0.7), np.array(0.0)))
    assert levels[1] - levels[0] == pytest.approx(2 * 2 * 0.25 * np.sin(0.7))


def test_what_does_not_fit_is_refused():
    with pytest.raises(QpiError, match="does not fit 2 different sites"):
        Impurity(((0, 0, 0), (1, 0, 0)), [[1.0]])
    with pytest.raises(QpiError, match="different sites"):
        Impurity(((0, 0, 0), (0, 0, 0)), np.eye(2))
    with pytest.raises(QpiError, match="Hermitian"):
        Impurity(((0, 0, 0),), [[1j]])
    with pytest.raises(QpiError, match="broadening must be positive"):
        torus_green(SQUARE, 0.1, 0.0, 8)
    with pytest.raises(QpiError, match="direction"):
        exchange(1.0, (0, 0, 0))
    axis = axis_of(3)
    for site, wannier, match in (((0, 0, 1), 0.4, "does not fit"), ((0, 0, 0), 0.0, "Wannier")):
        with pytest.raises(QpiError, match=match):
            impurity_kernel(
                SQUARE, Impurity((site,), [[1.0]]), axis, axis, 0.1, broadening_eV=0.1,
                wannier_nm=wannier,
            )  # fmt: skip


def test_the_torus_follows_from_the_broadening():
    axis = axis_of(12, 0.5)
    for eta, bound in ((0.3, 1e-3), (0.05, 5e-3)):
        short, long = (
            impurity_kernel(
                SQUARE, Impurity(((0, 0, 0),), [[1.0]]), axis, axis, -0.8, broadening_eV=eta,
                wannier_nm=0.4, cells=cells,
            )
            for cells in (None, 1200)
        )  # fmt: skip
        assert np.abs(short - long).max() < bound * np.abs(long).max()


def test_many_energies_in_one_call():
    axis, energies = axis_of(), np.array([[-1.2, -0.4, 0.3]])
    options = {"broadening_eV": 0.3, "wannier_nm": 0.4}
    point = Impurity(((0, 0, 0),), [[1.0]])
    together = impurity_kernel(HONEYCOMB, point, axis, axis, energies, cells=64, **options)
    assert together.shape == (1, 3, axis.size, axis.size)
    for energy, plane in zip(energies[0], together[0], strict=True):
        one = impurity_kernel(HONEYCOMB, point, axis, axis, energy, cells=64, **options)
        np.testing.assert_allclose(plane, one, atol=1e-12)
    lattice = lattice_kernel(HONEYCOMB, axis, axis, energies, potential_eV=1.0, **options)
    np.testing.assert_allclose(lattice, together, atol=2e-3 * np.abs(together).max())


LOBED = TightBinding(
    np.array([[1.0, 0.0], [0.2, 1.1]]),
    np.array([[0.0, 0.0], [0.0, 0.0], [0.4, 0.3], [0.4, 0.3]]),
    (
        Hopping((1, 0), 0, 0, -0.5), Hopping((0, 1), 0, 1, 0.3j), Hopping((0, 0), 1, 2, 0.4 + 0.2j),
        Hopping((1, 1), 2, 3, -0.6), Hopping((0, 0), 3, 3, 0.5), Hopping((1, -1), 3, 1, 0.2),
    ),
    lobes=("px", "dxy", "s", "dx2-y2"),
)  # fmt: skip


@pytest.mark.parametrize("angle_deg", [0.0, 35.0])
def test_lobes_and_the_place_between_pixels_are_the_same_in_both_engines(angle_deg):
    # One sums Wannier functions pixel by pixel, the other multiplies their transforms.
    y, x = (0.25 * np.arange(-40, 41) + offset for offset in (0.07, -0.11))
    expected = lattice_kernel(
        LOBED, y, x, -0.3, potential_eV=0.9, broadening_eV=0.7, wannier_nm=0.4, mesh=96,
        angle_deg=angle_deg,
    )  # fmt: skip
    kernel = impurity_kernel(
        LOBED, Impurity(((0, 0, 0),), [[0.9]]), y, x, -0.3, broadening_eV=0.7, wannier_nm=0.4,
        angle_deg=angle_deg, cells=96,
    )  # fmt: skip
    np.testing.assert_allclose(kernel, expected, atol=1e-4 * np.abs(expected).max())


def test_a_quarter_turn_makes_px_of_py():
    def kernel(lobe, angle_deg):
        model = TightBinding(np.eye(2), np.zeros((1, 2)), SQUARE.hoppings, lobes=(lobe,))
        return impurity_kernel(
            model, Impurity(((0, 0, 0),), [[0.9]]), axis_of(), axis_of(), -0.8, broadening_eV=0.3,
            wannier_nm=0.35, angle_deg=angle_deg, cells=64,
        )  # fmt: skip

    px, py = kernel("px", 0.0), kernel("py", 0.0)
    scale = np.abs(px).max()
    np.testing.assert_allclose(kernel("px", 90.0), py, atol=1e-9 * scale)
    np.testing.assert_allclose(px.T, py, atol=1e-9 * scale)
    np.testing.assert_allclose(kernel("dxy", 45.0), kernel("dxy", -45.0), atol=1e-9 * scale)
    assert np.abs(px - py).max() > 0.1 * scale
    # Odd orbitals around an even scatterer: a node along y.
    assert np.abs(px[:, 12]).max() < 1e-9 * scale


def test_the_place_between_pixels_is_a_phase_in_reciprocal_space():
    axis, shift = axis_of(60, 0.2), 0.083
    kernels = [
        impurity_kernel(
            SQUARE, Impurity(((0, 0, 0),), [[0.9]]), axis, axis + offset, -0.8, broadening_eV=1.0,
            wannier_nm=0.5, cells=64,
        )
        for offset in (0.0, shift)
    ]  # fmt: skip
    q = 2 * np.pi * np.fft.fftfreq(axis.size, 0.2)
    moved = np.fft.ifft(np.fft.fft(kernels[0], axis=1) * np.exp(1j * q * shift), axis=1).real
    np.testing.assert_allclose(moved, kernels[1], atol=1e-4 * np.abs(kernels[0]).max())


def test_a_weak_smooth_scatterer_is_a_sum_of_points():
    # Born: delta rho is linear in V.
    cells, small = 24, 1e-5
    green = torus_green(SQUARE, -0.6, 0.3, cells)
    smooth = gaussian_impurity(SQUARE, small, 1.1)
    point = density_change(green, Impurity(((0, 0, 0),), [[small]]))
    expected = sum(
        strength / small * np.roll(point, (i, j), axis=(0, 1))
        for (i, j, _), strength in zip(smooth.sites, np.diag(smooth.potential_eV).real, strict=True)
    )
    assert len(smooth.sites) > 30
    np.testing.assert_allclose(
        density_change(green, smooth), expected, atol=1e-3 * np.abs(expected).max()
    )


def test_a_smooth_scatterer_is_bounded():
    assert gaussian_impurity(HONEYCOMB, 0.4, 0.05, 1).sites == ((0, 0, 1),)
    for radius, match in ((0.0, "must be positive"), (30.0, "smaller radius")):
        with pytest.raises(QpiError, match=match):
            gaussian_impurity(SQUARE, 1.0, radius)


def test_spins_do_not_interfere_unless_told():
    impurity = Impurity(((0, 0, 0), (0, 0, 1)), exchange(0.8, (1.0, 0.5, -0.3)))
    options = {"broadening_eV": 0.3, "wannier_nm": 0.4, "cells": 64}
    axis = axis_of()
    by_itself = impurity_kernel(RASHBA, impurity, axis, axis, -1.0, **options)
    np.testing.assert_allclose(by_itself, spin_kernel(impurity), atol=1e-12)
    interfering = impurity_kernel(
        RASHBA, impurity, axis, axis, -1.0, tip=np.ones((2, 2)), **options
    )
    assert np.abs(interfering - by_itself).max() > 0.1 * np.abs(by_itself).max()
