import io

import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv


def test_fields_have_physical_axes_units_and_names(save, gwy, top):
    path = save("a.GWY", gwy(("dI/dV at -12 mV", top, "S"), ("Z", 1e-12 * top, "m")))
    dataset = read_file(path)
    assert list(dataset) == ["dI/dV at -12 mV", "Z"]
    assert dataset["bias"].values == [-12]
    np.testing.assert_allclose(dataset["dI/dV at -12 mV"][0, ::-1], 1e9 * top, rtol=1e-6)
    np.testing.assert_allclose(dataset["Z"][0, -1, 0], 100, rtol=1e-6)
    assert dataset["Z"].attrs["units"] == "pm"
    np.testing.assert_allclose(dataset["x"], np.arange(7) + 0.5)
    np.testing.assert_allclose(dataset["y"], 2 * np.arange(5) - 9)
    assert dataset.attrs["size_nm"] == (7, 10)
    assert "someone" not in str(dataset.attrs)
    assert select_didv(dataset).attrs["channel"] == "dI/dV at -12 mV"


def test_channels_on_another_grid_are_named(save, gwy, top):
    dataset = read_file(save("a.gwy", gwy(("Z", top, "m"), ("part", top[:3], "m"))))
    assert list(dataset) == ["Z"]
    assert "1 channels on another grid were left out" in dataset.attrs["notes"]


def test_file_of_the_gwyfile_package(save, top):
    gwyfile = pytest.importorskip("gwyfile")
    unit = gwyfile.objects.GwySIUnit(unitstr="m")
    field = gwyfile.objects.GwyDataField(
        top.astype(float), xreal=7e-9, yreal=1e-8, xoff=1e-9, si_unit_xy=unit, si_unit_z=unit
    )
    container = gwyfile.objects.GwyContainer({"/0/data/title": "Topo", "/0/data": field})
    stream = io.BytesIO()
    container.tofile(stream)
    dataset = read_file(save("a.gwy", stream.getvalue()))
    np.testing.assert_allclose(dataset["Topo"][0, ::-1], 1e12 * top, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7) + 1.5)
    assert dataset.attrs["size_nm"] == (7, 10)


def test_files_without_channels(save, gwy):
    with pytest.raises(ReadError, match="expected a channel, found none"):
        read_file(save("a.gwy", gwy()))
    volume = gwy().replace(b"/0/select", b"/brick/00")
    with pytest.raises(ReadError, match="found only volume data"):
        read_file(save("a.gwy", volume))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"/0/select\0S\2\0\0\0", b"/0/select\0S\xff\xff\xff\xff"),
        (b"data\0D\x23\0\0\0", b"data\0D\xff\xff\xff\xff"),
        (b"/0/select\0S", b"/0/select\0?"),
    ],
)
def test_counts_that_claim_more_than_the_file_holds(save, gwy, top, old, new):
    content = gwy(("Z", top, "m"))
    assert old in content
    with pytest.raises(ReadError, match="damaged or cut"):
        read_file(save("a.gwy", content.replace(old, new)))


def test_objects_of_any_depth_are_refused(save):
    content = b"GWYP"
    for level in range(100):
        content += b"o\0" + (9 * (99 - level)).to_bytes(4, "little") + b"a\0o"
    with pytest.raises(ReadError, match="damaged or cut"):
        read_file(save("a.gwy", content))


def test_real_file_without_units_needs_a_size(data_dir):
    path = data_dir / "formats" / "gwyddion.gwy"
    with pytest.raises(ReadError, match="--size W,H"):
        read_file(path)
    dataset = read_file(path, size_nm=(20, 20))
    assert list(dataset) == ["Test"]
    assert dataset["Test"].shape == (1, 128, 128)
    reference = pytest.importorskip("gwyfile").load(str(path))["/0/data"].data
    np.testing.assert_allclose(dataset["Test"][0, ::-1], reference, rtol=1e-6)


def test_version_1_is_named(data_dir):
    with pytest.raises(ReadError, match=r"found version 1 \(GWYO\); open it in Gwyddion 2"):
        read_file(data_dir / "formats" / "gwyddion_v1_gwyo.gwy")
