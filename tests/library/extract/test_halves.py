import numpy as np
import torch

from qpi_kernel import Scatterers
from qpi_kernel.extract.grids import make_grids, noise_level
from qpi_kernel.extract.halves import iter_half_agreement
from qpi_kernel.progress import drain


def agreement(didv, scatterers, seed=0):
    _, grid = make_grids(didv, 10.0, torch.device("cpu"))
    noise = noise_level(grid.field, grid.mask)
    draw = torch.Generator().manual_seed(seed)
    return drain(iter_half_agreement(grid.problem(scatterers, 2), noise, draw))


def test_the_halves_of_a_good_map_agree_beyond_chance(scene):
    ((found,),), ((chance,),) = agreement(scene.didv, scene.scatterers)
    assert 0.5 < found <= 1
    assert 0 < chance < 0.2
    assert found > 5 * chance


def test_shuffled_scatterers_agree_no_more_than_chance(scene):
    rng = np.random.default_rng(1)
    found = [
        agreement(scene.didv, Scatterers(rng.uniform(1, 31, (15, 2))))[0].item() for _ in range(4)
    ]
    assert np.abs(found).max() < 0.3


def test_all_scatterers_on_one_side_do_not_crash(scene):
    left = scene.scatterers.select(scene.scatterers.xy_nm[:, 0] < 10)
    ((found,),), ((chance,),) = agreement(scene.didv, left)
    assert np.isfinite([found, chance]).all()
