"""Laws that every member of a table obeys: materials, families, lattices, methods."""

from dataclasses import replace

import numpy as np
import pytest

from qpi_kernel import (
    ExtractSettings,
    QpiError,
    Scatterers,
    extract_kernel,
    make_map,
    radial_profile,
    ring_radius,
    simulate_kernel,
    simulate_map,
)
from qpi_kernel.errors import QpiWarning
from qpi_kernel.evaluate import similarity
from qpi_kernel.extract.settings import METHODS
from qpi_kernel.simulate import MATERIALS
from qpi_kernel.simulate.families import FAMILIES, draw_kernel
from qpi_kernel.simulate.green import torus_green
from qpi_kernel.simulate.impurity import Impurity, density_change, impurity_green
from qpi_kernel.simulate.tight_binding import (
    TightBinding,
    honeycomb_lattice,
    rectangular_lattice,
    square_lattice,
    triangular_lattice,
)
from qpi_kernel.simulate.tmatrix import lattice_kernel, local_green, t_matrix

LATTICES = {
    "square": square_lattice(1.0, -1.0, 0.2, -0.1),
    "triangular": triangular_lattice(1.0, -1.0, 0.1),
    "rectangular": rectangular_lattice((1.0, 1.2), (-1.0, -0.6), 0.1),
    "honeycomb": honeycomb_lattice(1.0, -1.0, 0.3),
}


def energies_mV(name):
    low, high = MATERIALS[name].energies_eV
    return [1e3 * (low + share * (high - low)) for share in (0.2, 0.5, 0.8)]


@pytest.mark.parametrize("name", MATERIALS)
def test_a_material_has_a_name_a_source_and_a_range(name):
    material = MATERIALS[name]
    assert material.name == name == name.lower()
    assert material.description
    assert material.source
    low, high = material.energies_eV
    assert low < high
    assert any(np.isfinite(material.ring_q(bias / 1e3)) for bias in energies_mV(name))


@pytest.mark.parametrize("name", MATERIALS)
def test_a_map_of_a_material_is_a_map(name):
    bias = energies_mV(name)[1]
    scene = simulate_map(name, bias_mV=[bias], size_nm=12.0, pixels=48, scatterers=4, seed=1)
    assert scene.didv.dims == scene.kernel.dims == ("bias", "y", "x")
    assert np.all(np.isfinite(scene.didv.values))
    assert scene.didv.attrs["units"]
    assert np.all(np.diff(scene.didv["y"].values) > 0)
    with pytest.raises(QpiError, match="lies outside"):
        simulate_map(name, bias_mV=[1e5], size_nm=12.0, pixels=48)


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_of_a_family_end_within_their_window(family):
    # Ripples reach beyond the core, and what reaches the rim of the window is less than the core.
    for seed in range(5):
        kernel = draw_kernel(family, np.random.default_rng(seed), 96).astype(float)
        rows, columns = np.mgrid[:96, :96] - 48
        distance = np.hypot(rows, columns)
        ripples, rim = kernel[distance > 4], kernel[(distance > 44) & (distance < 48)]
        assert ripples.std() > 0
        assert np.sqrt(np.mean(rim**2)) < np.sqrt(np.mean(kernel[distance < 6] ** 2))


@pytest.mark.parametrize("name", LATTICES)
def test_a_lattice_obeys_causality_and_the_optical_theorem(name):
    model = LATTICES[name]
    for energy in (-2.0, -0.4, 0.7):
        green = local_green(model, energy, 0.1, 64)
        assert np.linalg.eigvalsh((green - green.conj().T) / 2j).max() < 0, "retarded"
        potential = np.zeros_like(green)
        potential[0, 0] = 1.7
        scattering = t_matrix(green, potential)
        lost = (scattering - scattering.conj().T) / 2j
        carried = scattering.conj().T @ ((green - green.conj().T) / 2j) @ scattering
        np.testing.assert_allclose(lost, carried, atol=1e-10)


@pytest.mark.parametrize("name", LATTICES)
def test_the_kernel_of_a_lattice_is_odd_in_a_weak_potential(name):
    axis = 0.3 * np.arange(-10, 11)

    def kernel(potential):
        return lattice_kernel(
            LATTICES[name], axis, axis, -0.8, potential_eV=potential, broadening_eV=0.3,
            wannier_nm=0.4, mesh=48,
        )  # fmt: skip

    weak = kernel(1e-4)
    np.testing.assert_allclose(kernel(-1e-4), -weak, atol=1e-3 * np.abs(weak).max())
    np.testing.assert_allclose(kernel(2e-4), 2 * weak, atol=1e-3 * np.abs(weak).max())


