import numpy as np
import pytest

from qpi_kernel import despike, remove_streaks
from tests.library.preprocess.conftest import map_of


def test_despike_replaces_outliers_only(noise):
    spiky = noise.copy()
    spiky[0, 7, 30], spiky[1, 0, 0] = 500, -500
    result = despike(map_of(spiky))
    assert abs(float(result[0, 7, 30])) < 4
    assert abs(float(result[1, 0, 0])) < 4
    changed = result.values != map_of(spiky).values
    assert changed.sum() == 2


def test_despike_of_a_flat_map():
    values = np.zeros((20, 20))
    values[3, 4] = 1
    assert (despike(map_of(values)) == 0).all()
    assert (despike(map_of(np.ones((20, 20)))) == 1).all()


@pytest.fixture
def ripples():
    """Return rings about two scatterers with bright cores, and some noise."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:128, :160]
    distances = np.hypot(y - 50.2, x - 40.7), np.hypot(y - 90, x - 120)
    rings = sum(np.cos(0.7 * r) / np.sqrt(r + 2) + 6 * np.exp(-(r**2) / 8) for r in distances)
    return rings + 0.05 * rng.normal(size=rings.shape)


def test_streaks_are_replaced_and_ripples_and_cores_stay(ripples):
    streaky = ripples.copy()
    streaks = [(20, slice(30, 90), 2.0), (70, slice(0, 160), -1.5), (101, slice(60, 100), 1.2)]
    for row, columns, height in streaks:
        streaky[row, columns] += height
    streaky[102, 60:100] += 1.2  # two rows high
    before, after = map_of(streaky), remove_streaks(map_of(streaky))
    for row, columns, height in [*streaks, (102, slice(60, 100), 1.2)]:
        left = after.values[0, row, columns] - ripples[row, columns]
        assert abs(np.median(left)) < 0.1 * abs(height)
        assert left.std() < 0.35
    changed = after.values[0] != before.values[0]
    changed[[20, 70, 101, 102]] = False
    assert changed.mean() < 0.005
    cores = changed[45:56, 35:46] | changed[85:96, 115:126]
    assert not cores.any()
    assert (remove_streaks(map_of(ripples)).values == map_of(ripples).values).mean() > 0.995
