"""Laws that the kernel of every material obeys: its bands, its point group, its wave vectors."""

from dataclasses import replace

import numpy as np
import pytest

from qpi_kernel import radial_profile, ring_radius, simulate_kernel
from qpi_kernel.simulate import MATERIALS
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.tight_binding import TightBinding

CRYSTALS = [name for name, material in MATERIALS.items() if material.crystal]
SUPERCONDUCTORS = [name for name in CRYSTALS if MATERIALS[name].crystal.model.particles == 2]
DEFECTS = [(name, kind) for name in MATERIALS for kind in MATERIALS[name].scatterers]
WARPED = ("bi2te3", "bi2se3")
# Waves so short that a small torus holds them.
ETA_EV = 0.05


def middle_eV(name):
    low, high = MATERIALS[name].energies_eV
    return 0.4 * low + 0.6 * high


def rotations(symmetry):
    """Return n of C_n or C_nv."""
    return int(symmetry.strip("Cv"))


@pytest.mark.parametrize("name", CRYSTALS)
def test_bands_of_a_material_are_real_and_keep_the_point_group_of_its_site(name):
    material = MATERIALS[name]
    model, symmetry = material.crystal.model, material.scatterer().symmetry
    k = np.random.default_rng(1).uniform(-12, 12, (2, 30))
    matrices = model.hamiltonian(*k)
    np.testing.assert_allclose(matrices, matrices.conj().swapaxes(-1, -2), atol=1e-14)
    angle = 2 * np.pi / rotations(symmetry)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    images = [turn @ k] + ([k * [[-1], [1]]] if symmetry.endswith("v") else [])
    for image in images:
        levels = np.linalg.eigvalsh(model.hamiltonian(*image))
        np.testing.assert_allclose(levels, np.linalg.eigvalsh(matrices), atol=1e-12)


def site_kernel(name, kind, dy_nm, dx_nm):
    """Return the kernel on a small grid, for crystals with waves that fade within it."""
    material = MATERIALS[name]
    defect = material.scatterer(kind)
    y, x = dy_nm * np.arange(-6, 7), dx_nm * np.arange(-12, 13)
    if name in WARPED:
        return defect.kernel(y, x, middle_eV(name), broadening_eV=ETA_EV)
    if material.crystal is None:
        return defect.kernel(y, x, middle_eV(name))
    dim = replace(material.crystal, broadening_eV=ETA_EV, cells=12)
    return dim.kernel(defect.impurity, y, x, middle_eV(name))