CRYSTALS = [name for name, material in MATERIALS.items() if material.crystal]
SUPERCONDUCTORS = [name for name in CRYSTALS if MATERIALS[name].crystal.model.particles == 2]
DEFECTS = [(name, kind) for name in MATERIALS for kind in MATERIALS[name].scatterers]
WARPED = ("bi2te3", "bi2se3")
IMPURITIES = [(name, kind) for name, kind in DEFECTS if name in CRYSTALS]
# Waves so short that a small torus holds them: laws of the T-matrix hold for any eta.
ETA_EV = 0.05


def middle_eV(name):
    low, high = MATERIALS[name].energies_eV
    return 0.4 * low + 0.6 * high


def rotations(symmetry):
    """Return n of C_n or C_nv."""
    return int(symmetry.strip("Cv"))


def as_matrix(green):
    """G between all orbitals of the torus: G[(R, m), (R', n)] = G_mn(R - R')."""
    cells, n = len(green), green.shape[-1]
    i, j, m = (axis.ravel() for axis in np.indices((cells, cells, n)))
    return green[(i[:, None] - i) % cells, (j[:, None] - j) % cells, m[:, None], m[None, :]]


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


@pytest.mark.parametrize(("name", "kind"), IMPURITIES)
def test_the_t_matrix_of_a_material_equals_direct_inversion_of_a_torus(name, kind):
    model, impurity = MATERIALS[name].crystal.model, MATERIALS[name].scatterer(kind).impurity
    cells, n = 5, model.orbital_count
    green = torus_green(model, middle_eV(name), ETA_EV, cells)
    bare = as_matrix(green)
    rows = [(i % cells * cells + j % cells) * n + m for i, j, m in impurity.sites]
    full = np.linalg.inv(bare)
    full[np.ix_(rows, rows)] -= impurity.potential_eV
    exact = np.linalg.inv(full)
    scattering = t_matrix(impurity_green(green, impurity), impurity.potential_eV)
    from_t = bare + bare[:, rows] @ scattering @ bare[rows, :]
    np.testing.assert_allclose(from_t, exact, atol=1e-9)


@pytest.mark.parametrize(("name", "kind"), IMPURITIES)
def test_the_states_that_a_scatterer_adds_obey_friedel(name, kind):
    model, impurity = MATERIALS[name].crystal.model, MATERIALS[name].scatterer(kind).impurity
    energy, cells, step = middle_eV(name), 6, 1e-4 * ETA_EV

    def log_determinant(at):
        green = impurity_green(torus_green(model, at, ETA_EV, cells), impurity)
        sign, size = np.linalg.slogdet(np.eye(len(green)) - green @ impurity.potential_eV)
        return size + 1j * np.angle(sign)

    added = density_change(torus_green(model, energy, ETA_EV, cells), impurity).sum()
    slope = (log_determinant(energy + step) - log_determinant(energy - step)).imag / (2 * step)
    assert added == pytest.approx(-slope / np.pi, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("name", "kind"), IMPURITIES)
def test_a_scatterer_in_a_material_obeys_causality_and_the_optical_theorem(name, kind):
    model, impurity = MATERIALS[name].crystal.model, MATERIALS[name].scatterer(kind).impurity
    green = impurity_green(torus_green(model, middle_eV(name), ETA_EV, 16), impurity)
    loss = (green - green.conj().T) / 2j
    assert np.linalg.eigvalsh(loss).max() < 0, "retarded"
    scattering = t_matrix(green, impurity.potential_eV)
    lost = (scattering - scattering.conj().T) / 2j
    np.testing.assert_allclose(
        lost, scattering.conj().T @ loss @ scattering, atol=1e-9 * np.abs(scattering).max()
    )


@pytest.mark.parametrize(("name", "kind"), IMPURITIES)
def test_a_weak_scatterer_in_a_material_is_in_the_born_limit(name, kind):
    model, impurity = MATERIALS[name].crystal.model, MATERIALS[name].scatterer(kind).impurity
    green = torus_green(model, middle_eV(name), ETA_EV, 8)
    unit = impurity.potential_eV / np.abs(impurity.potential_eV).max()

    def change(potential_eV):
        return density_change(green, Impurity(impurity.sites, potential_eV * unit))

    born, weak = change(1e-7) / 1e-7, change(1e-5) / 1e-5
    np.testing.assert_allclose(change(-1e-7) / -1e-7, born, atol=1e-4 * np.abs(born).max())
    np.testing.assert_allclose(weak, born, atol=1e-2 * np.abs(born).max())


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


