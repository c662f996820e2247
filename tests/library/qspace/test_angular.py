import numpy as np
import pytest

from qpi_kernel.maps import MapError
from qpi_kernel.qspace import angular_profile, fold_amplitudes, kernel_fft


def warped(fold, amplitude=0.5):
    """A transform whose ring between 2 and 4 1/nm is 1 + a cos(fold * angle) strong."""

    def make(fft):
        turn = np.arctan2(fft["qy"].values[:, None], fft["qx"].values[None, :])
        return fft.copy(data=(1 + amplitude * np.cos(fold * turn))[None].astype(np.complex64))

    return make


@pytest.mark.parametrize("fold", [1, 2, 3, 4, 6])
def test_the_fold_of_a_ring_is_read_with_its_strength(kernel_of, fold):
    fft = warped(fold)(kernel_fft(kernel_of(lambda x, y: x)))
    profile = angular_profile(fft, (2.0, 4.0))
    amplitudes = fold_amplitudes(profile)
    for each, found in zip(amplitudes["fold"].values, amplitudes.values[0], strict=True):
        assert found == pytest.approx(0.5 if each == fold else 0.0, abs=0.02)
    wanted = 1 + 0.5 * np.cos(np.deg2rad(fold * profile["angle"].values))
    np.testing.assert_allclose(profile.values[0], wanted, atol=0.05)


def test_an_even_ring_has_no_fold(kernel_of):
    kernel = kernel_of(lambda x, y: np.exp(-(x**2 + y**2) / 2))
    amplitudes = fold_amplitudes(angular_profile(kernel_fft(kernel, pad=2), (0.5, 2.0)))
    assert np.all(amplitudes.values < 0.01)


def test_a_ring_outside_the_transform_is_refused(kernel_of):
    fft = kernel_fft(kernel_of(lambda x, y: x))
    with pytest.raises(MapError, match="does not lie in the transform"):
        angular_profile(fft, (2.0, 50.0))
    with pytest.raises(MapError, match="does not lie in the transform"):
        angular_profile(fft, (2.0, 1.0))
    with pytest.raises(MapError, match=r"\(bias, angle\)"):
        fold_amplitudes(fft)
