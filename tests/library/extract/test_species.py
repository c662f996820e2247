"""Two kinds of scatterers in one map, each with a kernel of its own."""

import numpy as np
import pytest

from qpi_kernel import ExtractSettings, Scatterers, assess, extract_kernel
from qpi_kernel.evaluate import similarity
from qpi_kernel.extract.species import propose_species
from tests.library.extract.mixtures import PIXEL_NM, likeness, mixed, waves


@pytest.fixture(scope="module")
def two():
    return mixed(waves(0.5), waves(1.7))


@pytest.fixture(scope="module")
def found(two):
    return extract(two)


def extract(mixture, scatterers=None, **settings):
    settings = ExtractSettings(window_nm=10.0, **settings)
    return extract_kernel(mixture.didv, scatterers or mixture.scatterers, settings, device="cpu")


def test_each_species_gets_its_kernel(two, found):
    assert min(likeness(found, two)) > 0.95
    first, second = (part.kernel.values[0] for part in found.each_species)
    assert similarity(first, second) < 0.8


def test_elliptic_and_round_contours_are_told_apart():
    mixture = mixed(waves(0.8), waves(0.8, mass=(0.6, 0.25)), seed=2)
    assert min(likeness(extract(mixture), mixture)) > 0.9


def test_without_a_learned_prior_the_species_are_solved_for_together(two):
    joint = extract(two, method="wiener")
    assert min(likeness(joint, two)) > 0.85
    assert joint.kernel.equals(joint.each_species[0].kernel)


def test_averages_are_taken_over_each_species(two):
    means = extract(two, method="average").each_species
    alone = extract(two, two.scatterers.select(two.scatterers.species == 1), method="average")
    assert alone.parts == ()
    assert alone.each_species == (alone,)
    np.testing.assert_allclose(means[1].kernel.values, alone.kernel.values, atol=1e-4)


def test_the_parts_add_up_to_the_whole(found):
    waves = sum(part.reconstruction.values - part.background.values for part in found.each_species)
    whole = found.reconstruction.values - found.background.values
    np.testing.assert_allclose(waves, whole, atol=1e-4)
    for part in found.each_species:
        np.testing.assert_allclose(part.residual.values, found.residual.values, atol=1e-4)
        assert len(part.scatterers.labels) == 1
    assert sum(len(part.scatterers) for part in found.each_species) == len(found.scatterers)


def test_species_may_have_any_labels(two, found):
    points = two.scatterers
    renamed = Scatterers(points.xy_nm, points.weight, np.array([7, 3])[points.species])
    parts = extract(two, renamed).each_species
    assert [part.scatterers.labels.tolist() for part in parts] == [[3], [7]]
    scale = np.abs(found.kernel.values).max()
    np.testing.assert_allclose(
        parts[1].kernel.values, found.each_species[0].kernel.values, atol=0.02 * scale
    )


def propose(mixture, max_species=4):
    """Propose species from positions alone, 0.3 px wrong."""
    rng = np.random.default_rng(5)
    xy = mixture.scatterers.xy_nm
    told = Scatterers(xy + 0.3 * PIXEL_NM / np.sqrt(2) * rng.normal(size=xy.shape))
    return propose_species(mixture.didv, told, max_species, ExtractSettings(window_nm=10.0))


@pytest.mark.parametrize("seed", [1, 2])
def test_two_species_are_told_apart(seed):
    mixture = mixed(waves(0.5), waves(1.7), seed=seed)
    species, truth = propose(mixture).species, mixture.scatterers.species
    assert set(species) == {0, 1}
    assert max(np.mean(species == truth), np.mean(species != truth)) > 0.9
    assert np.sum(species == 0) >= np.sum(species == 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_one_species_is_not_split(seed):
    assert set(propose(mixed(waves(0.9), seed=seed)).species) == {0}


def test_two_kernels_explain_what_one_does_not(two, found):
    one = assess(extract(two, Scatterers(two.scatterers.xy_nm), method="wiener"))
    several = assess(found)
    assert one.verdict != "good"
    share = "explained_structure"
    assert several.numbers[share][0] > one.numbers[share][0] + 0.1


def test_no_more_species_than_asked_for(two):
    assert set(propose(two, max_species=1).species) == {0}


def test_a_few_scatterers_are_of_one_species(two):
    few = Scatterers(two.scatterers.xy_nm[:5])
    assert set(propose_species(two.didv, few).species) == {0}