def test_an_energy_without_states_gives_a_warning_and_nothing():
    axis = np.arange(-3.0, 4.0)
    with pytest.warns(QpiWarning, match="ag111 is known from -115 to 1135 mV.*-500, 5000 mV"):
        kernel = simulate_kernel("ag111", bias_mV=[-500.0, 0.0, 5000.0], y_nm=axis, x_nm=axis)
    assert np.all(kernel.values[[0, 2]] == 0)
    assert np.all(kernel.values[1] != 0)
    with pytest.raises(QpiError, match="lies outside"):
        simulate_map("ag111", bias_mV=[-500.0], size_nm=12.0, pixels=48)


@pytest.mark.parametrize("name", MATERIALS)
def test_a_scatterer_of_a_material_is_found_by_name(name):
    kinds = list(MATERIALS[name].scatterers)
    assert all(MATERIALS[name].scatterer(kind.upper()) for kind in kinds)
    with pytest.raises(QpiError, match=rf"scatterer of {name} .*{kinds[0]}"):
        MATERIALS[name].scatterer(kinds[0] + "s")
    with pytest.raises(QpiError, match=rf"known: .*{kinds[-1]}"):
        MATERIALS[name].scatterer("?")


def test_an_unknown_material_is_told_the_near_ones():
    with pytest.raises(QpiError, match="'bi2212sc'; did you mean bi2212-sc or bi2212"):
        simulate_kernel("bi2212sc", bias_mV=[0.0], y_nm=[0, 1], x_nm=[0, 1])


@pytest.fixture(scope="module")
def scene():
    return simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=15, snr=50.0, seed=6
    )


def extract(method, didv, scatterers):
    settings = ExtractSettings(method=method, window_nm=12.0, samples=4)
    return extract_kernel(didv, scatterers, settings, device="cpu")


@pytest.fixture(scope="module")
def results(scene):
    return {method: extract(method, scene.didv, scene.scatterers) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_kernel_of_a_clean_map(method, scene, results):
    kernel = results[method].kernel
    half, middle = kernel.sizes["x"] // 2, scene.kernel.sizes["x"] // 2
    window = slice(middle - half, middle + half + 1)
    truth = scene.kernel.values[0, window, window]
    assert similarity(kernel.values[0], truth) > (0.85 if method == "average" else 0.95)
    assert ring_radius(kernel)[0] == pytest.approx(scene.ring_q[0], rel=0.06)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_shift_equivariant(method, scene, results):
    moved = scene.didv.assign_coords(
        x=("x", scene.didv["x"].values - 300.0, {"units": "nm"}),
        y=("y", scene.didv["y"].values + 50.0, {"units": "nm"}),
    )
    points = Scatterers(scene.scatterers.xy_nm + np.array([-300.0, 50.0]), scene.scatterers.weight)
    kernel, expected = extract(method, moved, points).kernel, results[method].kernel
    scale = np.abs(expected.values).max()
    np.testing.assert_allclose(kernel.values, expected.values, atol=0.03 * scale)
    np.testing.assert_allclose(kernel["x"].values, expected["x"].values, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_orientation_of_the_map(method, scene, results):
    turned = make_map(
        scene.didv.values[0, ::-1, :].T,
        bias_mV=[0.0],
        y_nm=scene.didv["x"].values,
        x_nm=scene.didv["y"].values,
    )
    top = scene.didv["y"].values[0] + scene.didv["y"].values[-1]
    xy = np.column_stack([top - scene.scatterers.xy_nm[:, 1], scene.scatterers.xy_nm[:, 0]])
    kernel = extract(method, turned, Scatterers(xy, scene.scatterers.weight)).kernel.values[0]
    expected = results[method].kernel.values[0, ::-1, :].T
    assert similarity(kernel, expected) > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_every_method_returns_the_unit_and_scale_of_the_map(method, scene, results):
    louder = scene.didv.copy(data=(1e-3 * scene.didv.values - 5).astype(np.float32))
    kernel = extract(method, louder, scene.scatterers).kernel
    expected = results[method].kernel.values
    np.testing.assert_allclose(1e3 * kernel.values, expected, atol=0.03 * np.abs(expected).max())
    assert kernel.attrs["units"] == scene.didv.attrs["units"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_splits_the_map_into_model_and_residual(method, results):
    result = results[method]
    np.testing.assert_allclose(
        result.reconstruction.values + result.residual.values, result.didv.values, atol=1e-5
    )
    assert np.all(result.spread.values > 0)
    assert result.kernel.shape == result.spread.shape
    assert (result.prior is not None) == (method == "aligned")
    assert {"half_agreement", "half_agreement_chance"} <= set(result.numbers)
