import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate.green import local_green
from qpi_kernel.simulate.spin import with_spin
from qpi_kernel.simulate.tight_binding import (
    honeycomb_lattice,
    rectangular_lattice,
    square_lattice,
    triangular_lattice,
)
from qpi_kernel.simulate.tmatrix import lattice_kernel, t_matrix
from tests.library.simulate.rings import strongest_q

MODELS = {
    "square": square_lattice(1.0, -1.0, 0.3, -0.1),
    "triangular": triangular_lattice(1.0, -1.0, 0.2),
    "rectangular": rectangular_lattice((1.0, 1.3), (-1.0, -0.5), 0.2),
    "honeycomb": honeycomb_lattice(1.0, -1.0, 0.3),
}


class Torus:
    """A crystal of cells x cells cells with periodic borders, all in real space."""

    def __init__(self, model, cells):
        grid = np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), -1)
        k = grid.reshape(-1, 2) / cells @ model.reciprocal
        orbitals = np.arange(model.orbital_count)
        self.places = (grid.reshape(-1, 1, 2) @ model.lattice_nm + model.orbitals_nm).reshape(-1, 2)
        self.orbital = np.tile(orbitals, cells**2)
        self.bloch = np.exp(1j * self.places @ k.T)
        self.k_hamiltonian = model.hamiltonian(k[:, 0], k[:, 1])

    def transform(self, matrix_k):
        """Turn A_mn(k) into A between all orbitals of the torus."""
        picked = matrix_k[:, self.orbital][:, :, self.orbital]
        return np.einsum("ik,kij,jk->ij", self.bloch, picked, self.bloch.conj()) / len(matrix_k)

    def green(self, energy):
        identity = np.eye(self.k_hamiltonian.shape[-1])
        return self.transform(np.linalg.inv(energy * identity - self.k_hamiltonian))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("energy", [-1.1 + 0.05j, 0.4 + 0.2j])
def test_the_t_matrix_equals_direct_inversion_of_a_torus(model, energy):
    torus = Torus(model, 8)
    n = model.orbital_count
    draw = np.random.default_rng(5).normal(size=(n, n))
    potential = draw + draw.T
    bare = torus.green(energy)
    scattering = t_matrix(bare[:n, :n], potential)
    from_t = bare + bare[:, :n] @ scattering @ bare[:n, :]
    full = energy * np.eye(len(bare)) - torus.transform(torus.k_hamiltonian)
    full[:n, :n] -= potential
    np.testing.assert_allclose(from_t, np.linalg.inv(full), atol=1e-9)


@pytest.mark.parametrize("name", ["square", "honeycomb"])
def test_the_kernel_equals_the_sum_over_wannier_functions(name):
    # So short-lived that no wave goes round the torus.
    model, energy, eta, sigma = MODELS[name], -0.6, 2.0, 0.4
    torus = Torus(model, 14)
    middle = 14 * 7 + 7
    n = model.orbital_count
    potential = np.diag([0.8, -0.5][:n]).astype(complex)
    bare = torus.green(energy + 1j * eta)
    cell = slice(n * middle, n * middle + n)
    scattering = t_matrix(bare[cell, cell], potential)
    axis = 0.25 * np.arange(-8, 9)
    grid_y, grid_x = np.meshgrid(axis, axis, indexing="ij")
    from_origin = torus.places - torus.places[n * middle]
    squares = (grid_x[..., None] - from_origin[:, 0]) ** 2 + (
        grid_y[..., None] - from_origin[:, 1]
    ) ** 2
    wannier = np.exp(-squares / (2 * sigma**2)) / (np.sqrt(np.pi) * sigma)
    out, back = wannier @ bare[:, cell], wannier @ bare[cell, :].T
    density = -np.einsum("yxa,ab,yxb->yx", out, scattering, back).imag / np.pi
    wide = 0.25 * np.arange(-40, 41)
    kernel = lattice_kernel(
        model, wide, wide, energy, potential_eV=potential, broadening_eV=eta, wannier_nm=sigma,
        mesh=64,
    )[32:49, 32:49]  # fmt: skip
    np.testing.assert_allclose(kernel, density, atol=2e-3 * np.abs(density).max())


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_local_green_function_is_that_of_a_large_torus(model):
    n = model.orbital_count
    expected = Torus(model, 14).green(-0.6 + 2.0j)[:n, :n]
    np.testing.assert_allclose(local_green(model, -0.6, 2.0, 64), expected, atol=5e-4)


def test_a_weak_potential_is_its_own_t_matrix():
    green = local_green(MODELS["honeycomb"], 0.5, 0.05, 48)
    potential = np.diag([1e-6, -2e-6]).astype(complex)
    np.testing.assert_allclose(t_matrix(green, potential), potential, rtol=1e-5, atol=1e-12)


def test_a_singular_potential_is_allowed():
    green = local_green(MODELS["honeycomb"], 0.5, 0.05, 48)
    potential = np.array([[3.0, 0.0], [0.0, 0.0]], complex)
    scattering = t_matrix(green, potential)
    assert scattering[0, 0] == pytest.approx(3.0 / (1 - green[0, 0] * 3.0))
    assert np.all(scattering[[0, 1, 1], [1, 0, 1]] == 0)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_each_orbital_holds_one_state(model):
    energies = np.linspace(-30, 30, 1201)
    density = [
        -np.trace(local_green(model, energy, 0.3, 16)).imag / np.pi / model.orbital_count
        for energy in energies
    ]
    # The tails of a Lorentzian beyond the range hold eta / (pi 30) on either side.
    assert np.trapezoid(density, energies) == pytest.approx(1.0, abs=0.01)


