import sys

import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv, select_topography
from tests.library.read.matrix_writer import mtrx_files
from tests.library.read.writers import NX, NY

pytest.importorskip("access2thematrix")

RNG = np.random.default_rng(0)
# (line, way, column) of an upward and of a downward frame, in the order of the scan.
UP = RNG.integers(1, 1000, (NY, 2, NX))
DOWN = RNG.integers(1, 1000, (NY, 2, NX))
BOTH = np.concatenate([UP, DOWN]).ravel()
IMAGES = {"Z": ("Meter", 1e12, BOTH), "I": ("Ampere", 1e12, 2 * BOTH)}


@pytest.fixture
def session(tmp_path):
    """Return a function that writes the files of a run and returns the path of one channel."""

    def write(channels, chosen=None, keep=None, **changes):
        for name, content in mtrx_files(channels, **changes).items():
            (tmp_path / name).write_bytes(content[:keep] if name.endswith("_mtrx") else content)
        return tmp_path / f"default_someone_0001--1_1.{chosen or next(iter(channels))}_mtrx"

    return write


def test_image_has_physical_axes_units_and_names(session):
    path = session(IMAGES)
    dataset = read_file(path)
    assert list(dataset) == [
        *("Z", "Z [bwd]", "Z [down]", "Z [down] [bwd]"),
        *("I", "I [bwd]", "I [down]", "I [down] [bwd]"),
    ]
    assert [dataset[name].attrs["units"] for name in ("Z", "I")] == ["pm", "pA"]
    # The first line of the scan is the bottom one, backward traces run from right to left.
    np.testing.assert_allclose(dataset["Z"][0], UP[:, 0], rtol=1e-6)
    np.testing.assert_allclose(dataset["Z [bwd]"][0], UP[:, 1, ::-1], rtol=1e-6)
    np.testing.assert_allclose(dataset["Z [down]"][0], DOWN[::-1, 0], rtol=1e-6)
    np.testing.assert_allclose(dataset["I [down] [bwd]"][0], 2 * DOWN[::-1, 1, ::-1], rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7) * 1.0)
    np.testing.assert_allclose(dataset["y"], np.arange(5) * 2.0)
    facts = {
        "size_nm": (7, 10),
        "angle_deg": 30,
        "setpoint_bias_mV": -50,
        "setpoint_current_pA": 100,
        "date": "2020-09-13T12:26:40+00:00",
        "notes": [],
    }
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert select_topography(dataset).attrs["channel"] == "Z"


def test_unfinished_frames_are_nan(session):
    lines = {"Z": ("Meter", 1e12, BOTH[: 8 * 2 * NX])}
    dataset = read_file(session(lines))
    assert np.isfinite(dataset["Z"]).all()
    measured = np.isfinite(dataset["Z [down]"][0]).all("x").values
    np.testing.assert_array_equal(measured, [False, False, True, True, True])
    np.testing.assert_allclose(dataset["Z [down]"][0, 2:], DOWN[2::-1, 0], rtol=1e-6)
    first = read_file(session({"Z": ("Meter", 1e12, BOTH[: 3 * 2 * NX])}))
    assert first.attrs["notes"] == ["scan unfinished: 3 of 5 rows"]
    np.testing.assert_allclose(first["Z"][0, :3], UP[:3, 0], rtol=1e-6)


@pytest.mark.parametrize("reversal", [False, True])
def test_volume_of_spectra(session, reversal):
    ramps = 2 if reversal else 1
    # (frame, line, way, column, ramp, bias)
    counts = RNG.integers(1, 1000, (2, NY, 2, NX, ramps, 3))
    channels = {
        "I(V)": ("Ampere", 1e12, counts),
        "Aux2(V)": ("Volt", 1e3, 3 * counts),
        "Z": ("Meter", 1e12, BOTH),
    }
    change = {"Spectroscopy__Enable_Device_1_Ramp_Reversal": reversal}
    dataset = read_file(session(channels, **change))
    assert len(dataset.data_vars) == 2 * 4 * ramps
    assert dataset["I(V)"].dims == ("bias", "y", "x")
    # The voltage falls from 20 to -20 mV.
    np.testing.assert_allclose(dataset["bias"], [-20, 0, 20])
    expected = counts[0, :, 0, :, 0].transpose(2, 0, 1)[::-1]
    np.testing.assert_allclose(dataset["I(V)"], expected, rtol=1e-6)
    expected = counts[1, ::-1, 1, ::-1, -1].transpose(2, 0, 1)[:: 1 if reversal else -1]
    name = "I(V) [down] [bwd]" + (" [retrace]" if reversal else "")
    np.testing.assert_allclose(dataset[name], expected, rtol=1e-6)
    assert dataset.attrs["notes"] == ["1 channels on another grid were left out"]
    didv = select_didv(dataset)
    assert (didv.attrs["channel"], didv.attrs["units"]) == ("Aux2(V)", "a.u.")
    assert "external input" in didv.attrs["channel_reason"]


