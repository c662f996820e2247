import numpy as np
import pytest
import torch

from qpi_kernel import QpiError, Scatterers, make_map
from qpi_kernel.extract.grids import MODEL_WINDOW, make_grids, noise_level, without

CPU = torch.device("cpu")


def white_map(rows=80, columns=100, pitch=0.2, *, biases=(0.0,), y_pitch=None, seed=1):
    values = np.random.default_rng(seed).normal(size=(len(biases), rows, columns))
    return make_map(
        values,
        bias_mV=biases,
        y_nm=3.0 + (y_pitch or pitch) * np.arange(rows),
        x_nm=-7.0 + pitch * np.arange(columns),
        units="nS",
    )


def test_positions_survive_the_way_to_pixels_and_back():
    grid, coarse = make_grids(white_map(biases=(-5.0, 5.0)), 14.0, CPU)
    points = Scatterers([[-7.0, 3.0], [1.23, 4.56], [30.0, -2.0]], weight=[1.0, -2.0, 0.5])
    places, weights = grid.to_pixels(points)
    np.testing.assert_allclose(places[0].numpy(), [0, 0], atol=1e-6)
    np.testing.assert_allclose(places[1].numpy(), [1.56 / 0.2, 8.23 / 0.2], rtol=1e-5)
    for either in (grid, coarse):
        back = either.from_pixels(*either.to_pixels(points), points)
        np.testing.assert_allclose(back.xy_nm, points.xy_nm, atol=1e-5)
        np.testing.assert_allclose(back.weight, points.weight)
    assert weights.tolist() == [1.0, -2.0, 0.5]


def test_the_kernel_window_is_odd_and_centred_on_the_scatterer():
    for window_nm in (3.0, 5.13, 12.0):
        grid, _ = make_grids(white_map(), window_nm, CPU)
        kernel = grid.kernel_map(np.zeros((1, grid.window, grid.window)), "kernel")
        assert grid.window % 2 == 1
        assert kernel["x"].values[grid.window // 2] == 0
        assert grid.window * 0.2 <= window_nm + 1e-6 < (grid.window + 2) * 0.2


def test_a_fine_map_gets_a_coarser_model_grid():
    grid, coarse = make_grids(white_map(200, 200, 0.1), 15.0, CPU)
    assert coarse.window == MODEL_WINDOW
    assert coarse.pixel == pytest.approx(15.0 / MODEL_WINDOW)
    assert grid.pixel == pytest.approx(0.1)
    places, _ = coarse.to_pixels(Scatterers([[0.0, 10.0]]))
    y, x = coarse.didv["y"].values, coarse.didv["x"].values
    assert y[0] + float(places[0, 0]) * coarse.pixel == pytest.approx(10.0, abs=1e-4)
    assert x[0] + float(places[0, 1]) * coarse.pixel == pytest.approx(0.0, abs=1e-4)


def test_a_coarse_map_is_never_interpolated():
    grid, coarse = make_grids(white_map(), 6.0, CPU)
    assert coarse is grid
    assert grid.window == 29


def test_pixels_become_square():
    grid, _ = make_grids(white_map(80, 100, 0.2, y_pitch=0.25), 12.0, CPU)
    assert grid.pixel == pytest.approx(0.25, rel=0.02)
    assert grid.didv["y"].values[0] == pytest.approx(3.0, abs=0.2)
    assert grid.didv["x"].values[-1] == pytest.approx(-7.0 + 0.2 * 99, abs=0.3)


def test_points_missing_at_one_bias_are_missing_at_all():
    didv = white_map(biases=(-5.0, 5.0))
    didv.values[0, 10:20] = np.nan
    grid, _ = make_grids(didv, 5.0, CPU)
    assert float(grid.mask[10:20].sum()) == 0
    assert float(grid.mask.sum()) == 70 * 100
    assert bool(torch.isfinite(grid.field).all())


def test_foreign_pixels_are_left_out_on_either_pitch():
    grid, coarse = make_grids(white_map(200, 200, 0.1), 15.0, CPU)
    foreign = torch.zeros_like(coarse.mask)
    foreign[: foreign.shape[0] // 2] = 1
    for either in (grid, coarse):
        rest = without(either, foreign)
        assert float(rest.mask.mean()) == pytest.approx(0.5, abs=0.02)
        assert float(rest.field[:, rest.mask == 0].abs().sum()) == 0


@pytest.mark.parametrize(("offset", "sigma"), [(0.0, 1.0), (1e4, 0.3), (0.0, 1e-12)])
def test_the_noise_of_a_white_map_is_found(offset, sigma):
    didv = white_map(180, 180)
    grid, _ = make_grids(didv.copy(data=(offset + sigma * didv.values)), 6.0, CPU)
    assert float(noise_level(grid.field, grid.mask)[0]) == pytest.approx(sigma, rel=0.03)


def test_waves_and_cores_are_no_noise():
    didv = white_map(180, 180)
    r = np.hypot(*np.meshgrid(np.arange(180) - 70, np.arange(180) - 90, indexing="ij"))
    values = didv.values + 100 * np.exp(-(r**2) / 8) + 5 * np.cos(0.5 * r)
    grid, _ = make_grids(didv.copy(data=values.astype(np.float32)), 6.0, CPU)
    assert float(noise_level(grid.field, grid.mask)[0]) == pytest.approx(1.0, rel=0.1)


def test_unfinished_rows_do_not_count_as_noise():
    didv = white_map(180, 180)
    didv.values[:, 60:] = np.nan
    didv.values[:] += 50
    grid, _ = make_grids(didv, 6.0, CPU)
    assert float(noise_level(grid.field, grid.mask)[0]) == pytest.approx(1.0, rel=0.05)


def constant(didv):
    didv.values[:] = 4.0


def hardly_measured(didv):
    didv.values[:, 5:] = np.nan


def not_measured(didv):
    didv.values[:] = np.nan


@pytest.mark.parametrize(
    ("spoil", "window_nm", "says"),
    [
        (constant, 6.0, "constant at 0 mV"),
        (hardly_measured, 6.0, "only 6% of the points are measured"),
        (not_measured, 6.0, "only 0% of the points are measured"),
        (lambda didv: None, 17.0, r"kernel window \(17 nm\) is larger than the region"),
        (lambda didv: None, 1.0, "fewer than 8 pixels"),
    ],
)
def test_a_map_that_allows_no_kernel_is_refused(spoil, window_nm, says):
    didv = white_map()
    spoil(didv)
    with pytest.raises(QpiError, match=says):
        make_grids(didv, window_nm, CPU)
