import json

import numpy as np
import pytest

from qpi_kernel import QpiError, Scatterers, simulate_kernel, simulate_map
from qpi_kernel.settings import to_dict
from qpi_kernel.simulate import MATERIALS, REALISM, find_material


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


def test_each_species_has_its_own_kernel():
    names, at = ("scalar", "site-b"), np.array([[6.0, 6.0], [14.0, 13.0]])
    wanted = {"bias_mV": [300.0], "size_nm": 20.0, "pixels": 96, "snr": np.inf}
    both = simulate_map(
        "graphene", scatterers=Scatterers(at, species=[0, 1]), species=names, **wanted
    )
    assert len(both.kernels) == 2
    turned = both.kernels[1].values[0, ::-1, ::-1]
    np.testing.assert_allclose(turned, both.kernels[0].values[0], atol=2e-3 * np.abs(turned).max())
    alone = [
        simulate_map("graphene", scatterers=Scatterers(at[[n]]), species=names[n : n + 1], **wanted)
        for n in (0, 1)
    ]
    scales = [both.kernels[n].values.max() / alone[n].kernel.values.max() for n in (0, 1)]
    total = sum(scene.clean.values * scale for scene, scale in zip(alone, scales, strict=True))
    np.testing.assert_allclose(both.clean.values, total, atol=1e-4 * np.abs(total).max())


def test_drawn_scatterers_are_of_all_species_with_their_signs():
    scene = simulated("graphene", bias_mV=[300.0], species=("scalar", "site-b"),
                      mean_weights=(1.0, -0.5), scatterers=20, pixels=96)  # fmt: skip
    weights, species = scene.scatterers.weight, scene.scatterers.species
    assert weights[species == 0].min() > 0 > weights[species == 1].max()


def test_scatterers_stand_on_their_sublattices():
    scene = simulated("graphene", bias_mV=[300.0], species=("scalar", "site-b"),
                      lattice_sites=True, scatterers=20, pixels=96)  # fmt: skip
    crystal = MATERIALS["graphene"].crystal.model
    sites = crystal.orbitals_nm[[0, 1]][scene.scatterers.species]
    origins = scene.scatterers.xy_nm - sites
    cells = (origins - origins[0]) @ np.linalg.inv(crystal.lattice_nm)
    np.testing.assert_allclose(cells, np.rint(cells), atol=1e-6)


def test_the_instrument_is_the_same_for_kernel_and_map():
    seen = {"temperature_K": 30.0, "modulation_mV": 5.0, "setpoint_bias_mV": 100.0, "tip_nm": 0.3}
    scene = simulated(bias_mV=[20.0, 60.0], **seen)
    axis = scene.kernel["x"].values
    expected = simulate_kernel("ag111", bias_mV=[20.0, 60.0], y_nm=axis, x_nm=axis, **seen).values
    ratio = np.sum(scene.kernel.values * expected, (1, 2)) / np.sum(expected**2, (1, 2))
    np.testing.assert_allclose(
        scene.kernel.values, expected * ratio[:, None, None], atol=1e-4 * scene.kernel.values.max()
    )
    sharp = simulated(bias_mV=[20.0, 60.0]).kernel.values
    assert (
        np.abs(sharp / sharp.max() - scene.kernel.values / scene.kernel.values.max()).max() > 0.01
    )


def test_multiple_scattering_is_seen_by_the_same_instrument():
    # On a pixel, for between them the convolution has to interpolate the core.
    one = Scatterers([[32.5 * 20 / 64] * 2])
    summed, solved = (
        simulated(scatterers=one, snr=np.inf, temperature_K=30.0, tip_nm=0.3,
                  multiple_scattering=exact)
        for exact in (False, True)
    )  # fmt: skip
    np.testing.assert_allclose(solved.clean.values, summed.clean.values, atol=0.005)


def test_a_map_says_how_it_was_made():
    scene = simulated(nuisance="lab", snr=5.0, temperature_K=4.2, species=("weak",))
    told = json.loads(scene.didv.attrs["simulation"])
    assert told["nuisance"] == to_dict(REALISM["lab"])
    assert told["measurement"]["temperature_K"] == 4.2
    assert (told["snr"], told["seed"], told["species"]) == (5.0, 4, ["weak"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"species": ()}, "0 species"),
        ({"species": (None, None), "mean_weights": (1.0,)}, "2 species need as many mean weights"),
        ({"species": ("vacancy",)}, "unknown scatterer of ag111"),
        ({"scatterers": Scatterers([[9.0, 9.0]], species=[1])}, "species 1 of the scatterers"),
        ({"lattice_sites": True}, "ag111 has no lattice"),
        ({"multiple_scattering": True, "species": (None, None)}, "one species, not for 2"),
    ],
)
def test_species_that_cannot_be_are_refused(changes, says):
    with pytest.raises(QpiError, match=says):
        simulated(**changes)