def turned_alike(name, kind, degrees):
    """Return |K - turned K| / |K| on grids that the turn maps onto themselves."""
    if degrees in (90, 180):
        kernel = site_kernel(name, kind, 0.21, 0.21)[:, 6:-6]
        turned = np.rot90(kernel, degrees // 90)
        return np.linalg.norm(turned - kernel) / np.linalg.norm(kernel)
    # Every second point of this grid lies on a triangular lattice: (i, j) = x / s, y / (sqrt 3 s).
    kernel = site_kernel(name, kind, 0.21 * np.sqrt(3), 0.21)
    j, i = np.mgrid[-4:5, -4:5]
    on_lattice = (i + j) % 2 == 0
    i, j = i[on_lattice], j[on_lattice]
    to_i, to_j = (i - 3 * j) // 2, (i + j) // 2
    if degrees == 120:
        to_i, to_j = (to_i - 3 * to_j) // 2, (to_i + to_j) // 2
    inside = (np.abs(to_i) <= 12) & (np.abs(to_j) <= 6)
    kept, moved = kernel[j[inside] + 6, i[inside] + 12], kernel[to_j[inside] + 6, to_i[inside] + 12]
    return np.linalg.norm(moved - kept) / np.linalg.norm(kept)


@pytest.mark.parametrize(("name", "kind"), DEFECTS)
def test_a_kernel_has_the_point_group_of_its_site_and_no_other(name, kind):
    symmetry = MATERIALS[name].scatterer(kind).symmetry
    kernel = site_kernel(name, kind, 0.21, 0.21)
    mirrored = np.linalg.norm(kernel[:, ::-1] - kernel) / np.linalg.norm(kernel)
    degrees = (60, 90) if symmetry == "isotropic" else (360 // rotations(symmetry),)
    # The images of a warped cone form a square, those of a crystal its own lattice.
    tolerance = 1e-2 if name in WARPED else 1e-6
    assert all(turned_alike(name, kind, angle) < tolerance for angle in degrees)
    if symmetry.endswith("v") or symmetry == "isotropic":
        assert mirrored < 1e-6
    else:
        assert mirrored > 1e-3
    if symmetry in ("C2v", "C3v"):
        assert turned_alike(name, kind, 180 // rotations(symmetry)) > 1e-3


@pytest.mark.parametrize("name", SUPERCONDUCTORS)
def test_without_a_gap_a_superconductor_is_its_normal_crystal(name):
    material = MATERIALS[name]
    model, impurity = material.crystal.model, material.scatterer().impurity
    n = model.orbital_count // 2
    across = [hop for hop in model.hoppings if (hop.to < n) != (hop.start < n)]
    within = tuple(hop for hop in model.hoppings if hop not in across)
    faint = tuple(replace(hop, amplitude_eV=1e-4 * hop.amplitude_eV) for hop in across)
    electrons = [index for index, site in enumerate(impurity.sites) if site[2] < n]
    normal = TightBinding(
        model.lattice_nm, model.orbitals_nm[:n],
        tuple(hop for hop in within if hop.to < n), model.lobes[:n],
    )  # fmt: skip
    alone = Impurity(
        tuple(impurity.sites[index] for index in electrons),
        impurity.potential_eV[np.ix_(electrons, electrons)],
    )
    axis, energy = 0.2 * np.arange(-6, 7), middle_eV(name)
    dim = replace(material.crystal, broadening_eV=ETA_EV, cells=24)
    gapless = replace(dim, model=replace(model, hoppings=within + faint))
    kernel = gapless.kernel(impurity, axis, axis, energy)
    expected = 2 * replace(dim, model=normal).kernel(alone, axis, axis, energy)
    assert across
    np.testing.assert_allclose(kernel, expected, atol=1e-6 * np.abs(expected).max())


def seen_at(kernel, axis, vector):
    """Return where |F| is largest along a wave vector, in parts of it, and the q-pixel."""
    share = np.linspace(0.88, 1.12, 121)
    distance = np.hypot(axis[:, None], axis)
    window = np.sin(np.pi * np.minimum(distance / axis[-1], 1)) ** 2
    to_x, to_y = (np.exp(-1j * np.outer(share * q, axis)) for q in vector)
    profile = np.abs(np.einsum("qy,yx,qx->q", to_y, kernel * window, to_x, optimize=True))
    return share[np.argmax(profile)], np.pi / axis[-1] / np.hypot(*vector)


def axis_for(material, energy, half):
    """Return the axis of a window with five pixels a wavelength, or two for every atom."""
    longest = max(np.hypot(*q) for q in material.wave_vectors(energy).values())
    pitch = 2 * np.pi / longest / 5
    if material.crystal:
        pitch = min(pitch, material.crystal.wannier_nm)
    return pitch * np.arange(-half, half + 1)


# The brightest, if not the first: in the flat bands of CeCoIn5 the octet vector q4.
SHOWN = {"cecoin5-sc": "q4", "pnictide": "2k electrons"}


@pytest.mark.parametrize("name", MATERIALS)
def test_the_kernel_of_a_material_shows_its_wave_vector(name):
    # The FFT moves a ring by up to 1.5 q-pixels with the phase of the scatterer.
    material = MATERIALS[name]
    low, high = material.energies_eV
    energies = [low + share * (high - low) for share in (0.25, 0.75)]
    energies = [energy for energy in energies if material.wave_vectors(energy)]
    assert energies
    for energy in energies:
        vectors = material.wave_vectors(energy)
        first = next(iter(vectors.values()))
        axis = axis_for(material, energy, 70)
        kernel = material.kernel(axis, axis, energy)
        assert np.all(np.isfinite(kernel))
        place, pixel = seen_at(kernel, axis, vectors.get(SHOWN.get(name), first))
        assert abs(place - 1) < 1.6 * pixel


def test_a_cuprate_shows_all_seven_octet_vectors():
    material, energy = MATERIALS["bi2212-sc"], 0.011
    axis = axis_for(material, energy, 90)
    kernel = material.kernel(axis, axis, energy)
    vectors = material.wave_vectors(energy)
    assert list(vectors) == [f"q{number}" for number in range(1, 8)]
    for vector in vectors.values():
        place, pixel = seen_at(kernel, axis, vector)
        assert abs(place - 1) < 1.6 * pixel


# k_R = m alpha / hbar^2 [1/nm]; the contours have the radii ring / 2 -+ k_R.
RASHBA_K = {"au111": 0.1104, "biag2": 1.401, "pbag2": 0.295, "bicu2": 0.304}


def test_every_rashba_material_is_held_to_the_law_of_one_ring():
    rings = {name: MATERIALS[name].vectors(middle_eV(name)) for name in MATERIALS}
    assert {name for name, vectors in rings.items() if "k+ + k-" in vectors} == set(RASHBA_K)


@pytest.mark.parametrize("name", RASHBA_K)
def test_a_rashba_material_shows_one_ring(name):
    energy = middle_eV(name)
    ring = MATERIALS[name].ring_q(energy)
    axis = np.pi / 2.5 / ring * np.arange(-125, 126)
    kernel = simulate_kernel(name, bias_mV=[1e3 * energy], y_nm=axis, x_nm=axis)
    assert ring_radius(kernel)[0] == pytest.approx(ring, rel=3.5e-3)
    wrong = [abs(ring - 2 * RASHBA_K[name]), ring + 2 * RASHBA_K[name]]
    on, *off = radial_profile(kernel, [ring, *wrong]).values[0]
    assert max(off) < 0.3 * on


@pytest.mark.parametrize(
    "name", [name for name, kind in DEFECTS if kind == "magnetic" and name not in CRYSTALS]
)
def test_a_weak_magnet_on_a_topological_surface_leaves_no_charge(name):
    axis, energy = 0.5 * np.arange(-20, 21), middle_eV(name)

    def charge(potential, moment):
        return (
            MATERIALS[name]
            .scatterer("magnetic")
            .kernel(
                axis,
                axis,
                energy,
                broadening_eV=ETA_EV,
                potential_eV_nm2=potential,
                moment_eV_nm2=(0.0, 0.0, moment),
            )
        )

    scalar, weak, double = charge(1e-3, 0.0), charge(0.0, 1e-3), charge(0.0, 2e-3)
    assert np.abs(weak).max() < 1e-2 * np.abs(scalar).max()
    np.testing.assert_allclose(double, 4 * weak, atol=1e-2 * np.abs(double).max())
    np.testing.assert_allclose(charge(-1e-3, 0.0), -scalar, atol=1e-2 * np.abs(scalar).max())