def test_unfinished_volume(session):
    counts = RNG.integers(1, 1000, (NY, 2, NX, 3))
    channels = {"I(V)": ("Ampere", 1e12, counts.reshape(-1, 3)[:31])}
    dataset = read_file(session(channels, XYScanner__Y_Retrace=False))
    assert dataset.attrs["notes"] == ["grid unfinished: 17 of 35 points"]
    np.testing.assert_allclose(dataset["I(V)"][:, 0], counts[0, 0].T[::-1], rtol=1e-6)


@pytest.mark.parametrize(("cut", "missing"), [(6, 0), (5, 1), (2, 4)])
def test_point_spectrum(session, cut, missing):
    counts = np.arange(1, 7)[:cut]
    channels = {"I(V)": ("Ampere", 1e12, counts), "Aux1(V)": ("Volt", 1e3, counts)}
    path = session(
        channels,
        location="3,4;5E-9,-6E-9",
        XYScanner__Enable_Subgrid=False,
        Spectroscopy__Enable_Device_1_Ramp_Reversal=True,
    )
    dataset = read_file(path)
    assert set(dataset) >= {"I(V)", "Aux1(V)"}
    assert (float(dataset["x"][0]), float(dataset["y"][0])) == pytest.approx((5, -6))
    both = np.concatenate(
        [
            dataset["I(V)"][::-1, 0],
            dataset["I(V) [retrace]"][:, 0] if "I(V) [retrace]" in dataset else [np.nan] * 3,
        ]
    )
    assert np.isnan(both).sum() == missing
    np.testing.assert_allclose(both[:cut], counts)
    with pytest.raises(ReadError, match="expected a map, found point spectra"):
        select_didv(dataset)


def test_parameters_have_to_be_there(session, tmp_path):
    path = session(IMAGES)
    (tmp_path / "default_someone_0001_0001.mtrx").unlink()
    with pytest.raises(ReadError, match=r"no file \*_0001.mtrx beside it; keep the files"):
        read_file(path)


def test_the_file_of_parameters_is_no_measurement(session, tmp_path):
    session(IMAGES)
    with pytest.raises(ReadError, match=r"found a file of parameters; choose .* _mtrx"):
        read_file(tmp_path / "default_someone_0001_0001.mtrx")


@pytest.mark.parametrize("keep", [12, 40, 70, 150])
def test_cut_files(session, keep):
    with pytest.raises(ReadError, match="error in data file"):
        read_file(session({"Z": IMAGES["Z"]}, keep=keep))


@pytest.mark.parametrize(
    "change",
    [
        {"Spectroscopy__Device_1_Points": 2**31 - 1},
        {"XYScanner__Points": 2**20, "XYScanner__Lines": 2**20},
    ],
)
def test_parameters_that_claim_a_billion_points(session, change):
    counts = RNG.integers(1, 1000, (NY, 2, NX, 3))
    with pytest.raises(ReadError, match="error in data file"):
        read_file(session({"I(V)": ("Ampere", 1e12, counts)}, **change))


def test_sweeps_of_the_height_are_no_spectra(session):
    channels = {"I(Z)": ("Ampere", 1e12, [1, 2, 3])}
    path = session(channels, XYScanner__Enable_Subgrid=False, Spectroscopy__Device_2_Points=3)
    with pytest.raises(ReadError, match="expected a sweep of the bias"):
        read_file(path)


def test_missing_package_is_named(session, monkeypatch):
    path = session(IMAGES)
    monkeypatch.setitem(sys.modules, "access2thematrix", None)
    with pytest.raises(ReadError, match=r'pip install "napari-qpi-kernel\[matrix\]"'):
        read_file(path)
