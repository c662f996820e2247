import numpy as np
import pytest

pytest.importorskip("napari")
from napari_qpi_kernel.fourier import PARTS, fft_part
from qpi_kernel.qspace import kernel_fft


def test_parts_of_a_transform(simulated):
    fft = kernel_fft(simulated.kernel)
    parts = {part: fft_part(fft, part) for part in PARTS}
    np.testing.assert_allclose(10 ** parts["log|F|"].values, parts["|F|"].values, rtol=1e-3)
    rebuilt = parts["|F|"].values * np.exp(1j * parts["phase"].values)
    np.testing.assert_allclose(rebuilt, fft.values, atol=1e-3 * np.abs(fft.values).max())
    np.testing.assert_allclose(parts["Re F"].values + 1j * parts["Im F"].values, fft.values)
    assert parts["phase"].attrs["units"] == "rad"
    assert parts["log|F|"].attrs["units"].startswith("log10(")
