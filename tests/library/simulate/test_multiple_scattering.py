import numpy as np
import pytest
from scipy.special import exp1, hankel1

from qpi_kernel import QpiError, Scatterers, simulate_map
from qpi_kernel.simulate import MATERIALS
from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2, ParabolicBand, parabolic_kernel
from qpi_kernel.simulate.multiple_scattering import foldy_lax

AXIS = 0.4 * np.arange(40)
AG111 = ParabolicBand(0.40, -0.065, 0.003)


def exact(band, xy, weight=None, energy=0.0):
    xy = np.asarray(xy, float)
    weight = np.ones(len(xy)) if weight is None else np.asarray(weight, float)
    return foldy_lax(AXIS, AXIS, energy, band=band, xy_nm=xy, weight=weight)


def added(band, xy, weight=None, energy=0.0):
    weight = np.ones(len(xy)) if weight is None else weight
    return sum(
        w * parabolic_kernel(
            AXIS[:, None] - y, AXIS[None, :] - x, energy, mass=band.mass, edge_eV=band.edge_eV,
            broadening_eV=band.broadening_eV, phase_shift=band.phase_shift, core_nm=band.core_nm,
        )
        for (x, y), w in zip(xy, weight, strict=True)
    )  # fmt: skip


def excess(band, xy):
    born = added(band, xy)
    return np.linalg.norm(exact(band, xy) - born) / np.linalg.norm(born)


@pytest.mark.parametrize("mass", [0.4, -0.4])
@pytest.mark.parametrize("phase_shift", [0.3, np.pi / 2])
def test_one_scatterer_is_its_kernel(mass, phase_shift):
    band = ParabolicBand(mass, np.copysign(0.065, -mass), 0.003, phase_shift)
    expected = added(band, [(7.1, 8.3)], [0.7])
    np.testing.assert_allclose(
        exact(band, [(7.1, 8.3)], [0.7]), expected, atol=2e-3 * np.abs(expected).max()
    )


def test_weak_scatterers_far_apart_add_up():
    pair = [(2.0, 2.0), (14.0, 14.0)]
    weak = ParabolicBand(0.40, -0.065, 0.003, phase_shift=0.02)
    assert excess(weak, pair) < 0.01
    assert excess(AG111, pair) > 5 * excess(weak, pair)


def test_a_pair_is_the_sum_of_all_its_paths():
    # Two scatterers: the geometric series in t G(d) t G(d), summed by hand.
    pair = np.array([(5.0, 7.0), (8.0, 7.0)])
    k = np.sqrt(0.40 * (0.065 + 0.003j) / HBAR2_2M_EV_NM2)

    def green(distance):
        core = 1j / np.pi * exp1(np.exp(-np.euler_gamma) * (distance / 0.2) ** 2)
        return -0.25j * 0.40 / HBAR2_2M_EV_NM2 * (hankel1(0, k * distance) + core)

    waves = [green(np.hypot(AXIS[None, :] - x, AXIS[:, None] - y)) for x, y in pair]
    t, hop = AG111.t_matrix, green(3.0)
    diagonal = t / (1 - (t * hop) ** 2)
    paths = diagonal * (waves[0] ** 2 + waves[1] ** 2 + 2 * t * hop * waves[0] * waves[1])
    expected = -2 / np.pi * paths.imag
    np.testing.assert_allclose(exact(AG111, pair), expected, atol=2e-3 * np.abs(expected).max())


def test_the_cost_of_adding_up_grows_with_density():
    draw = np.random.default_rng(3).uniform(0, 16, (40, 2))
    costs = [excess(AG111, draw[:count]) for count in (2, 8, 40)]
    assert costs[0] < costs[1] < costs[2]
    assert costs[2] > 0.3


def test_a_scatterer_of_no_weight_does_nothing():
    alone = exact(AG111, [(5.0, 5.0)])
    both = exact(AG111, [(5.0, 5.0), (7.0, 9.0)], [1.0, 0.0])
    np.testing.assert_allclose(both, alone, atol=1e-6 * np.abs(alone).max())


def simulated(material="ag111", **changes):
    wanted = {"bias_mV": [0.0], "size_nm": 20.0, "pixels": 64, "seed": 4, "snr": np.inf}
    return simulate_map(material, **(wanted | changes))


def test_a_map_with_multiple_scattering_keeps_scatterers_and_kernel():
    # On the centre of a pixel, where no limit of the band rounds off the core.
    one = Scatterers([[25.5 * 20.0 / 64, 35.5 * 20.0 / 64]])
    born, full = (simulated(scatterers=one, multiple_scattering=on) for on in (False, True))
    np.testing.assert_allclose(
        full.didv.values, born.didv.values, atol=0.01 * np.abs(born.didv.values).max()
    )
    born, full = (simulated(scatterers=20, multiple_scattering=on) for on in (False, True))
    np.testing.assert_array_equal(full.scatterers.xy_nm, born.scatterers.xy_nm)
    ratio = full.kernel.values / born.kernel.values
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    assert np.linalg.norm(full.didv - born.didv) > 0.1 * np.linalg.norm(born.didv)


def test_materials_without_a_closed_band_are_refused():
    with pytest.raises(QpiError, match=r"not known for square; it is for ag111, cu111"):
        simulated("square", multiple_scattering=True)
    assert MATERIALS["ag111"].band == AG111
