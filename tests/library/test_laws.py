"""Laws that every member of a table obeys: materials, families, lattices, methods."""

import numpy as np
import pytest

from qpi_kernel import (
    ExtractSettings,
    QpiError,
    Scatterers,
    extract_kernel,
    make_map,
    ring_radius,
    simulate_kernel,
    simulate_map,
)
from qpi_kernel.evaluate import similarity
from qpi_kernel.extract.settings import METHODS
from qpi_kernel.simulate import MATERIALS
from qpi_kernel.simulate.families import FAMILIES, draw_kernel
from qpi_kernel.simulate.tight_binding import (
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
def test_kernels_of_a_material_are_finite_and_not_zero(name):
    axis = 0.2 * np.arange(-20, 21)
    kernel = simulate_kernel(name, bias_mV=energies_mV(name), y_nm=axis, x_nm=axis)
    assert np.all(np.isfinite(kernel.values))
    assert np.all(np.abs(kernel.values).max(axis=(1, 2)) > 0)


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
