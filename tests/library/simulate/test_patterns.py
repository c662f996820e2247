import numpy as np
import pytest

from qpi_kernel.simulate import patterns

STEP_NM = 0.25
Y, X = np.indices((160, 160)) * STEP_NM


def rng():
    return np.random.default_rng(3)


def spectrum(values):
    return np.abs(np.fft.fft2(values - values.mean())), 2 * np.pi * np.fft.fftfreq(160, STEP_NM)


@pytest.mark.parametrize(
    "pattern",
    [
        patterns.stripes(rng(), Y, X, 2.0),
        patterns.hexagonal(rng(), Y, X, 2.0),
        patterns.herringbone(rng(), Y, X, 4.0),
        patterns.puddles(rng(), X.shape, 6.0),
    ],
    ids=["stripes", "hexagonal", "herringbone", "puddles"],
)
def test_patterns_have_standard_deviation_one(pattern):
    assert pattern.std() == pytest.approx(1, rel=0.06)


def test_a_hexagonal_lattice_has_six_peaks():
    power, q = spectrum(patterns.hexagonal(rng(), Y, X, 2.0))
    length = np.hypot(q[:, None], q)
    ring = np.abs(length - patterns.hexagonal_q(2.0)) < 0.3
    assert (power[ring] ** 2).sum() > 0.8 * (power**2).sum()
    row, column = np.unravel_index(np.where(ring, power, 0).argmax(), power.shape)
    angles = np.arctan2(q[row], q[column]) + np.arange(6) * np.pi / 3
    step = q[1]
    for angle in angles:
        y, x = patterns.hexagonal_q(2.0) * np.sin(angle), patterns.hexagonal_q(2.0) * np.cos(angle)
        near = np.hypot(q[:, None] - y, q - x) < 2 * step
        assert power[near].max() > 0.3 * power.max()


def test_a_herringbone_has_stripes_in_two_directions_60_degrees_apart():
    power, q = spectrum(patterns.herringbone(rng(), Y, X, 3.0))
    length = np.hypot(q[:, None], q)
    # Stripes at +-30 degrees to their mean direction are closer by cos 30.
    ring = np.abs(length - 2 * np.pi / 3.0 / np.cos(np.pi / 6)) < 0.45
    assert (power[ring] ** 2).sum() > 0.5 * (power**2).sum()
    angle = np.rad2deg(np.arctan2(q[:, None], q + 0 * q[:, None])) % 180
    strongest = float(angle.ravel()[np.where(ring, power, 0).argmax()])
    apart = np.abs((angle - strongest + 90) % 180 - 90)
    other = float(apart.ravel()[np.where(ring & (apart > 25), power, 0).argmax()])
    assert other == pytest.approx(60, abs=8)


def test_a_step_is_straight_and_crosses_the_map():
    distance, upper = patterns.step(rng(), Y, X)
    signed = distance * np.where(upper > 0, 1, -1)
    fit = np.column_stack([Y.ravel(), X.ravel(), np.ones(Y.size)])
    normal, residual, *_ = np.linalg.lstsq(fit, signed.ravel(), rcond=None)
    assert residual[0] < 1e-12 * Y.size
    assert np.hypot(normal[0], normal[1]) == pytest.approx(1)
    assert 0 < upper.mean() < 1


def test_standing_waves_have_their_maxima_where_j0_has_its_minima():
    distance = np.linspace(0, 6, 6001)
    wave = patterns.standing_wave(distance, 2.0)
    assert wave[0] == -1
    # The first minimum of J0 lies at 3.8317.
    assert distance[wave.argmax()] == pytest.approx(3.8317 / 2.0, abs=0.002)
