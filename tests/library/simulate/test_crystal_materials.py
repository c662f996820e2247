import numpy as np
import pytest

from qpi_kernel.simulate import MATERIALS
from qpi_kernel.simulate.crystals import graphene
from qpi_kernel.simulate.impurity import Impurity, density_change, impurity_kernel, torus_green
from tests.library.simulate.rings import strongest_q

STEP_NM = 0.1
AXIS = STEP_NM * np.arange(-200, 201)


@pytest.mark.parametrize(
    ("name", "energy", "direction"),
    [
        ("sr2ruo4", 0.0, "along xy"),
        ("sr2ruo4", -0.05, "along xy"),
        ("bi2212", 0.0, "along xy"),
        ("kagome", -0.5, "along x"),
        ("kagome", -0.3, "along x"),
        ("kagome", 0.1, "along x"),
        ("fese", -0.02, "along x"),
        ("graphene", 0.3, "along x"),
    ],
)
def test_the_ring_lies_where_the_bands_say(name, energy, direction):
    kernel = MATERIALS[name].kernel(AXIS, AXIS, energy)
    expected = MATERIALS[name].ring_q(energy)
    if direction == "along x":
        line, r = kernel[200, 201:], AXIS[201:]
    else:
        line, r = np.diagonal(kernel)[201:], np.sqrt(2) * AXIS[201:]
    assert abs(strongest_q(line, r, expected) - expected) < np.pi / AXIS[-1]


def test_the_rings_have_the_published_size():
    assert MATERIALS["sr2ruo4"].ring_q(0.0) == pytest.approx(14.88, abs=0.01)
    assert MATERIALS["nbse2"].ring_q(0.0) == pytest.approx(2 * 4.793, abs=0.01)
    assert MATERIALS["bi2212-sc"].ring_q(0.010) == pytest.approx(4.09, abs=0.01)
    assert MATERIALS["bi2212-sc"].ring_q(0.014) == pytest.approx(3.54, abs=0.01)
    for energy, q in ((0.1, 0.335), (0.2, 0.671), (0.35, 1.173)):
        assert MATERIALS["graphene"].ring_q(energy) == pytest.approx(q, abs=0.002)


def test_a_scatterer_on_one_sublattice_is_threefold():
    axis = 0.05 * np.arange(-30, 31)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    disc = np.hypot(y, x) < 1.3

    def turned(degrees):
        # Turning the crystal and not the picture needs no interpolation.
        return impurity_kernel(
            graphene(), Impurity(((0, 0, 0),), [[8.4]]), axis, axis, 0.3, broadening_eV=0.05,
            wannier_nm=0.07, angle_deg=degrees, cells=128,
        )[disc]  # fmt: skip

    straight = turned(0.0)
    np.testing.assert_allclose(turned(120.0), straight, atol=1e-9 * np.abs(straight).max())
    assert np.linalg.norm(turned(60.0) - straight) > 0.2 * np.linalg.norm(straight)


def test_graphene_scatters_between_its_valleys():
    # Rings of radius 2 E / hbar v about K, in the density of both sublattices.
    cells, energy, a = 480, 0.3, 0.246
    model = graphene()
    green = torus_green(model, energy, 0.008, cells)
    change = density_change(green, Impurity(((0, 0, 0),), [[8.4]]))
    u, v = np.meshgrid(np.fft.fftfreq(cells), np.fft.fftfreq(cells), indexing="ij")
    # q about K = (b1 + 2 b2) / 3 in units of the reciprocal vectors, 480 being a multiple of 3.
    u, v = (u - 1 / 3 + 0.5) % 1 - 0.5, (v - 2 / 3 + 0.5) % 1 - 0.5
    q = np.linalg.norm(np.stack([u, v], -1) @ model.reciprocal, axis=-1)
    power = np.abs(np.fft.fft2(change[..., 0])) ** 2
    bins = np.arange(0.3, 2.0, 0.1)
    profile = [power[(q >= low) & (q < low + 0.1)].mean() for low in bins]
    velocity = np.sqrt(3) / 2 * 2.8 * a
    assert bins[np.argmax(profile)] + 0.05 == pytest.approx(2 * energy / velocity, abs=0.11)


def test_a_scatterer_in_one_orbital_of_the_pnictide_is_twofold():
    axis = 0.15 * np.arange(-25, 26)
    kernel = MATERIALS["pnictide"].kernel(axis, axis, 0.0)
    np.testing.assert_allclose(kernel[::-1, ::-1], kernel, atol=1e-9)
    assert np.linalg.norm(kernel.T - kernel) > 0.3 * np.linalg.norm(kernel)


def test_inside_its_gap_a_superconductor_has_no_ring():
    # The gap is 10 meV cos(k a): 7.5 meV on the pocket of 2 k = 3.80 / nm, 6.6 meV on the next.
    superconductor, normal = MATERIALS["pnictide-sc"], MATERIALS["pnictide"]
    assert np.isnan(superconductor.ring_q(0.0060))
    assert superconductor.ring_q(0.0077) == pytest.approx(normal.ring_q(0.0), rel=0.02)
    energy = 0.03
    beyond = np.sqrt(energy**2 - 0.0085**2)
    assert superconductor.ring_q(energy) == pytest.approx(normal.ring_q(beyond), rel=0.01)
