import numpy as np
import pytest

from qpi_kernel import MapError, level, level_rows, mask_cores
from tests.library.preprocess.conftest import map_of


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_level_removes_surfaces_up_to_its_degree(noise, surface, degree):
    total = sum(surface[order] for order in range(degree + 1))
    noise[:, :3] = np.nan
    leveled = level(map_of(0.01 * noise + total), degree)
    assert float(np.abs(leveled).max()) < 0.06


def test_level_keeps_waves(surface):
    y, x = np.meshgrid(np.arange(40), np.arange(60), indexing="ij")
    wave = np.cos(0.9 * x + 0.4 * y)
    leveled = level(map_of(wave + surface[1] + 5))
    np.testing.assert_allclose(leveled[0], wave, atol=0.03)


def test_level_is_not_tilted_by_scatterer_cores(noise, surface):
    values = 0.1 * noise[0] + surface[1]
    cores = values.copy()
    cores[5:9, 50:54] += 300
    difference = level(map_of(cores))[0] - level(map_of(values))[0]
    difference[5:9, 50:54] = 0
    assert float(np.abs(difference).max()) < 0.02


def test_a_mask_keeps_what_it_covers_out_of_the_surface_and_in_the_map(noise, surface):
    values = 0.1 * noise[0] + surface[1]
    # Half of the map stands higher: no robust fit can tell, but whoever masks it knows.
    terrace = values.copy()
    terrace[:, 25:] += 40
    masked = map_of(np.where(np.arange(60) < 25, terrace, np.nan))
    leveled = level(map_of(terrace), masked=masked)
    assert float(np.abs(leveled[0, :, :25]).max()) < 1
    np.testing.assert_allclose(leveled[0, :, 25:], 40, atol=1)
    with pytest.raises(MapError, match="points along"):
        level(map_of(values), masked=masked[:, :20])


def test_level_rows_removes_jumps_between_lines(noise):
    jumps = np.random.default_rng(1).normal(size=(40, 1)) * 100
    leveled = level_rows(map_of(0.01 * noise + jumps))
    assert float(np.abs(leveled).max()) < 0.06
    tilted = jumps + jumps * np.linspace(-1, 1, 60)
    assert float(np.abs(level_rows(map_of(0.01 * noise + tilted), degree=1)).max()) < 0.06


def test_rows_through_a_wide_core_are_levelled_by_what_is_beside_it(noise):
    values = 0.1 * noise[0]
    core = values.copy()
    core[14:18, 10:48] += 50
    plain, masked = (
        level_rows(map_of(core)),
        level_rows(map_of(core), masked=mask_cores(map_of(core))),
    )
    beside = np.r_[:8, 50:60]
    assert float(np.abs(plain[0, 15, beside]).mean()) > 40
    assert float(np.abs(masked[0, 15, beside]).mean()) < 0.5
    nothing_left = map_of(core).where(False)
    np.testing.assert_array_equal(level_rows(map_of(core), masked=nothing_left), plain)
