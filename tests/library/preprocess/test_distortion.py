import numpy as np
import pytest

from qpi_kernel import (
    PreprocessError,
    apply_affine,
    displacement_field,
    drift_matrix,
    find_bragg_peaks,
    lattice_matrix,
    level,
    map_fft,
    read_file,
    select_topography,
    undistort,
)
from qpi_kernel.maps import pixel_nm
from tests.library.preprocess.conftest import LENGTH, frame, lattice_of, map_of, smooth_field

PITCH = 0.1
MATRIX = np.array([[1.04, 0.05], [0.0, 0.94]])


def scanned_lattice(symmetry, matrix, noise=0.3):
    """Return what a scan shows whose true positions are the matrix times its own."""
    x, y = frame()
    middle = np.array([x.mean(), y.mean()])[:, None, None]
    true = middle + np.tensordot(matrix, np.stack([x, y]) - middle, 1)
    rng = np.random.default_rng(1)
    return map_of(lattice_of(symmetry, *true) + noise * rng.normal(size=x.shape) + 0.2 * x)


def rms_px(matrix):
    """Return the rms displacement of the frame by a matrix that should be one [px]."""
    x, y = frame()
    moved = np.tensordot(matrix - np.eye(2), np.stack([x - x.mean(), y - y.mean()]), 1)
    return float(np.sqrt(np.mean(np.sum(moved**2, axis=0)))) / PITCH


@pytest.mark.parametrize("symmetry", ["square", "hexagonal"])
def test_bragg_peaks_are_found_to_a_hundredth_of_a_pixel(symmetry):
    topograph = scanned_lattice(symmetry, np.eye(2))
    step = 2 * np.pi / (192 * PITCH)
    for peaks in (
        find_bragg_peaks(topograph, symmetry, 0.38),
        find_bragg_peaks(topograph, symmetry),
    ):
        assert len(peaks) == {"square": 2, "hexagonal": 3}[symmetry]
        np.testing.assert_allclose(np.hypot(*peaks.T), LENGTH[symmetry], atol=0.02 * step)
    assert len(find_bragg_peaks(topograph)) == 2


@pytest.mark.parametrize("symmetry", ["square", "hexagonal"])
def test_affine_distortion_is_corrected_to_a_tenth_of_a_pixel(symmetry):
    topograph = scanned_lattice(symmetry, MATRIX)
    matrix = lattice_matrix(find_bragg_peaks(topograph, symmetry, 0.4), symmetry, 0.4)
    assert rms_px(MATRIX) > 3
    assert rms_px(matrix @ np.linalg.inv(MATRIX)) < 0.1
    straight = apply_affine(topograph, matrix)
    np.testing.assert_allclose(
        np.hypot(*find_bragg_peaks(straight, symmetry).T), LENGTH[symmetry], rtol=1e-3
    )
    # Without the constant only the shape of the cell is known.
    shape = lattice_matrix(find_bragg_peaks(topograph, symmetry, 0.4), symmetry)
    assert np.linalg.det(shape) == pytest.approx(1)
    np.testing.assert_allclose(shape / shape[0, 0], matrix / matrix[0, 0], atol=1e-9)


@pytest.mark.parametrize("symmetry", ["square", "hexagonal"])
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_lawler_fujita_leaves_less_than_a_tenth_of_a_pixel(symmetry, noise):
    x, y = frame()
    drift = smooth_field(seed=4)
    rng = np.random.default_rng(1)
    topograph = map_of(lattice_of(symmetry, x + drift[0], y + drift[1]))
    topograph = topograph + (noise * rng.normal(size=x.shape)).astype(np.float32)
    topograph = topograph.assign_attrs(units="pm")
    found = displacement_field(topograph, find_bragg_peaks(topograph, symmetry, 0.4))
    left = found.values - drift
    left -= left.mean(axis=(1, 2), keepdims=True)
    assert np.sqrt(np.mean(np.sum(drift**2, axis=0))) > 1.5 * PITCH
    assert np.sqrt(np.mean(np.sum(left**2, axis=0))) < 0.1 * PITCH
    # The corrected topograph is a perfect lattice, the scanned one is none.
    straight = undistort(topograph, found)
    again = displacement_field(straight, find_bragg_peaks(straight, symmetry, 0.4))
    assert np.sqrt(np.mean(np.sum(again.values**2, axis=0))) < 0.1 * PITCH


