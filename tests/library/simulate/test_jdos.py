import numpy as np
import pytest

from qpi_kernel import QpiError, make_map
from qpi_kernel.qspace import kernel_fft
from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2
from qpi_kernel.simulate.dirac import PAULI, warped_field
from qpi_kernel.simulate.jdos import joint_density_of_states
from qpi_kernel.simulate.tight_binding import square_lattice


def grid(pixels=160, step=0.8, bias_mV=(0.0,)):
    axis = step * (np.arange(pixels) - pixels // 2)
    values = np.zeros((len(bias_mV), pixels, pixels))
    return make_map(values, bias_mV=bias_mV, y_nm=axis, x_nm=axis)


def ag111(kx, ky):
    return (-0.065 + HBAR2_2M_EV_NM2 / 0.40 * (kx**2 + ky**2))[..., None, None]


def cone(kx, ky, warping=0.0, velocity=0.3):
    return np.tensordot(warped_field(kx, ky, velocity, warping), PAULI, (0, 0))


def along_x(joint, start):
    cut = joint[0].sel(qy=0, method="nearest")
    cut = cut.sel(qx=slice(start, None))
    return cut.qx.values, cut.values.astype(float)


@pytest.mark.parametrize(("bias_mV", "ring_q"), [(0.0, 1.652), (60.0, 2.290)])
def test_a_parabola_joins_states_up_to_twice_its_wave_vector(bias_mV, ring_q):
    q, joint = along_x(
        joint_density_of_states(ag111, grid(bias_mV=[bias_mV]), broadening_eV=0.006), 1.0
    )
    assert q[joint.argmax()] == pytest.approx(ring_q, abs=0.1)
    assert joint[q > ring_q + 0.3].max() < 0.3 * joint.max()


def test_it_is_the_sum_over_all_pairs():
    kernel = grid(pixels=12)
    joint = joint_density_of_states(ag111, kernel, broadening_eV=0.02)
    ky, kx = np.meshgrid(joint.qy.values, joint.qx.values, indexing="ij")
    weight = -np.imag(1 / (0.02j - ag111(kx, ky)[..., 0, 0])) / np.pi
    cell = (joint.qx.values[1] - joint.qx.values[0]) ** 2 / (2 * np.pi) ** 2
    # q = (+2, -3) steps in (y, x).
    pairs = np.sum(weight[:-2, 3:] * weight[2:, :-3]) * cell
    assert joint.values[0, 6 + 2, 6 - 3] == pytest.approx(pairs, rel=1e-5)
    assert joint.values[0, 6, 6] == pytest.approx(np.sum(weight**2) * cell, rel=1e-5)


@pytest.mark.parametrize("spin", [False, True])
def test_it_is_the_same_for_q_and_minus_q(spin):
    joint = joint_density_of_states(cone, grid(61), broadening_eV=0.02, spin=spin).values[0]
    np.testing.assert_allclose(joint[::-1, ::-1], joint, rtol=1e-4)
    assert joint.max() == joint[30, 30] > 0


def test_spin_forbids_a_dirac_cone_to_turn_waves_back():
    kernel = grid(bias_mV=[300.0])
    plain, spin = (
        joint_density_of_states(cone, kernel, broadening_eV=0.01, spin=on) for on in (False, True)
    )
    q, at_2k = along_x(plain, 1.5)
    assert q[at_2k.argmax()] == pytest.approx(2.0, abs=0.1)
    ring, below = np.argmin(np.abs(q - 2.0)), np.argmin(np.abs(q - 1.6))
    spin_q, with_spin = along_x(spin, 1.5)
    np.testing.assert_array_equal(spin_q, q)
    assert with_spin[ring] / at_2k[ring] < 0.15
    assert with_spin[below] / at_2k[below] > 2 * with_spin[ring] / at_2k[ring]


def test_spin_changes_nothing_where_there_is_none():
    def twice(kx, ky):
        return ag111(kx, ky) * np.eye(2)

    kernel = grid(60)
    one, with_spin = (
        joint_density_of_states(h, kernel, broadening_eV=0.01, spin=spin)
        for h, spin in ((ag111, False), (twice, True))
    )
    np.testing.assert_allclose(with_spin.values, 2 * one.values, rtol=1e-4)


def test_a_warped_cone_joins_every_second_tip():
    # Tips lie along Gamma-M at k = E / v; neighbours but one are sqrt(3) E / v apart, along x.
    def fu(kx, ky):
        return cone(kx, ky, warping=0.25, velocity=0.255)

    q, joint = along_x(
        joint_density_of_states(fu, grid(200, 0.8, [260.0]), broadening_eV=0.01, spin=True), 1.4
    )
    assert q[joint.argmax()] == pytest.approx(np.sqrt(3) * 0.26 / 0.255, abs=0.08)


def test_a_lattice_may_be_given_with_its_zone():
    model = square_lattice(0.4, -0.1)

    def zone(kx, ky):
        return (np.abs(kx) < np.pi / 0.4) & (np.abs(ky) < np.pi / 0.4)

    joint = joint_density_of_states(
        model.hamiltonian, grid(160, 0.15, [-200.0]), broadening_eV=0.01, zone=zone
    )
    q, values = along_x(joint, 2.0)
    ring = 2 * np.arccos(0.0) / 0.4
    inside = values[np.abs(q - ring) < 0.6].max()
    assert values[(q > ring + 1.5) & (q < ring + 3)].max() < 0.5 * inside


@pytest.mark.parametrize("pixels", [40, 41])
def test_axes_are_those_of_the_transform_of_a_kernel(pixels):
    kernel = grid(pixels, bias_mV=[0.0, 20.0])
    joint, transform = (
        joint_density_of_states(ag111, kernel, broadening_eV=0.01),
        kernel_fft(kernel),
    )
    assert joint.dims == transform.dims
    for dim in ("bias", "qy", "qx"):
        np.testing.assert_allclose(joint[dim].values, transform[dim].values, atol=1e-12)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(QpiError, match="broadening must be positive"):
        joint_density_of_states(ag111, grid(8), broadening_eV=0.0)
    with pytest.raises(QpiError, match="has 1 rows"):
        joint_density_of_states(ag111, grid(8), broadening_eV=0.1, spin=True)
    with pytest.raises(QpiError, match="expected"):
        joint_density_of_states(lambda kx, ky: kx, grid(8), broadening_eV=0.1)
    with pytest.raises(QpiError, match="not Hermitian"):
        joint_density_of_states(lambda kx, ky: 1j * ag111(kx, ky), grid(8), broadening_eV=0.1)
