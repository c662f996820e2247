import numpy as np
import pytest

from qpi_kernel import read_file, select_didv, select_topography

PM_PER_COUNT = 8.79 * 20 / 2**20 * 100
PA_PER_COUNT = 20 / 2**20 * 1e3


def test_image_has_physical_axes_units_and_names(save, createc, top):
    path = save("A200621.160730.DAT", createc([top, 2 * top, 3 * top, 4 * top]))
    dataset = read_file(path)
    assert list(dataset) == ["topography", "current", "topography [bwd]", "current [bwd]"]
    assert [channel.attrs["units"] for channel in dataset.values()] == ["pm", "pA"] * 2
    assert dataset["topography"].shape == (1, 5, 7)
    # The top row of the picture has the largest y.
    np.testing.assert_allclose(dataset["topography"][0, ::-1], top * PM_PER_COUNT, rtol=1e-6)
    np.testing.assert_allclose(dataset["current [bwd]"][0, -1, 0], 400 * PA_PER_COUNT, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7) * 1.0)
    np.testing.assert_allclose(dataset["y"], np.arange(5) * 2.0)
    facts = {"angle_deg": 30, "setpoint_bias_mV": -50, "setpoint_current_pA": 100}
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert dataset.attrs["size_nm"] == (7, 10)
    assert dataset.attrs["date"] == "2020-06-21T16:07:30"
    assert dataset.attrs["source"] == "A200621.160730.DAT"
    assert "someone" not in str(dataset.attrs)


@pytest.mark.parametrize("layout", [{"compress": False}, {"pad": 5000}])
def test_header_length_and_compression_do_not_matter(save, createc, top, layout):
    plain = read_file(save("a.dat", createc([top, top])))
    other = read_file(save("b.dat", createc([top, top], **layout)))
    np.testing.assert_array_equal(other["current"], plain["current"])


def test_rows_of_zeros_were_never_measured(save, createc, top):
    images = np.stack([top, top])
    images[:, 3:] = 0
    images[1, 2, 4:] = 0
    dataset = read_file(save("a.dat", createc(images)))
    assert dataset.attrs["notes"] == ["scan unfinished: 3 of 5 rows"]
    assert dataset.attrs["points_measured"] == 21
    assert np.isnan(dataset["topography"][0, :2]).all()
    assert np.isfinite(dataset["topography"][0, 2:]).all()
    assert np.isnan(dataset["current"][0, 2, 4:]).all()


def test_constant_height_mode_has_its_own_bias_and_gain(save, createc, top):
    header = "CHMode / CHMode=1\r\nChannelselectval / Channelselectval=7\r\n"
    dataset = read_file(save("a.dat", createc([top, top, top], header)))
    assert list(dataset) == ["topography", "current", "dI/dV"]
    assert dataset["bias"].values == [-12.5]
    np.testing.assert_allclose(dataset["current"][0, -1, 0], 10 * PA_PER_COUNT, rtol=1e-6)
    didv = select_didv(dataset)
    assert (didv.name, didv.attrs["units"]) == ("dI/dV", "a.u.")
    assert didv.attrs["modulation_mV"] == 15


def test_topography_stands_in_for_the_map(save, createc, top):
    dataset = read_file(save("a.dat", createc([top, top])))
    didv = select_didv(dataset)
    assert didv.attrs["channel"] == "topography"
    assert "the topography stands in" in didv.attrs["channel_reason"]
    np.testing.assert_array_equal(select_topography(dataset), didv)


@pytest.mark.parametrize(
    ("name", "points", "size_nm", "angle_deg", "bias_mV", "current_pA", "rows"),
    [
        ("cu111/A200621.160730.dat", 512, 21.52566, 0, 100, 100, 512),
        ("cu111/A200621.161352.dat", 256, 21.52566, 0, 100, 100, 256),
        ("cu111/A200621.212736.dat", 512, 43.05131, 0, 100, 100, 245),
        ("cu111/A200622.083153.dat", 512, 43.05131, 45, 100, 100, 512),
        ("formats/createc_step_20nm.dat", 512, 19.96643, 0, 27.42, 440.15, 330),
        ("formats/createc_terrace_109nm.dat", 512, 108.75332, 0, 50, 88.4, 512),
    ],
)
def test_real_files(data_dir, name, points, size_nm, angle_deg, bias_mV, current_pA, rows):
    dataset = read_file(data_dir / name)
    assert list(dataset) == ["topography", "current", "topography [bwd]", "current [bwd]"]
    assert dataset["topography"].shape == (1, points, points)
    assert dataset.attrs["size_nm"] == pytest.approx((size_nm, size_nm))
    assert float(dataset["x"][1]) == pytest.approx(size_nm / points)
    assert dataset.attrs["angle_deg"] == angle_deg
    assert dataset["bias"].values == [bias_mV]
    assert dataset.attrs["setpoint_current_pA"] == current_pA
    assert np.isfinite(dataset["topography"].values).all(axis=2).sum() == rows
    # The loop keeps the current at its set point, up to the offset of the preamplifier.
    assert float(dataset["current"].median()) == pytest.approx(current_pA, rel=0.08)


def test_real_file_agrees_with_the_createc_package(data_dir):
    reference = pytest.importorskip("createc").DAT_IMG(
        str(data_dir / "cu111" / "A200621.160730.dat")
    )
    dataset = read_file(data_dir / "cu111" / "A200621.160730.dat")
    for name, counts, factor in zip(
        dataset, reference.img_array_list, [PM_PER_COUNT, PA_PER_COUNT] * 2, strict=True
    ):
        np.testing.assert_allclose(dataset[name][0, ::-1], counts * factor, rtol=1e-5)
    assert dataset.attrs["size_nm"] == pytest.approx((reference.size.x / 10, reference.size.y / 10))
