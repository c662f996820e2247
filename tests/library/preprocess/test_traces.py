import numpy as np
import pytest

from qpi_kernel import (
    PreprocessError,
    average_traces,
    level,
    read_file,
    select_didv,
    shift_between,
    simulate_map,
)
from qpi_kernel.maps import pixel_nm
from qpi_kernel.preprocess.distortion import warp
from qpi_kernel.read.companions import select_backward
from tests.library.preprocess.conftest import frame, map_of


def pattern(x, y):
    """Return waves of many directions that fit no frame."""
    rng = np.random.default_rng(3)
    waves = rng.uniform((1, 0, 0), (9, 2 * np.pi, 7), (30, 3))
    return sum(np.cos(q * (x * np.cos(a) + y * np.sin(a)) + p) for q, a, p in waves)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.43, 0.0), (-1.13, 0.0), (0.52, -0.31)])
def test_the_shift_between_two_maps_is_sub_pixel(shift):
    x, y = frame(128)
    first = map_of(pattern(x, y) + 3 * x)
    second = map_of(2 * pattern(x - shift[0], y - shift[1]) - y)
    sy, sx = shift_between(first, second)
    assert (sx, sy) == pytest.approx(shift, abs=0.02)
    if not shift[1]:
        assert shift_between(first, second, along_rows=True) == (0.0, pytest.approx(sx, abs=0.02))


def test_the_average_of_aligned_traces_halves_the_variance_and_keeps_the_forward_places():
    x, y = frame(128)
    rng = np.random.default_rng(0)
    forward, backward = rng.normal(size=(2, 128, 128))
    forward = map_of(pattern(x, y) + forward)
    backward = map_of(pattern(x - 0.37, y) + backward)
    average = average_traces(forward, backward)
    assert average.attrs["backward_lag_nm"] == pytest.approx(0.37, abs=0.02)
    inner = (slice(None), slice(8, -8))
    noise = (average.values[0] - pattern(x, y))[inner]
    # Interpolation takes some of the noise of the backward trace too.
    assert 0.4 < noise.var() < 0.55
    assert np.isfinite(average).all()


def test_what_only_one_trace_measured():
    x, y = frame(64)
    values = pattern(x, y)
    cut, hole = values.copy(), values.copy()
    cut[50:] = np.nan
    hole[10:14, 20:24] = np.nan
    average = average_traces(map_of(hole), map_of(cut)).values[0]
    np.testing.assert_array_equal(np.isnan(average), np.isnan(hole))
    np.testing.assert_allclose(average[50:], values[50:].astype(np.float32))


def test_traces_that_do_not_belong_together_are_refused():
    x, y = frame(64)
    didv = map_of(pattern(x, y))
    with pytest.raises(PreprocessError, match="different biases"):
        average_traces(didv, didv.assign_coords(bias=[3.0]))
    with pytest.raises(PreprocessError, match="no average"):
        average_traces(didv, didv.assign_attrs(units="pA"))
    with pytest.raises(PreprocessError, match="no pattern in common"):
        shift_between(didv, didv * 0)


def test_the_drift_between_two_simulated_scans():
    known = simulate_map("ag111", bias_mV=[0.0], size_nm=30.0, pixels=100, scatterers=10, seed=1)
    later = known.didv.roll(x=3).roll(y=-2)
    assert shift_between(known.didv, later) == pytest.approx((-0.6, 0.9), abs=0.03)


@pytest.mark.parametrize(
    ("file", "least_px", "most_px"),
    [
        ("cu111/A200621.160730.dat", 4, 12.5),
        ("cu111/A200621.210648.dat", 4, 12.5),
        ("fese/FeSe_topography.sxm", 0.5, 2),
    ],
)
def test_backward_traces_of_real_scans_lie_on_the_forward_ones(data_dir, file, least_px, most_px):
    dataset = read_file(data_dir / file)
    forward = select_didv(dataset)
    backward = select_backward(dataset, forward.attrs["channel"])
    _, lag = shift_between(forward, backward, along_rows=True)
    lag /= pixel_nm(forward)[1]
    assert least_px < abs(lag) < most_px
    rows, columns = np.indices(forward.shape[1:]).astype(float)
    moved = backward.copy(data=warp(backward.values, rows, columns + lag))

    def alike(other):
        inner = (slice(None), slice(20, -20))
        pair = [np.nan_to_num(level(one).values[0][inner]).ravel() for one in (forward, other)]
        return np.corrcoef(*pair)[0, 1]

    assert alike(moved) > alike(backward)
    assert alike(moved) > 0.6
