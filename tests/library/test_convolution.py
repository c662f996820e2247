import numpy as np
import pytest
import torch

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve, correlate

SIZES = [(20, 20, 9), (21, 33, 15), (40, 17, 32), (64, 48, 63)]


def kernel_of(function, window):
    axis = torch.arange(window, dtype=torch.float64) - window // 2
    return function(axis[:, None], axis[None, :])


def place(geometry, places, weights=None):
    places = torch.tensor(places, dtype=torch.float64)
    weights = torch.ones(len(places), dtype=torch.float64) if weights is None else weights
    return activation_spectrum(geometry, places, weights)


@pytest.mark.parametrize(("height", "width", "window"), SIZES)
def test_convolve_and_correlate_are_adjoint(height, width, window):
    geometry = Geometry(height, width, window)
    draw = torch.Generator().manual_seed(1)
    reach = torch.tensor([height, width]) + 2 * geometry.half
    places = torch.rand(12, 2, generator=draw, dtype=torch.float64) * reach - geometry.half
    weights = torch.randn(12, generator=draw, dtype=torch.float64)
    kernel = torch.randn(2, window, window, generator=draw, dtype=torch.float64)
    field = torch.randn(2, height, width, generator=draw, dtype=torch.float64)
    spectrum = activation_spectrum(geometry, places, weights)
    seen = (convolve(geometry, spectrum, kernel) * field).sum((-2, -1))
    felt = (correlate(geometry, spectrum, field) * kernel).sum((-2, -1))
    np.testing.assert_allclose(seen.numpy(), felt.numpy(), rtol=1e-10)


@pytest.mark.parametrize(("height", "width", "window"), SIZES)
def test_they_are_adjoint_in_single_precision_too(height, width, window):
    geometry = Geometry(height, width, window)
    draw = torch.Generator().manual_seed(2)
    places = torch.rand(9, 2, generator=draw) * torch.tensor([height, width])
    kernel = torch.randn(window, window, generator=draw)
    field = torch.randn(height, width, generator=draw)
    spectrum = activation_spectrum(geometry, places, torch.ones(9))
    seen, felt = convolve(geometry, spectrum, kernel), correlate(geometry, spectrum, field)
    scale = float(seen.norm() * field.norm())
    assert abs(float((seen * field).sum() - (felt * kernel).sum())) < 1e-5 * scale


@pytest.mark.parametrize("window", [8, 9])
def test_an_integer_position_copies_the_kernel(window):
    geometry = Geometry(30, 41, window)
    kernel = kernel_of(lambda y, x: y + 10 * x + 3, window)
    result = convolve(geometry, place(geometry, [[12, 20]], torch.tensor([-2.0]).double()), kernel)
    expected = torch.zeros(30, 41, dtype=torch.float64)
    rows, columns = slice(12 - window // 2, None), slice(20 - window // 2, None)
    expected[rows, columns][:window, :window] = -2 * kernel
    np.testing.assert_allclose(result.numpy(), expected.numpy(), atol=1e-10)


def test_weights_and_scatterers_add_up():
    geometry = Geometry(30, 30, 11)
    kernel = kernel_of(lambda y, x: torch.exp(-(y**2 + 2 * x**2) / 8), 11)
    places, weights = [[5.3, 6.1], [20.0, 8.7]], torch.tensor([0.5, -3.0]).double()
    together = convolve(geometry, place(geometry, places, weights), kernel)
    apart = sum(
        weight * convolve(geometry, place(geometry, [at]), kernel)
        for at, weight in zip(places, weights, strict=True)
    )
    np.testing.assert_allclose(together.numpy(), apart.numpy(), atol=1e-12)


@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.25, -0.4), (-0.499, 0.31)])
def test_a_sub_pixel_shift_of_a_band_limited_kernel_is_exact(shift):
    def gaussian(y, x):
        return torch.exp(-(y**2 + (x - 0.5 * y) ** 2) / (2 * 2.0**2))

    geometry = Geometry(64, 60, 41)
    row, column = 30 + shift[0], 28 + shift[1]
    result = convolve(geometry, place(geometry, [[row, column]]), kernel_of(gaussian, 41))
    y = torch.arange(64).double()[:, None] - row
    x = torch.arange(60).double()[None, :] - column
    np.testing.assert_allclose(result.numpy(), gaussian(y, x).numpy(), atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("window", [16, 17])
def test_a_scatterer_outside_counts_and_nothing_wraps_round(axis, window):
    geometry = Geometry(32, 45, window)
    size = (32, 45)[axis]
    for position in (-3.0, size + 2.0):
        places = [[16.0, 20.0]]
        places[0][axis] = position
        result = convolve(
            geometry, place(geometry, places), kernel_of(lambda y, x: 1 + 0 * y * x, window)
        )
        lines = result.abs().amax(1 - axis).numpy()
        near = np.abs(np.arange(size) - position) <= window // 2
        assert lines[near].max() == pytest.approx(1.0)
        assert lines[~near].max() < 1e-10


def test_a_scatterer_a_window_away_leaves_nothing():
    geometry = Geometry(32, 32, 9)
    spot = kernel_of(lambda y, x: torch.exp(-(y**2 + x**2) / 2), 9)
    result = convolve(geometry, place(geometry, [[-5.0, 10.0], [10.0, 36.0]]), spot)
    assert float(result.abs().max()) < 1e-10


def test_maps_and_positions_may_be_batches():
    geometry = Geometry(20, 24, 9)
    draw = torch.Generator().manual_seed(3)
    places, weights = torch.rand(3, 5, 2, generator=draw) * 20, torch.ones(3, 5)
    kernels = torch.randn(3, 9, 9, generator=draw)
    together = convolve(geometry, activation_spectrum(geometry, places, weights), kernels)
    assert together.shape == (3, 20, 24)
    alone = convolve(geometry, activation_spectrum(geometry, places[1], weights[1]), kernels[1])
    np.testing.assert_allclose(together[1].numpy(), alone.numpy(), atol=1e-5)


@pytest.mark.parametrize(("height", "width", "window"), SIZES)
def test_the_canvas_holds_map_and_margin_and_is_even(height, width, window):
    canvas = Geometry(height, width, window).canvas
    assert canvas[0] % 2 == canvas[1] % 2 == 0
    assert canvas[0] >= height + window - 1
    assert canvas[1] >= width + window - 1