def kernel_of(name, *, angle_deg=0.0, pixels=30, step=0.25, energy=-1.2):
    axis = step * np.arange(-pixels, pixels + 1)
    return lattice_kernel(
        MODELS[name], axis, axis, energy, potential_eV=1.5, broadening_eV=0.25, wannier_nm=0.4,
        angle_deg=angle_deg, mesh=96,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "angle_deg"),
    [("square", 90), ("triangular", 60), ("rectangular", 180), ("honeycomb", 120)],
)
def test_the_kernel_keeps_the_point_group_of_the_site(name, angle_deg):
    kernel = kernel_of(name)
    turned = kernel_of(name, angle_deg=angle_deg)
    np.testing.assert_allclose(turned, kernel, atol=1e-6 * np.abs(kernel).max())


@pytest.mark.parametrize(("name", "angle_deg"), [("rectangular", 90), ("honeycomb", 60)])
def test_the_kernel_has_no_symmetry_beyond_that_of_the_site(name, angle_deg):
    kernel = kernel_of(name)
    difference = kernel_of(name, angle_deg=angle_deg) - kernel
    assert np.linalg.norm(difference) > 0.05 * np.linalg.norm(kernel)


def test_the_crystal_turns_counter_clockwise():
    kernel = kernel_of("honeycomb")
    # A quarter turn takes (x, y) to (-y, x): the value at (y, x) was at (-x, y) before.
    expected = kernel[::-1].T
    turned = kernel_of("honeycomb", angle_deg=90)
    np.testing.assert_allclose(turned, expected, atol=1e-6 * np.abs(kernel).max())


@pytest.mark.parametrize("direction", ["along x", "along xy"])
def test_the_square_ring_lies_where_the_dispersion_says(direction):
    a, t, energy = 0.4, -0.1, -0.25
    step = 0.1
    axis = step * np.arange(-150, 151)
    kernel = lattice_kernel(
        square_lattice(a, t), axis, axis, energy, potential_eV=0.2, broadening_eV=0.004,
        wannier_nm=0.4 * a,
    )  # fmt: skip
    if direction == "along x":
        line, r = kernel[150, 151:], axis[151:]
        expected = 2 * np.arccos((energy - 2 * t) / (2 * t)) / a
    else:
        line, r = np.diagonal(kernel)[151:], np.sqrt(2) * axis[151:]
        expected = 2 * np.sqrt(2) * np.arccos(energy / (4 * t)) / a
    assert abs(strongest_q(line, r, expected) - expected) < np.pi / axis[-1]


def test_a_kernel_without_width_is_refused():
    axis = np.arange(-3.0, 4.0)
    for broadening, wannier in ((0.0, 0.4), (0.1, 0.0), (-0.1, 0.4)):
        with pytest.raises(QpiError, match="must be positive"):
            lattice_kernel(
                MODELS["square"], axis, axis, 0.1, potential_eV=1.0, broadening_eV=broadening,
                wannier_nm=wannier,
            )  # fmt: skip


def test_spins_need_the_other_engine():
    axis = np.arange(-3.0, 4.0)
    with pytest.raises(QpiError, match="needs impurity_kernel"):
        lattice_kernel(
            with_spin(MODELS["square"]), axis, axis, 0.1, potential_eV=1.0, broadening_eV=0.5,
            wannier_nm=0.4,
        )  # fmt: skip


def test_without_a_mesh_no_image_reaches_the_window():
    axis = 0.25 * np.arange(-20, 21)
    model = MODELS["square"]
    options = {"potential_eV": 1.5, "broadening_eV": 0.15, "wannier_nm": 0.4}
    wide = 0.25 * np.arange(-300, 301)
    far = lattice_kernel(model, wide, wide, -1.2, mesh=256, **options)[280:321, 280:321]
    near, images = (lattice_kernel(model, axis, axis, -1.2, mesh=m, **options) for m in (None, 256))
    scale = np.abs(far).max()
    assert np.abs(near - far).max() < 2e-3 * scale
    assert np.abs(images - far).max() > 5e-3 * scale


@pytest.mark.parametrize("name", MODELS)
def test_a_lattice_obeys_causality_and_the_optical_theorem(name):
    model = MODELS[name]
    for energy in (-2.0, -0.4, 0.7):
        green = local_green(model, energy, 0.1, 64)
        assert np.linalg.eigvalsh((green - green.conj().T) / 2j).max() < 0, "retarded"
        potential = np.zeros_like(green)
        potential[0, 0] = 1.7
        scattering = t_matrix(green, potential)
        lost = (scattering - scattering.conj().T) / 2j
        carried = scattering.conj().T @ ((green - green.conj().T) / 2j) @ scattering
        np.testing.assert_allclose(lost, carried, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_of_a_lattice_is_odd_in_a_weak_potential(name):
    axis = 0.3 * np.arange(-10, 11)

    def kernel(potential):
        return lattice_kernel(
            MODELS[name], axis, axis, -0.8, potential_eV=potential, broadening_eV=0.3,
            wannier_nm=0.4, mesh=48,
        )  # fmt: skip

    weak = kernel(1e-4)
    np.testing.assert_allclose(kernel(-1e-4), -weak, atol=1e-3 * np.abs(weak).max())
    np.testing.assert_allclose(kernel(2e-4), 2 * weak, atol=1e-3 * np.abs(weak).max())
