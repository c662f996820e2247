import numpy as np
import pytest

from qpi_kernel.errors import QpiError, QpiWarning
from qpi_kernel.maps import MapError
from qpi_kernel.progress import drain
from qpi_kernel.qspace import fit_theory, iter_theory, kernel_fft, q_correlation
from qpi_kernel.simulate import joint_density_of_states, simulate_kernel
from tests.library.qspace.conftest import born


def test_a_transform_is_like_itself_whatever_the_scale(kernel_of):
    fft = kernel_fft(kernel_of(born(2.0), born(3.0)))
    other = fft.copy(data=3.0 * np.abs(fft.values) + 1.0)
    np.testing.assert_allclose(q_correlation(fft, other).values, 1.0, atol=1e-5)
    inverse = fft.copy(data=10.0 - np.abs(fft.values) / np.abs(fft.values).max())
    np.testing.assert_allclose(q_correlation(fft, inverse).values, -1.0, atol=1e-5)


def test_the_right_band_is_more_like_the_kernel_than_a_wrong_one(kernel_of):
    fft = kernel_fft(kernel_of(born(2.0), born(3.0)), window="hann")
    swapped = fft.copy(data=fft.values[::-1])
    right, wrong = (q_correlation(fft, each, (0.5, 6.0)).values for each in (fft, swapped))
    assert np.all(right - wrong > 0.5)


def test_the_joint_density_of_states_at_the_energy_of_a_kernel_is_the_most_alike(kernel_of):
    # k = 1/nm at 100 meV. A scatterer of strong potential puts the weight inside of the ring at 2k,
    # as the joint density does; that of a weak one lies outside.
    def parabola(kx, ky):
        return 0.1 * (kx**2 + ky**2)[..., None, None]

    resonant = born(2.0, np.pi / 2)
    fft = kernel_fft(kernel_of(resonant, half=40, step=0.5, bias_mV=[100.0]), window="hann")
    correlations = []
    for energy in (60.0, 100.0, 150.0):
        grid = kernel_of(resonant, half=40, step=0.5, bias_mV=[energy])
        joint = joint_density_of_states(parabola, grid, broadening_eV=0.01)
        theory = joint.assign_coords(bias=fft["bias"])
        correlations.append(q_correlation(fft, theory, (1.0, 4.0)).values[0])
    assert np.argmax(correlations) == 1
    assert correlations[1] > 0.5


def test_a_flat_theory_has_no_correlation(kernel_of):
    fft = kernel_fft(kernel_of(born(2.0)))
    assert np.isnan(q_correlation(fft, fft.copy(data=np.ones_like(fft.values))).values[0])


def test_other_grids_are_refused(kernel_of):
    fft = kernel_fft(kernel_of(born(2.0)))
    with pytest.raises(MapError, match="have different qy"):
        q_correlation(fft, kernel_fft(kernel_of(born(2.0), half=20)))
    with pytest.raises(MapError, match="have different bias"):
        q_correlation(fft, fft.assign_coords(bias=[7.0]))
    with pytest.raises(MapError, match="fewer than three q"):
        q_correlation(fft, fft, (100.0, 200.0))


def test_a_theory_is_scaled_to_the_kernel_whatever_its_core(kernel_of):
    theory = kernel_of(born(2.0), born(3.0))
    kernel = theory.copy(data=np.stack([-2.0 * theory.values[0] + 5.0, 0.5 * theory.values[1]]))
    kernel.values[:, 32, 32] += 1000.0
    fit = fit_theory(kernel, theory)
    np.testing.assert_allclose(fit.scale, [-2.0, 0.5], rtol=1e-5)
    outside = np.delete(np.abs(fit.difference.values).reshape(2, -1), 32 * 65 + 32, axis=1)
    assert outside.max() < 1e-4
    assert fit.similarity[0] < -0.99
    assert fit.similarity[1] > 0.99
    assert fit.theory.attrs["units"] == kernel.attrs["units"]
    np.testing.assert_allclose(fit.theory.values + fit.difference.values, kernel.values, atol=1e-4)


def test_a_theory_that_is_zero_leaves_the_kernel(kernel_of):
    kernel = kernel_of(born(2.0))
    fit = fit_theory(kernel, kernel.copy(data=np.zeros_like(kernel.values)))
    assert fit.scale == pytest.approx([0.0])
    assert np.isnan(fit.correlation[0])


def test_a_material_explains_its_own_kernel_better_than_another(kernel_of):
    axis = 0.4 * np.arange(-30, 31)
    with pytest.warns(QpiWarning, match="-300 mV is zero"):
        kernel = simulate_kernel("ag111", bias_mV=[-300.0, 0.0, 40.0], y_nm=axis, x_nm=axis)
    right, wrong = (drain(iter_theory(kernel, name)) for name in ("ag111", "cu111"))
    # Ag(111) begins at -65 mV, with 50 meV to spare.
    assert right.kernel["bias"].values.tolist() == [0.0, 40.0]
    np.testing.assert_allclose(right.correlation, 1.0, atol=1e-4)
    np.testing.assert_allclose(right.similarity, 1.0, atol=1e-4)
    assert right.theory.attrs["scatterer"] == "scalar"
    assert np.all(wrong.similarity[1:] < 0.8)
    with pytest.raises(QpiError, match="choose another material"):
        drain(iter_theory(kernel.isel(bias=[0]), "ag111"))
