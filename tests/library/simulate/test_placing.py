import numpy as np
import pytest

from qpi_kernel import QpiError, Scatterers
from qpi_kernel.simulate.placing import draw_scatterers, of_species, on_lattice

LATTICE = 0.4 * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
SITES = [np.array([0.0, 0.0]), LATTICE.sum(axis=0) / 3]


def rng(seed=1):
    return np.random.default_rng(seed)


def drawn(count=20):
    return draw_scatterers(rng(), count, 20.0, 0.2, 0.15)


def test_scatterers_stand_apart_in_and_around_the_map():
    points = drawn()
    inside = np.all((points.xy_nm > 0) & (points.xy_nm < 20.0), axis=1)
    assert inside.sum() == 20
    assert len(points) == 45
    apart = np.hypot(*(points.xy_nm[:, None] - points.xy_nm).transpose(2, 0, 1))
    assert apart[np.triu_indices(45, 1)].min() >= 0.8


def test_too_many_are_refused():
    with pytest.raises(QpiError, match="5000 scatterers do not fit"):
        drawn(5000)


def test_species_are_drawn_with_their_mean_weights():
    points = of_species(rng(), drawn(60), (1.0, -0.5))
    assert set(points.species) == {0, 1}
    assert 0.3 < points.species.mean() < 0.7
    assert points.weight[points.species == 0].mean() == pytest.approx(1.0, abs=0.06)
    assert points.weight[points.species == 1].mean() == pytest.approx(-0.5, abs=0.04)


def test_scatterers_on_a_lattice_stand_on_sites_of_their_species():
    before = of_species(rng(), drawn(), (1.0, 1.0))
    points = on_lattice(rng(2), before, LATTICE, SITES)
    assert len(points) == len(before)
    assert np.hypot(*(points.xy_nm - before.xy_nm).T).max() < 0.4
    origins = points.xy_nm - np.asarray(SITES)[points.species]
    cells = (origins - origins[0]) @ np.linalg.inv(LATTICE)
    np.testing.assert_allclose(cells, np.rint(cells), atol=1e-9)
    # The lattice is not aligned with the pixels.
    assert np.abs(points.xy_nm / 0.2 - np.rint(points.xy_nm / 0.2)).max() > 0.1


def test_a_site_holds_one_scatterer():
    crowd = Scatterers([[5.0, 5.0], [5.01, 5.0], [9.0, 9.0]], [1.0, 2.0, 3.0])
    points = on_lattice(rng(), crowd, LATTICE, SITES)
    assert points.weight.tolist() == [1.0, 3.0]