def test_a_core_does_not_drag_the_lattice_along():
    x, y = frame()
    topograph = map_of(
        lattice_of("square", x, y) + 40 * np.exp(-((x - 9) ** 2 + (y - 12) ** 2) / 0.2)
    )
    found = displacement_field(topograph, find_bragg_peaks(topograph, "square", 0.4))
    assert np.abs(found.values).max() < 0.3 * PITCH


def test_drift_and_shear_that_are_known():
    didv = scanned_lattice("square", drift_matrix(map_of(frame()[0]), 0.8, -0.5, 2.0))
    matrix = drift_matrix(didv, 0.8, -0.5, 2.0)
    np.testing.assert_allclose(matrix[0, 1], 0.8 / 19.2 + np.tan(np.deg2rad(2)))
    np.testing.assert_allclose(matrix[1, 1], 1 - 0.5 / 19.2)
    peaks = find_bragg_peaks(apply_affine(didv, matrix), "square")
    np.testing.assert_allclose(np.hypot(*peaks.T), LENGTH["square"], rtol=1e-3)
    assert peaks[0] @ peaks[1] == pytest.approx(0, abs=0.2)


def test_a_stretched_map_keeps_its_values_and_a_leaning_one_all_of_itself(noise):
    didv = map_of(noise)
    stretched = apply_affine(didv, [[1.1, 0], [0, 0.9]])
    np.testing.assert_array_equal(stretched.values, didv.values)
    assert pixel_nm(stretched) == pytest.approx((0.09, 0.11))
    for axis in ("x", "y"):
        assert float(stretched[axis].mean()) == pytest.approx(float(didv[axis].mean()))
    x, y = frame(64)
    smooth = map_of(np.cos(3 * x) + np.sin(2 * y))
    there = apply_affine(smooth, [[1, 0.2], [0, 1]])
    back = apply_affine(there, [[1, -0.2], [0, 1]])
    both = back.sel(x=smooth["x"], method="nearest", tolerance=1e-6).values
    assert there.sizes["x"] > 64
    np.testing.assert_allclose(both[0, :, 6:-6], smooth.values[0, :, 6:-6], atol=2e-3)


def test_matrices_and_lattices_that_are_none_are_refused(noise):
    didv = map_of(noise)
    with pytest.raises(PreprocessError, match="upper triangular"):
        apply_affine(didv, [[1, 0], [0.1, 1]])
    with pytest.raises(PreprocessError, match="stretched by 3"):
        apply_affine(didv, [[3, 0], [0, 1]])
    with pytest.raises(PreprocessError, match=r"no Bragg peaks of a square lattice of 0\.4 nm"):
        find_bragg_peaks(didv, "square", 0.4)
    with pytest.raises(PreprocessError, match="not those of a hexagonal lattice"):
        lattice_matrix([[10.0, 1.0], [10.0, 3.0]], "hexagonal")
    topograph = scanned_lattice("square", np.eye(2))
    for smoothing in (0.01, 10.0):
        with pytest.raises(PreprocessError, match=r"choose 0\.1 to 3\.84 nm"):
            displacement_field(topograph, None, smoothing)


def test_the_lattice_of_a_real_topograph(data_dir):
    topograph = select_topography(read_file(data_dir / "fese" / "FeSe_topography.sxm"))
    peaks = find_bragg_peaks(topograph, "square", 0.377)
    # The scanner is within 3 % of the lattice constant of FeSe, 0.377 nm.
    np.testing.assert_allclose(2 * np.pi / np.hypot(*peaks.T), 0.377, rtol=0.03)
    straight = undistort(topograph, displacement_field(topograph, peaks))

    def sharpness(didv):
        """Return how much of the power around the first peak is within a q-pixel of it."""
        fft = map_fft(level(didv, 2))
        qx, qy = find_bragg_peaks(didv, "square", 0.377)[0]
        step = float(fft["qx"][1] - fft["qx"][0])
        away = np.hypot(fft["qx"] - qx, fft["qy"] - qy) / step
        power = np.abs(fft) ** 2
        return float(power.where(away < 1.5).sum() / power.where(away < 5).sum())

    assert sharpness(straight) > sharpness(topograph) > 0.8
