import numpy as np
import pytest

from qpi_kernel.maps import MapError, make_map
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


def two_gaps(sign, energy, cells=64, gaps=(0.008, 0.005), eta=0.0015):
    """Electrons about a scatterer of two bands, a hole and an electron pocket with gaps [eV].

    Written out here, so that nothing of the library but `haem` is in what the test says.
    """
    k = 2 * np.pi * np.arange(cells) / cells
    cosines = np.cos(k)[:, None] + np.cos(k)[None, :]
    bands = (0.25 * (cosines - 2) + 0.06, 0.25 * (cosines + 2) - 0.07)
    hamiltonian = np.zeros((cells, cells, 4, 4))
    for band, (energies, gap) in enumerate(zip(bands, (gaps[0], sign * gaps[1]), strict=True)):
        hamiltonian[..., band, band], hamiltonian[..., band + 2, band + 2] = energies, -energies
        hamiltonian[..., band, band + 2] = hamiltonian[..., band + 2, band] = gap
    green = np.fft.ifft2(np.linalg.inv((energy + 1j * eta) * np.eye(4) - hamiltonian), axes=(0, 1))
    back = np.roll(green[::-1, ::-1], 1, axis=(0, 1))
    potential = 0.02 * np.kron(np.diag([1, -1]), np.ones((2, 2)))
    t_matrix = potential @ np.linalg.inv(np.eye(4) - green[0, 0] @ potential)
    change = (green @ t_matrix @ back)[..., :2, :2].sum((-1, -2))
    return np.fft.fftshift(-change.imag / np.pi)


def test_haem_tells_gaps_of_opposite_sign_from_those_of_one():
    lattice_nm = 0.4
    energies = np.array([0.003, 0.005, 0.006, 0.007, 0.008, 0.010])
    biases = np.concatenate([-energies[::-1], energies])
    axis = lattice_nm * np.arange(-32, 32)
    between_pockets = (-np.pi / lattice_nm, -np.pi / lattice_nm)
    traces = {}
    for sign in (-1, 1):
        waves = np.stack([two_gaps(sign, energy) for energy in biases])
        kernel = make_map(waves, bias_mV=1e3 * biases, y_nm=axis, x_nm=axis)
        traces[sign] = haem(kernel, centre=between_pockets, radius=3.0).values
    opposite, same = traces[-1], traces[1]
    assert len(set(np.sign(opposite))) == 1
    assert len(set(np.sign(same))) == 2
    assert np.abs(same).max() < 0.2 * np.abs(opposite).max()


def test_an_energy_without_its_opposite_is_refused(kernel_of):
    lone = kernel_of(spot(1.0), spot(1.0), bias_mV=[5, 10])
    with pytest.raises(MapError, match="no bias has its opposite"):
        haem(lone, radius=1.0)
    pair = kernel_of(spot(1.0), spot(1.0), bias_mV=[-10, 10])
    with pytest.raises(MapError, match="holds no q"):
        haem(pair, centre=(99.0, 0.0), radius=1.0)
