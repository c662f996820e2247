import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv

POSITION = np.array([30e-9, -20e-9])


def spym_pages(path):
    """Read with the RHK part of spym; the package as a whole needs a plotting library."""
    spec = importlib.util.find_spec("spym")
    if spec is None:
        pytest.skip("spym, the reference for RHK files, is not installed")
    source = Path(spec.submodule_search_locations[0]) / "io" / "rhksm4" / "_sm4.py"
    part = importlib.util.spec_from_file_location("spym_sm4", source)
    module = importlib.util.module_from_spec(part)
    part.loader.exec_module(module)
    return module.RHKsm4(str(path))


def lattice(turn_deg=10.0, right=-1.0, up=-1.0):
    """Return positions (curve, 2) [m] of a 5 x 7 grid of 1 nm by 2 nm, row by row."""
    a = np.deg2rad(turn_deg)
    column, row = np.meshgrid(np.arange(7) * right, 2 * np.arange(5) * up)
    x = column * np.cos(a) - row * np.sin(a)
    y = column * np.sin(a) + row * np.cos(a)
    return np.stack([x, y], -1).reshape(-1, 2) * 1e-9 + POSITION


def spectra(**changes):
    """Return a page of 35 curves with 3 biases: value = 100 curve + point."""
    values = 100 * np.arange(1, 36)[:, None] + np.arange(3)
    page = {
        "values": values,
        "line": True,
        "scale": (-0.005, 1.0, 1e-12),
        "x_offset": 0.01,
        "grid": (7, 5),
        "positions": lattice(),
    }
    return {**page, **changes}


def test_image_has_physical_axes_units_and_names(save, sm4, top):
    path = save(
        "a.SM4",
        sm4(
            {"values": top},
            {"values": 2 * top, "scan": 1},
            {"values": top, "label": "Topography", "units": "m", "scale": (-1e-9, -2e-9, -1e-12)},
        ),
    )
    dataset = read_file(path)
    assert list(dataset) == ["LIA Current", "LIA Current [bwd]", "Topography"]
    assert [channel.attrs["units"] for channel in dataset.values()] == ["pA", "pA", "pm"]
    # Both scales are negative: column 0 is the right edge, row 0 the top.
    np.testing.assert_allclose(dataset["LIA Current"][0, ::-1, ::-1], top, rtol=1e-6)
    np.testing.assert_allclose(dataset["Topography"][0, -1, -1], -100, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7) * 1.0)
    np.testing.assert_allclose(dataset["y"], np.arange(5) * 2.0)
    facts = {"angle_deg": 10, "setpoint_bias_mV": -50, "setpoint_current_pA": 100}
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert dataset.attrs["size_nm"] == (7, 10)
    assert dataset.attrs["date"] == "2020-07-02T07:44:16"
    assert "someone" not in str(dataset.attrs)
    assert select_didv(dataset).attrs["channel"] == "LIA Current"


def test_positive_scales_are_rising_axes(save, sm4, top):
    dataset = read_file(save("a.sm4", sm4({"values": top, "scale": (1e-9, 2e-9, 1e-12)})))
    np.testing.assert_allclose(dataset["LIA Current"][0], top, rtol=1e-6)


def test_rows_of_zeros_were_never_measured(save, sm4, top):
    top[3:] = 0
    dataset = read_file(save("a.sm4", sm4({"values": top})))
    assert dataset.attrs["notes"] == ["scan unfinished: 3 of 5 rows"]
    assert np.isnan(dataset["LIA Current"][0, :2]).all()


def test_images_of_another_size_are_named(save, sm4, top):
    dataset = read_file(save("a.sm4", sm4({"values": top}, {"values": top[:4, :4]})))
    assert list(dataset) == ["LIA Current"]
    assert dataset.attrs["notes"] == ["1 images of another size or place were left out"]


