"""One simulated map of Ag(111) for all tests of the extraction."""

import numpy as np
import pytest

from qpi_kernel import simulate_map


@pytest.fixture(scope="session")
def scene():
    return simulate_map(
        "ag111", bias_mV=[0.0], size_nm=32.0, pixels=128, scatterers=15, snr=10.0, seed=1
    )


@pytest.fixture(scope="session")
def truth_like():
    """Return the part of a scene's true kernel on the window of an extracted one."""

    def cut(scene, kernel):
        half, middle = kernel.sizes["x"] // 2, scene.kernel.sizes["x"] // 2
        window = slice(middle - half, middle + half + 1)
        truth = scene.kernel.values[:, window, window]
        np.testing.assert_allclose(
            kernel["x"].values, scene.kernel["x"].values[window], atol=1e-6 * kernel["x"].size
        )
        return truth

    return cut
