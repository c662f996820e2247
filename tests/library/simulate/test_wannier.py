import numpy as np
import pytest

from qpi_kernel.simulate.wannier import LOBES, wannier, wannier_transform

SIGMA = 0.21
AXIS = 0.05 * np.arange(-48, 49)
X, Y = np.meshgrid(AXIS, AXIS)


@pytest.mark.parametrize("lobe", LOBES)
def test_lobes_hold_one_electron(lobe):
    total = np.sum(wannier(lobe, X, Y, SIGMA) ** 2) * 0.05**2
    assert total == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("lobe", LOBES)
def test_the_transform_is_that_of_the_lobe(lobe):
    kx, ky = np.random.default_rng(4).uniform(-9, 9, (2, 20))
    waves = np.exp(-1j * (kx[:, None, None] * X + ky[:, None, None] * Y))
    expected = np.einsum("kyx,yx->k", waves, wannier(lobe, X, Y, SIGMA)) * 0.05**2
    np.testing.assert_allclose(wannier_transform(lobe, kx, ky, SIGMA), expected, atol=1e-10)


def test_different_lobes_do_not_overlap():
    lobes = np.stack([wannier(lobe, X, Y, SIGMA).ravel() for lobe in LOBES]) * 0.05
    np.testing.assert_allclose(lobes @ lobes.T, np.eye(len(LOBES)), atol=1e-9)