@pytest.mark.parametrize(("right", "up"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_grid_is_laid_out_by_its_positions(save, sm4, top, right, up):
    page = spectra(positions=lattice(right=right, up=up))
    dataset = read_file(save("a.sm4", sm4({"values": top}, page)))
    assert list(dataset) == ["LIA Current"]
    assert "1 images beside the grid" in dataset.attrs["notes"][0]
    np.testing.assert_allclose(dataset["bias"], [0, 5, 10], atol=1e-9)
    expected = 100 * np.arange(1, 36).reshape(5, 7) + 2
    np.testing.assert_allclose(dataset["LIA Current"][0, ::up, ::right], expected, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7) * 1.0)
    np.testing.assert_allclose(dataset["y"], np.arange(5) * 2.0)
    assert dataset.attrs["angle_deg"] == 10


def test_unfinished_grid(save, sm4):
    values = spectra()["values"][:20]
    values[17:] = 0
    dataset = read_file(save("a.sm4", sm4(spectra(values=values, positions=lattice()[:20]))))
    assert dataset.attrs["notes"] == ["grid unfinished: 17 of 35 points"]
    measured = np.isfinite(dataset["LIA Current"].values).any(axis=0)
    # The lattice starts at the top right.
    np.testing.assert_array_equal(measured.sum(axis=1), [0, 0, 3, 7, 7])
    assert measured[2, -3:].all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": ()}, "fewer than two rows"),
        ({"positions": np.tile(POSITION, (35, 1))}, "points that form none"),
        ({"positions": lattice() ** 2}, "points that form none"),
        ({"positions": lattice() @ np.array([[1, 0.5], [0, 1]])}, "points that form none"),
    ],
)
def test_spectra_that_are_no_map(save, sm4, changes, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.sm4", sm4(spectra(**changes))))


def test_what_a_damaged_unit_holds_reaches_no_terminal(save, sm4):
    volts, other = (b"\1\0" + text.encode("utf-16-le") for text in ("V", "\x1b"))
    content = sm4(spectra()).replace(volts, other)
    with pytest.raises(ReadError, match=r"a bias in V, found \?; choose a map"):
        read_file(save("a.sm4", content))


def test_an_empty_page_takes_no_memory_however_many_rows_it_claims(save, sm4, top):
    content = sm4({"values": top})
    sizes = struct.pack("<2I", *top.shape[::-1])
    assert content.count(sizes) == 1
    rows_alone = content.replace(sizes, struct.pack("<2I", 0, 3_000_000_000))
    with pytest.raises(ReadError):
        read_file(save("a.sm4", rows_alone))


def test_table_that_claims_more_than_the_file_holds(save, sm4, top):
    content = bytearray(sm4({"values": top}))
    content[70:74] = (2**32 - 1).to_bytes(4, "little")
    with pytest.raises(ReadError, match="damaged or cut table"):
        read_file(save("a.sm4", bytes(content)))


def test_real_grid(data_dir):
    path = data_dir / "formats" / "rhk_sts_grid.sm4"
    dataset = read_file(path)
    assert {name: channel.shape for name, channel in dataset.items()} == {
        "LIA Current": (81, 32, 32),
        "Current": (81, 32, 32),
    }
    assert dataset.attrs["size_nm"] == (1, 1)
    assert dataset.attrs["angle_deg"] == pytest.approx(10, abs=0.01)
    assert (dataset["bias"].values[0], dataset["bias"].values[-1]) == (-100, 300)
    assert "6 images beside the grid" in dataset.attrs["notes"][0]
    # The sign of the current is that of the bias.
    current = dataset["Current"].mean(("y", "x"))
    assert float(current[0]) < 0 < float(current[-1])
    page = spym_pages(path)[7]
    cube = page.data.reshape(81, 32, 32)[::-1, ::-1, ::-1] * page.attrs["RHK_Zscale"] * 1e12
    np.testing.assert_allclose(dataset["Current"], cube, rtol=1e-5)


def test_real_image(data_dir):
    path = data_dir / "formats" / "rhk_lockin_image.sm4"
    dataset = read_file(path)
    assert dataset["LIA Current"].shape == (1, 128, 128)
    assert dataset.attrs["size_nm"] == (175, 175)
    assert (dataset.attrs["setpoint_bias_mV"], dataset.attrs["setpoint_current_pA"]) == (75, 70)
    assert float(dataset["Current"].median()) == pytest.approx(70, rel=0.05)
    forward, backward = (
        dataset[name].values.ravel() for name in ("Topography", "Topography [bwd]")
    )
    assert np.corrcoef(forward, backward)[0, 1] > 0.99
    pages = spym_pages(path)
    for name, page in zip(dataset, pages, strict=False):
        # spym leaves the top in row 0.
        values = page.data[::-1] * float(page.attrs["RHK_Zscale"]) * 1e12
        np.testing.assert_allclose(dataset[name][0], values, rtol=1e-5, atol=1e-6)


def test_point_spectra(save, sm4):
    page = spectra(grid=(0, 0))
    page["values"][30:] = 0
    dataset = read_file(save("a.sm4", sm4(page, {**page, "label": "Current"})))
    assert list(dataset) == ["LIA Current", "Current"]
    assert dataset["Current"].dims == ("bias", "point")
    np.testing.assert_allclose(dataset["bias"], [0, 5, 10], atol=1e-9)
    np.testing.assert_allclose(dataset["Current"][:, 4], [502, 501, 500], rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], lattice()[:, 0] * 1e9, rtol=1e-6)
    assert dataset.attrs["notes"] == ["spectra unfinished: 30 of 35"]
    with pytest.raises(ReadError, match="found point spectra of LIA Current, Current"):
        select_didv(dataset)


def test_real_point_spectra_agree_with_spym(data_dir):
    path = data_dir / "formats" / "rhk_incomplete.sm4"
    dataset = read_file(path)
    for name, page in zip(dataset, spym_pages(path), strict=False):
        reference = page.data * float(page.attrs["RHK_Zscale"]) * 1e12
        measured = np.isfinite(dataset[name].values).all(axis=0)
        assert measured.sum() == 3
        np.testing.assert_allclose(
            dataset[name].values[:, measured], reference[:, measured], rtol=1e-5
        )
