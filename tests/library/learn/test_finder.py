import numpy as np
import torch

from qpi_kernel.learn.finder import Finder, finder_input, finder_loss, marks
from qpi_kernel.learn.scenes import draw_maps


def test_marks_stand_at_the_scatterers(bank):
    maps = draw_maps(bank, np.random.default_rng(1), 3, multiple=0.0, nuisance=0.0)
    height, width = maps.field.shape[-2:]
    target = marks(maps.ripples, height, width)
    assert target.shape == maps.field.shape
    assert 0.7 < float(target.max()) <= 1
    for index in range(3):
        real = maps.ripples.weights[index].abs() > 0.3
        for row, column in maps.ripples.places[index][real].round().long().tolist():
            if 0 <= row < height and 0 <= column < width:
                assert float(target[index, row, column]) > 0.75


def test_the_input_does_not_depend_on_units_and_fits_the_strides(bank):
    maps = draw_maps(bank, np.random.default_rng(2), 2)
    field, mask = maps.field[:, :77, :79], maps.mask[:, :77, :79]
    seen, scaled = finder_input(field, mask), finder_input(1e-12 * field, mask)
    assert seen.shape == (2, 3, 80, 80)
    torch.testing.assert_close(seen, scaled)
    assert bool(torch.isfinite(finder_input(torch.zeros(1, 16, 16), torch.zeros(1, 16, 16))).all())


def test_the_loss_asks_for_the_truth(bank):
    maps = draw_maps(bank, np.random.default_rng(3), 2, multiple=0.0)
    height, width = maps.field.shape[-2:]
    target = marks(maps.ripples, height, width)
    right = torch.where(target > 0.88, 6.0, -8.0)
    nothing = torch.full_like(target, -8.0)
    everything = torch.full_like(target, 6.0)
    losses = [float(finder_loss(x, maps.ripples, maps.mask)) for x in (right, nothing, everything)]
    assert losses[0] < 0.1 * min(losses[1:])


def test_a_new_finder_marks_nothing_and_learns(bank):
    torch.manual_seed(1)
    net = Finder(width=16, depth=1)
    maps = draw_maps(bank, np.random.default_rng(4), 4, scatterers=(10.0, 20.0), multiple=0.0)
    images = finder_input(maps.field, maps.mask)
    assert float(torch.sigmoid(net(images)).mean().detach()) < 0.1
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss = finder_loss(net(images), maps.ripples, maps.mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
