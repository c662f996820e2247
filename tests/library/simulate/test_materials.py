import re
from pathlib import Path

import pytest

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
