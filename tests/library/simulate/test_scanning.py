import numpy as np
import pytest

from qpi_kernel.simulate.scanning import TipPath

PIXELS = 96
PATHS = {
    "drift": TipPath(PIXELS, skew=(0.05, 0.03)),
    "creep": TipPath(PIXELS, creep=(4.0, -3.0), creep_rows=15.0),
    "both": TipPath(PIXELS, skew=(-0.2, 0.1), creep=(4.8, 4.8), creep_rows=9.6),
}


@pytest.mark.parametrize("path", PATHS.values(), ids=list(PATHS))
def test_places_appear_where_the_tip_was(path):
    true = path.true_places()
    places = np.array([[30.0, 40.0], [90.0, 10.0], [0.0, 5.0], [2.0, 95.0]])
    at = true[:, places[:, 0].astype(int), places[:, 1].astype(int)].T
    np.testing.assert_allclose(path.as_scanned(at), places, atol=1e-6)


@pytest.mark.parametrize("path", PATHS.values(), ids=list(PATHS))
def test_the_tip_sees_the_truth_where_it_is(path):
    margin = path.margin_px
    coordinates = np.indices((PIXELS + 2 * margin,) * 2) - margin
    shown = path.sample(coordinates.astype(float), margin)
    # Splines bend at the rim of the map that is sampled.
    inner = np.s_[:, 16:-16, 16:-16]
    np.testing.assert_allclose(shown[inner], path.true_places()[inner], atol=1e-6)
    beside = path.sample(coordinates.astype(float), margin, shift=(1.5, -2.0))
    expected = path.true_places() + np.reshape([1.5, -2.0], (2, 1, 1))
    np.testing.assert_allclose(beside[inner], expected[inner], atol=1e-6)


def test_creep_fades_with_the_rows():
    path = TipPath(PIXELS, creep=(4.0, -3.0), creep_rows=15.0)
    np.testing.assert_allclose(path.displacement(0.0), [4.0, -3.0])
    np.testing.assert_allclose(path.displacement(15.0), np.array([4.0, -3.0]) / np.e)
    assert path.margin_px >= 4


def test_a_tip_that_stays_shows_the_map_itself():
    path = TipPath(8)
    wide = np.random.default_rng(0).normal(size=(2, 14, 14))
    assert path.margin_px == 0
    np.testing.assert_array_equal(path.sample(wide, 3), wide[:, 3:-3, 3:-3])
