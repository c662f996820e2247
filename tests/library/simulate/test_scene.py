import numpy as np
import pytest

from qpi_kernel import QpiError, Scatterers, simulate_kernel, simulate_map
from qpi_kernel.simulate import MATERIALS, crop_kernel, find_material


def simulated(material="ag111", **changes):
    wanted = {"bias_mV": [0.0], "size_nm": 20.0, "pixels": 64, "scatterers": 8, "seed": 4}
    return simulate_map(material, **(wanted | changes))


def test_one_scatterer_without_noise_is_the_kernel():
    at = (32 + 0.5) * 20.0 / 64
    scene = simulated(scatterers=Scatterers([[at, at]]), snr=np.inf)
    middle = scene.kernel.sizes["x"] // 2
    window = slice(middle - 32, middle + 32)
    expected = scene.kernel.values[:, window, window]
    np.testing.assert_allclose(scene.didv.values, expected, atol=1e-5 * np.abs(expected).max())
    assert scene.noise.tolist() == [0.0]
    exact = simulate_kernel(
        "ag111", bias_mV=[0.0], y_nm=scene.kernel["y"].values, x_nm=scene.kernel["x"].values
    )
    ratio = scene.kernel.values / exact.values
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)


@pytest.mark.parametrize("snr", [0.5, 4.0])
def test_the_snr_is_ripples_over_white_noise(snr):
    scene = simulated(snr=snr, pixels=128, bias_mV=[-20.0, 0.0])
    noise = scene.didv.values - scene.clean.values
    np.testing.assert_allclose(noise.std((1, 2)), scene.noise, rtol=0.03)
    pixel = 20.0 / 128
    x = scene.didv["x"].values
    distance = np.min(
        np.hypot(
            x[None, :, None] - scene.scatterers.xy_nm[:, 0],
            x[:, None, None] - scene.scatterers.xy_nm[:, 1],
        ),
        axis=-1,
    )
    ripples = scene.clean.values[:, distance > 3 * pixel]
    np.testing.assert_allclose(ripples.var(axis=1) / scene.noise**2, snr, rtol=1e-4)


def test_a_seed_is_a_scene():
    first, again, other = simulated(), simulated(), simulated(seed=5)
    np.testing.assert_array_equal(first.didv.values, again.didv.values)
    np.testing.assert_array_equal(first.scatterers.xy_nm, again.scatterers.xy_nm)
    assert np.abs(first.didv.values - other.didv.values).max() > 0.1
    assert np.abs(first.scatterers.xy_nm - other.scatterers.xy_nm).max() > 0.1


def test_scatterers_stand_apart_and_around_the_map():
    scene = simulated(pixels=128, scatterers=20)
    xy = scene.scatterers.xy_nm
    inside = np.all((xy > 0) & (xy < 20.0), axis=1)
    assert inside.sum() == 20
    assert len(xy) == round(20 * 1.5**2)
    distance = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1))
    assert distance[np.triu_indices(len(xy), 1)].min() >= 4 * 20.0 / 128


def test_scatterers_outside_the_map_count():
    inside = Scatterers([[10.0, 10.0]])
    both = Scatterers([[10.0, 10.0], [21.0, 10.0]])
    alone, with_outside = (simulated(scatterers=s, snr=np.inf) for s in (inside, both))
    scale = alone.kernel.values.max() / with_outside.kernel.values.max()
    difference = with_outside.clean.values * scale - alone.clean.values
    assert np.abs(difference[0, :, -3:]).max() > 10 * np.abs(difference[0, :, :3]).max() > 0


def test_a_scatterer_beyond_reach_changes_nothing():
    near = Scatterers([[10.0, 10.0]])
    far = Scatterers([[10.0, 10.0], [45.0, 10.0], [10.0, -30.0]])
    alone, together = (simulated(scatterers=s, snr=np.inf) for s in (near, far))
    np.testing.assert_array_equal(alone.clean.values, together.clean.values)


def test_falling_biases_are_sorted_with_their_slices():
    rising, falling = (simulated(bias_mV=biases) for biases in ([0.0, 100.0], [100.0, 0.0]))
    np.testing.assert_array_equal(rising.didv.values, falling.didv.values)
    assert falling.didv["bias"].values.tolist() == [0.0, 100.0]
    assert falling.ring_q == pytest.approx([1.652, 2.632], rel=1e-3)


def test_weights_scale_their_scatterers():
    one, two = (Scatterers([[6.0, 7.0], [14.0, 12.0]], w) for w in ([1.0, 1.0], [-2.0, -2.0]))
    first, second = (simulated(scatterers=s, snr=np.inf) for s in (one, two))
    np.testing.assert_allclose(second.clean.values, -first.clean.values, atol=1e-5)
    np.testing.assert_allclose(second.kernel.values, first.kernel.values / 2, atol=1e-5)


def test_an_unknown_material_lists_those_there_are():
    with pytest.raises(QpiError, match=r"unobtainium.*ag111.*triangular"):
        simulated("unobtainium")
    assert find_material("AG111") is MATERIALS["ag111"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bias_mV": [-500.0]}, "ag111 is known from -115 to 1135 mV; -500 mV lies outside"),
        ({"bias_mV": [np.nan]}, "lies outside"),
        ({"bias_mV": []}, "at least one bias"),
        ({"size_nm": 0.0}, "size > 0"),
        ({"size_nm": -3.0}, "size > 0"),
        ({"size_nm": np.nan}, "size > 0"),
        ({"pixels": 8}, "at least 16 pixels"),
        ({"snr": 0.0}, "SNR > 0"),
        ({"snr": -1.0}, "SNR > 0"),
        ({"scatterers": 0}, "at least one scatterer"),
        ({"scatterers": Scatterers(np.zeros((0, 2)))}, "at least one scatterer"),
        ({"scatterers": 100_000}, "do not fit"),
        ({"scatterers": Scatterers([[900.0, 900.0]])}, "no ripples"),
    ],
)
def test_a_scene_that_cannot_be_is_refused(changes, says):
    with pytest.raises(QpiError, match=says):
        simulated(**changes)


def test_a_kernel_needs_an_area():
    with pytest.raises(QpiError, match="2 x 2 points"):
        simulate_kernel("ag111", bias_mV=[0.0], y_nm=[0.0], x_nm=[0.0, 1.0])


def test_a_cropped_kernel_stays_centred():
    kernel = simulated().kernel
    small = crop_kernel(kernel, 6.0)
    assert small.sizes["x"] % 2 == 1
    assert small["x"].values[small.sizes["x"] // 2] == pytest.approx(0, abs=1e-9)
    assert small["x"].values[-1] - small["x"].values[0] == pytest.approx(6.0, abs=0.4)
    assert float(np.abs(small.values).max()) == float(np.abs(kernel.values).max())
