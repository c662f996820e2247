import numpy as np
import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate import crystals
from qpi_kernel.simulate.crystals import contour_k, octet_tip

MODELS = {
    "graphene": (crystals.graphene(), 6),
    "bi2212": (crystals.bi2212(), 4),
    "sr2ruo4": (crystals.sr2ruo4(), 4),
    "nbse2, barrel 1": (crystals.nbse2(1), 6),
    "nbse2, barrel 2": (crystals.nbse2(2), 6),
    "pnictide": (crystals.pnictide(), 4),
    "kagome": (crystals.kagome(), 6),
}


@pytest.mark.parametrize(("model", "fold"), MODELS.values(), ids=MODELS)
def test_bands_keep_the_point_group_of_the_crystal(model, fold):
    kx, ky = np.random.default_rng(2).uniform(-15, 15, (2, 40))
    levels = np.linalg.eigvalsh(model.hamiltonian(kx, ky))
    c, s = np.cos(2 * np.pi / fold), np.sin(2 * np.pi / fold)
    turned = np.linalg.eigvalsh(model.hamiltonian(c * kx - s * ky, s * kx + c * ky))
    mirrored = np.linalg.eigvalsh(model.hamiltonian(-kx, ky))
    np.testing.assert_allclose(turned, levels, atol=1e-10)
    np.testing.assert_allclose(mirrored, levels, atol=1e-10)


def test_bi2212_has_the_published_dispersion():
    x, y = np.random.default_rng(3).uniform(-np.pi, np.pi, (2, 30))
    cx, cy, c2x, c2y = np.cos(x), np.cos(y), np.cos(2 * x), np.cos(2 * y)
    expected = (
        0.1305
        - 0.5951 * (cx + cy) / 2
        + 0.1636 * cx * cy
        - 0.0519 * (c2x + c2y) / 2
        - 0.1117 * (c2x * cy + cx * c2y) / 2
        + 0.0510 * c2x * c2y
    )
    bands = crystals.bi2212().hamiltonian(x / 0.383, y / 0.383)[:, 0, 0]
    np.testing.assert_allclose(bands, expected, atol=1e-12)


def test_the_pnictide_has_the_published_dispersion():
    x, y = np.random.default_rng(3).uniform(-np.pi, np.pi, (2, 30))
    matrix = crystals.pnictide().hamiltonian(x / 0.38, y / 0.38) / 0.1
    both = 4 * 0.85 * np.cos(x) * np.cos(y) - 1.45
    np.testing.assert_allclose(matrix[:, 0, 0], 2 * np.cos(x) - 2.6 * np.cos(y) + both, atol=1e-12)
    np.testing.assert_allclose(matrix[:, 1, 1], 2 * np.cos(y) - 2.6 * np.cos(x) + both, atol=1e-12)
    np.testing.assert_allclose(matrix[:, 0, 1], 4 * 0.85 * np.sin(x) * np.sin(y), atol=1e-12)


@pytest.mark.parametrize(
    ("model", "direction", "k"),
    [
        (crystals.sr2ruo4(), (1, 1), 7.44),
        (crystals.nbse2(1), (0, 1), 4.768),
        (crystals.nbse2(1), (1, 0), 4.793),
        (crystals.nbse2(2), (0, 1), 5.311),
        (crystals.nbse2(2), (1, 0), 5.480),
    ],
)
def test_fermi_wave_vectors_are_the_published_ones(model, direction, k):
    assert contour_k(model, 0.0, direction, 10.0) == pytest.approx(k, abs=0.006)


def test_the_two_barrels_of_nbse2_hold_one_electron():
    u, v = (np.indices((300, 300)) + 0.5) / 300
    filled = []
    for barrel in (1, 2):
        model = crystals.nbse2(barrel)
        b1, b2 = model.reciprocal
        levels = model.hamiltonian(u * b1[0] + v * b2[0], u * b1[1] + v * b2[1]).real
        filled.append(2 * np.mean(levels < 0))
    assert sum(filled) / 2 == pytest.approx(1.0, abs=0.01)


def test_graphene_has_the_published_velocity():
    corner, energy = 4 * np.pi / (3 * 0.246), 0.1
    k = contour_k(crystals.graphene(), energy, (1, 0), corner)
    assert corner == pytest.approx(17.03, abs=0.01)
    assert corner - k == pytest.approx(energy / 0.5965, rel=0.02)


def test_the_kagome_crystal_has_a_flat_band_a_dirac_and_a_van_hove_point():
    model = crystals.kagome()
    kx, ky = np.random.default_rng(4).uniform(-10, 10, (2, 20))
    np.testing.assert_allclose(np.linalg.eigvalsh(model.hamiltonian(kx, ky))[:, 2], 1.6, atol=1e-9)
    at_k = np.linalg.eigvalsh(model.hamiltonian(np.array(4 * np.pi / 3 / 0.55), np.array(0.0)))
    np.testing.assert_allclose(at_k[:2], 0.4, atol=1e-9)
    at_m = np.linalg.eigvalsh(
        model.hamiltonian(np.array(0.0), np.array(2 * np.pi / np.sqrt(3) / 0.55))
    )
    assert at_m[0] == pytest.approx(0.0, abs=1e-9)


# In pi / a: the tip; in 1/nm: |q1| = 2 kx, q5 = 2 ky, q7, q3, q2 and q4, at a gap of 25 meV.
OCTET = {
    0.006: (0.290, 0.457, 4.75, 7.50, 1.94, 8.67, 6.28, 8.88),
    0.010: (0.249, 0.529, 4.09, 8.68, 3.25, 9.02, 6.78, 9.59),
    0.014: (0.216, 0.611, 3.54, 10.02, 4.58, 9.58, 7.51, 10.62),
    0.018: (0.190, 0.710, 3.11, 11.65, 6.03, 10.44, 8.52, 12.05),
}


@pytest.mark.parametrize("energy", OCTET)
def test_the_octet_vectors_of_bi2212(energy):
    kx, ky = octet_tip(energy, 0.025)
    scale = np.pi / 0.383
    root = np.sqrt(2)
    lengths = (2 * kx, 2 * ky, root * (ky - kx), root * (kx + ky))
    vectors = (*lengths, root * np.hypot(kx, ky), 2 * np.hypot(kx, ky))
    assert (kx / scale, ky / scale) == pytest.approx(OCTET[energy][:2], abs=0.001)
    assert vectors == pytest.approx(OCTET[energy][2:], abs=0.012)


def test_where_there_is_no_band_there_is_no_vector():
    assert np.isnan(contour_k(crystals.sr2ruo4(), 5.0, (1, 0), 8.0))
    assert np.all(np.isnan(octet_tip(0.03, 0.025)))
    assert np.all(np.isnan(octet_tip(0.0, 0.025)))
    with pytest.raises(QpiError, match="barrels 1 and 2"):
        crystals.nbse2(3)
