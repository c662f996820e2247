import math

import pytest
import torch

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.extract.normal_equations import normal_equations
from qpi_kernel.learn.statistics import (
    CHANNELS,
    SCALARS,
    WINDOW,
    normal_statistics,
    radial_weight,
)


def scene(height=80, width=96, count=15, seed=1):
    draw = torch.Generator().manual_seed(seed)
    places = torch.rand(count, 2, generator=draw) * torch.tensor([height, width])
    geometry = Geometry(height, width, WINDOW)
    spectrum = activation_spectrum(geometry, places, torch.ones(count))
    axis = torch.arange(WINDOW) - WINDOW // 2
    r = torch.sqrt(axis[:, None] ** 2.0 + axis[None, :] ** 2.0 + 1)
    kernel = torch.cos(0.8 * r) / r
    clean = convolve(geometry, spectrum, kernel)
    field = clean + 0.3 * torch.randn(height, width, generator=draw)
    return geometry, places, spectrum, field[None], kernel


@pytest.mark.parametrize(("height", "width"), [(64, 64), (80, 131), (150, 70)])
def test_any_map_becomes_one_window(height, width):
    geometry, _, spectrum, field, _ = scene(height, width)
    statistics = normal_statistics(geometry, spectrum[None], field, torch.tensor([0.3]))
    assert statistics.images.shape == (1, CHANNELS, WINDOW, WINDOW)
    assert statistics.scalars.shape == (1, SCALARS)
    assert bool(torch.isfinite(statistics.images).all() & torch.isfinite(statistics.scalars).all())


@pytest.mark.parametrize("factor", [10.0, 1e-9, -3.0])
def test_the_network_does_not_see_the_unit_of_the_map(factor):
    geometry, _, spectrum, field, _ = scene()
    noise = torch.tensor([0.3])
    one = normal_statistics(geometry, spectrum[None], field, noise)
    many = normal_statistics(geometry, spectrum[None], factor * field, abs(factor) * noise)
    sign = torch.ones(CHANNELS, 1, 1)
    sign[:-1] = math.copysign(1.0, factor)
    torch.testing.assert_close(many.images, sign * one.images, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(many.scalars, one.scalars, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(many.scale, abs(factor) * one.scale, rtol=1e-4, atol=0)


def test_the_network_does_not_see_an_offset_or_a_slope():
    geometry, places, spectrum, field, _ = scene()
    slope = 5 + 0.1 * torch.arange(geometry.width) * torch.ones(geometry.height, 1)

    def seen(image):
        problem = normal_equations(
            image, torch.ones(field.shape[1:]), 63, places, torch.ones(len(places)), 1
        )
        projected = problem.project(problem.field)
        return normal_statistics(geometry, spectrum[None], projected, torch.tensor([0.3]))

    torch.testing.assert_close(seen(field + slope).images, seen(field).images, rtol=0, atol=5e-3)


def test_the_weakest_regularisation_shows_the_kernel_of_a_clean_map():
    draw = torch.Generator().manual_seed(8)
    geometry, _, spectrum, _, kernel = scene(count=30)
    field = convolve(geometry, spectrum, kernel)[None]
    statistics = normal_statistics(geometry, spectrum[None], field, torch.tensor([1e-3]))
    weighted = kernel * radial_weight(WINDOW)
    likeness = torch.nn.functional.cosine_similarity(
        statistics.images[0, 1].flatten(), weighted.flatten(), dim=0
    )
    noise = torch.randn(weighted.shape, generator=draw)
    chance = torch.nn.functional.cosine_similarity(noise.flatten(), weighted.flatten(), dim=0)
    assert float(likeness) > 0.8 > float(chance.abs())


def test_more_noise_raises_the_noise_share_alone():
    geometry, _, spectrum, field, _ = scene()
    little, much = (
        normal_statistics(geometry, spectrum[None], field, torch.tensor([noise]))
        for noise in (0.1, 1.0)
    )
    torch.testing.assert_close(little.images, much.images)
    difference = (much.scalars - little.scalars)[0]
    torch.testing.assert_close(difference, torch.tensor([math.log(10.0), 0.0]))


def test_the_radial_weight_scales_with_the_pitch():
    assert float(radial_weight(5)[2, 2]) == pytest.approx(0.2)
    fine, coarse = radial_weight(127, 0.5), radial_weight(64, 1.0)
    torch.testing.assert_close(fine[63 - 40 : 63 + 41 : 2, 63], coarse[32 - 20 : 32 + 21, 32])
