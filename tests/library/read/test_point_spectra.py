"""Spectra at single points: Nanonis .dat and Createc .VERT."""

import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv
from tests.library.read.writers import dat_bytes, vert_bytes

PA_PER_COUNT = 20 / 2**20 * 1e3
BIAS_V = np.array([0.02, 0.01, 0.0, -0.01])
CURVES = np.column_stack([BIAS_V, 1e-12 * np.arange(4), 1e-12 * np.arange(10, 14)])
COUNTS = np.column_stack([np.arange(4), 1e3 * BIAS_V, np.zeros(4), np.arange(4), 7 * np.arange(4)])


def test_nanonis_spectrum_has_biases_units_and_place(save):
    dataset = read_file(save("a.DAT", dat_bytes(CURVES)))
    assert list(dataset) == ["Current (A)", "LI Demod 1 X [bwd] (A)"]
    assert dataset["Current (A)"].dims == ("bias", "point")
    np.testing.assert_allclose(dataset["bias"], [-10, 0, 10, 20])
    np.testing.assert_allclose(dataset["Current (A)"][:, 0], [3, 2, 1, 0], atol=1e-6)
    np.testing.assert_allclose(dataset["LI Demod 1 X [bwd] (A)"][:, 0], [13, 12, 11, 10])
    assert (float(dataset["x"][0]), float(dataset["y"][0])) == pytest.approx((3, -2))
    facts = {
        "format": "Nanonis spectrum",
        "setpoint_bias_mV": 20,
        "setpoint_current_pA": 100,
        "temperature_K": 4.2,
        "date": "2025-03-20T14:02:20",
        "notes": [],
    }
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert "someone" not in str(dataset.attrs)
    with pytest.raises(ReadError, match=r"found point spectra of Current .A., LI Demod 1 X"):
        select_didv(dataset)


def test_a_cut_line_is_left_out(save):
    dataset = read_file(save("a.dat", dat_bytes(CURVES)[:-20]))
    np.testing.assert_allclose(dataset["bias"], [0, 10, 20])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (dat_bytes(CURVES, names="Z rel (m)\tCurrent (A)\tX (A)"), "found 4 lines along Z rel"),
        (dat_bytes(CURVES[:0]), "found 0 lines along Bias calc"),
        (dat_bytes(CURVES).replace(b"1.000000E-12", b"one"), "expected a table of numbers"),
        (dat_bytes(CURVES * [np.nan, 1, 1]), "expected spectra along a bias"),
        (dat_bytes(CURVES * [1, np.nan, np.nan]), "at least one spectrum"),
        (b"Experiment\tbias spectroscopy\t\n", "ends with .DATA."),
    ],
)
def test_nanonis_tables_that_are_no_spectrum(save, content, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.dat", content))


def test_createc_spectrum_has_biases_and_units(save):
    dataset = read_file(save("A200621.160730.L0001.VERT", vert_bytes(COUNTS)))
    assert list(dataset) == ["current", "dI/dV"]
    np.testing.assert_allclose(dataset["bias"], [-10, 0, 10, 20])
    np.testing.assert_allclose(dataset["current"][:, 0], np.arange(4)[::-1] * PA_PER_COUNT)
    np.testing.assert_allclose(dataset["dI/dV"][:, 0], 7 * np.arange(4)[::-1])
    assert [channel.attrs["units"] for channel in dataset.values()] == ["pA", "a.u."]
    facts = {
        "setpoint_bias_mV": -50,
        "setpoint_current_pA": 100,
        "modulation_mV": 15,
        "temperature_K": 5.1,
        "date": "2020-06-21T16:07:30",
    }
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert "someone" not in str(dataset.attrs)


def test_createc_sweep_there_and_back(save):
    back = COUNTS[::-1] + np.array([0, 0, 0, 100, 0])
    dataset = read_file(save("a.vert", vert_bytes(np.concatenate([COUNTS, back]))))
    assert list(dataset) == ["current", "dI/dV", "current [bwd]", "dI/dV [bwd]"]
    difference = dataset["current [bwd]"] - dataset["current"]
    np.testing.assert_allclose(difference, 100 * PA_PER_COUNT, rtol=1e-5)


def test_createc_channels_are_told_by_their_bits(save):
    dataset = read_file(save("a.vert", vert_bytes(COUNTS, bits=2 + 4096)))
    assert list(dataset) == ["dI/dV", "channel 12"]
    np.testing.assert_allclose(dataset["channel 12"][:, 0], 7 * np.arange(4)[::-1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (vert_bytes(COUNTS[[0, 3, 1, 2]]), "in another order"),
        (vert_bytes(COUNTS * [1, 0, 1, 1, 1]), "in another order"),
        (vert_bytes(COUNTS[:0]), "expected a table below the word DATA"),
        (vert_bytes(COUNTS)[:3000], "expected a table below the word DATA"),
        (vert_bytes(COUNTS).replace(b"\t14", b"\tfour"), "expected a table of numbers"),
    ],
)
def test_createc_tables_that_are_no_spectrum(save, content, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("a.vert", content))


def test_createc_spectrum_agrees_with_the_createc_package(save):
    createc = pytest.importorskip("createc")
    needed = "".join(
        f"{key}={value}\r\n"
        for key, value in {
            "Num.X": 1,
            "Num.Y": 1,
            "Channels": 1,
            "CHModeZoff": 0,
            "CHModeBias[mV]": 0,
            "CHMode": 0,
            "Rotation": 0,
            "DX_DIV_DDelta-X": 1,
            "Delta X": 1,
            "Channelselectval": 1,
            "ScanYMode": 1,
            "XPiezoconst": 1,
            "YPiezoconst": 1,
            "ZPiezoconst": 1,
        }.items()
    )
    path = save("A200621.160730.VERT", vert_bytes(COUNTS, header=needed))
    reference = createc.VERT_SPEC(str(path)).spec
    dataset = read_file(path)
    np.testing.assert_allclose(dataset["bias"][::-1], reference["V"])
    np.testing.assert_allclose(dataset["dI/dV"][::-1, 0], reference["dI/dV"])
    np.testing.assert_allclose(dataset["current"][::-1, 0], reference["I"] * PA_PER_COUNT)


def test_real_nanonis_spectrum_agrees_with_nanonispy2(data_dir):
    path = data_dir / "formats" / "nanonis_duplicate_headers.dat"
    dataset = read_file(path)
    reference = pytest.importorskip("nanonispy2").read.Spec(str(path)).signals
    np.testing.assert_allclose(dataset["bias"], 1e3 * reference["Bias calc (V)"], rtol=1e-6)
    for name in dataset:
        np.testing.assert_allclose(dataset[name][:, 0], 1e12 * reference[name], rtol=1e-5)
