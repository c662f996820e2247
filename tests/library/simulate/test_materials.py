"""The table of materials: what an entry holds, what a mistyped one is told, and its gallery."""

import re
from pathlib import Path

import numpy as np
import pytest

from qpi_kernel import QpiError, simulate_kernel, simulate_map
from qpi_kernel.errors import QpiWarning
from qpi_kernel.simulate import MATERIALS

DOCS = Path(__file__).parents[3] / "docs"


def rows():
    text = (DOCS / "materials.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([\w-]+)` \|.*\((materials/[\w-]+\.png)\)", text, re.MULTILINE)


def test_the_gallery_lists_every_material_once():
    assert [name for name, _ in rows()] == list(MATERIALS)


def test_the_gallery_has_a_small_picture_of_every_material():
    sizes = {path: (DOCS / path).stat().st_size for _, path in rows()}
    assert max(sizes.values()) <= 80_000
    assert sum(sizes.values()) <= 2_500_000
    assert {path.name for path in (DOCS / "materials").iterdir()} == {
        Path(path).name for path in sizes
    }


def test_the_gallery_names_the_scatterers_and_the_source():
    text = (DOCS / "materials.md").read_text(encoding="utf-8")
    for material in MATERIALS.values():
        assert f"| {', '.join(material.scatterers)} |" in text
        assert f"| {material.source} |" in text


@pytest.mark.parametrize("name", MATERIALS)
def test_the_first_wave_vector_is_the_ring(name):
    material = MATERIALS[name]
    low, high = material.energies_eV
    energy = 0.8 * low + 0.2 * high
    qx, qy = next(iter(material.wave_vectors(energy).values()))
    assert material.ring_q(energy) ** 2 == pytest.approx(qx**2 + qy**2)
    assert material.holds_at(energy)
    assert not material.holds_at(high + 1e-6)


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
