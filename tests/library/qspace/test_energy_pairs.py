import numpy as np
import pytest

from qpi_kernel.maps import MapError
from qpi_kernel.qspace import antisymmetric_part, haem, kernel_fft, phase_referenced


def spot(amplitude, q0=3.0):
    return lambda x, y: amplitude * np.cos(q0 * x) * np.exp(-(x**2 + y**2) / 8)


@pytest.fixture
def odd(kernel_of):
    """Waves that change sign with energy, and a slice at 0 mV that has no opposite."""
    amplitudes = (-2.0, -1.0, 0.5, 1.0, 2.0)
    return kernel_of(*(spot(a) for a in amplitudes), bias_mV=[-20, -10, 0, 10, 20])


def test_haem_adds_what_is_odd_and_drops_what_is_even(kernel_of, odd):
    trace = haem(odd, centre=(3.0, 0.0), radius=2.0)
    np.testing.assert_allclose(trace["bias"].values, [10, 20])
    assert trace.values[1] == pytest.approx(2 * trace.values[0], rel=1e-4)
    # Half of the wave lies at +q: the region holds nearly all of it, which at r = 0 is 1 nS.
    assert trace.values[0] == pytest.approx(2 * 1.0 / 2, rel=0.02)
    assert trace.attrs["units"] == "nS"
    even = kernel_of(spot(1.0), spot(1.0), bias_mV=[-10, 10])
    assert abs(haem(even, centre=(3.0, 0.0), radius=2.0).values[0]) < 1e-6


def test_the_antisymmetric_part_is_the_difference_of_the_real_parts(odd):
    fft = kernel_fft(odd)
    np.testing.assert_allclose(
        antisymmetric_part(odd).values[0], fft.values.real[3] - fft.values.real[1], atol=1e-5
    )


def test_phase_referenced_is_negative_where_the_wave_turns_over(kernel_of, odd):
    strongest = np.unravel_index(np.argmax(np.abs(kernel_fft(odd).values[3])), odd.shape[1:])
    assert phase_referenced(odd).values[0][strongest] < 0
    even = kernel_of(spot(1.0), spot(2.0), bias_mV=[-10, 10])
    referenced = phase_referenced(even)
    np.testing.assert_allclose(
        np.abs(referenced.values[0]), np.abs(kernel_fft(even).values[0]), atol=1e-3
    )
    assert referenced.values[0][strongest] > 0


def test_an_energy_without_its_opposite_is_refused(kernel_of):
    lone = kernel_of(spot(1.0), spot(1.0), bias_mV=[5, 10])
    with pytest.raises(MapError, match="no bias has its opposite"):
        haem(lone, radius=1.0)
    pair = kernel_of(spot(1.0), spot(1.0), bias_mV=[-10, 10])
    with pytest.raises(MapError, match="holds no q"):
        haem(pair, centre=(99.0, 0.0), radius=1.0)
