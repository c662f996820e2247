import numpy as np
import pytest
import xarray as xr

from qpi_kernel import read_file, select_didv, select_topography


def test_image_has_physical_axes_units_and_names(save, sxm, top):
    images = [top, top[:, ::-1], 2 * top, 3 * top[:, ::-1]]
    dataset = read_file(save("scan.SXM", sxm(np.multiply(images, 1e-12))))
    assert list(dataset) == ["Z (m)", "Z [bwd] (m)", "LIX 1 omega (A)", "LIX 1 omega [bwd] (A)"]
    assert [channel.attrs["units"] for channel in dataset.values()] == ["pm", "pm", "pA", "pA"]
    for name, factor in zip(dataset, (1, 1, 2, 3), strict=True):
        np.testing.assert_allclose(dataset[name][0, ::-1], factor * top, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7) * 1.0)
    np.testing.assert_allclose(dataset["y"], np.arange(5) * 2.0)
    facts = {
        "angle_deg": 30,
        "setpoint_bias_mV": 45,
        "setpoint_current_pA": 450,
        "modulation_mV": 4,
        "date": "2014-10-22T15:19:04",
        "notes": [],
    }
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert "someone" not in str(dataset.attrs)


def test_upward_scan_begins_at_the_bottom(save, sxm, top):
    down = read_file(save("down.sxm", sxm([top] * 4)))
    up = read_file(save("up.sxm", sxm([top[::-1]] * 4, direction="up")))
    np.testing.assert_array_equal(up["Z (m)"], down["Z (m)"])


def test_lock_in_signal_over_modulation_is_a_conductance(save, sxm, top):
    path = save("scan.sxm", sxm(np.multiply([top] * 4, 1e-12)))
    didv = select_didv(read_file(path))
    assert didv.attrs["units"] == "nS"
    assert didv.attrs["channel_reason"] == "lock-in X"
    assert float(didv[0, -1, 0]) == pytest.approx(25)
    topography = select_topography(read_file(path))
    assert (topography.name, topography.attrs["units"]) == ("Z (m)", "pm")


def test_without_modulation_the_signal_stays_a_current(save, sxm, top):
    header = ":Lock-in>Lock-in status:\nOFF\n"
    didv = select_didv(read_file(save("scan.sxm", sxm([top] * 4, header=header))))
    assert didv.attrs["units"] == "pA"
    assert "no modulation amplitude" in didv.attrs["conversion"]


def test_cut_file_is_an_unfinished_scan(save, sxm, top):
    content = sxm([top] * 4)
    dataset = read_file(save("scan.sxm", content[: -4 * 7 * 5 * 3 - 4 * 14]))
    assert dataset.attrs["notes"] == ["scan unfinished: 3 of 5 rows"]
    assert np.isnan(dataset["Z (m)"][0, :2]).all()
    assert np.isnan(dataset["LIX 1 omega (A)"]).all()


def test_one_direction_and_lenient_header(save, sxm, top):
    table = "\t14\tZ\tm\tforward\t1\t0\n\t3\tInput_6\tV\tbackward\t1\t0\n"
    content = sxm([top, top], table=table).replace(b"\n", b"\r\n", 20)
    dataset = read_file(save("scan.sxm", content.replace(b"SCAN_ANGLE", b"OTHER_NAME")))
    assert list(dataset) == ["Z (m)", "Input 6 [bwd] (V)"]
    assert "angle_deg" not in dataset.attrs


def test_real_file(data_dir):
    dataset = read_file(data_dir / "fese" / "FeSe_topography.sxm")
    assert list(dataset)[4:6] == ["LIY 1 omega (A)", "LIY 1 omega [bwd] (A)"]
    assert dataset["Z (m)"].shape == (1, 224, 224)
    facts = {
        "size_nm": (20.0, 20.0),
        "angle_deg": 45.0,
        "setpoint_bias_mV": 45.0,
        "setpoint_current_pA": 450.0,
        "modulation_mV": 4.0,
        "date": "2014-10-22T15:19:04",
    }
    assert {key: dataset.attrs[key] for key in facts} == facts
    didv = select_didv(dataset)
    assert didv.attrs["channel"] == "LIY 1 omega (A)"
    assert didv.attrs["channel_reason"] == "lock-in Y (no X or R in the file)"
    assert didv.attrs["units"] == "nS"


def test_real_backward_trace_looks_like_the_forward_one(data_dir):
    dataset = read_file(data_dir / "fese" / "FeSe_topography.sxm")
    forward, backward = (
        dataset[name].values[0] - np.median(dataset[name].values[0], axis=1, keepdims=True)
        for name in ("Z (m)", "Z [bwd] (m)")
    )
    as_read = np.corrcoef(forward[:, 1:].ravel(), backward[:, :-1].ravel())[0, 1]
    mirrored = np.corrcoef(forward.ravel(), backward[:, ::-1].ravel())[0, 1]
    assert as_read > 0.6 > 2 * abs(mirrored)


def test_real_file_agrees_with_nanonispy2(data_dir):
    path = data_dir / "fese" / "FeSe_topography.sxm"
    nanonis = pytest.importorskip("nanonispy2").read.Scan(str(path))
    dataset = read_file(path)
    for name, mine, factor in (("Z", "Z", 1e12), ("LIY_1_omega", "LIY 1 omega", 1e12)):
        unit = "m" if name == "Z" else "A"
        signal = nanonis.signals[name]
        np.testing.assert_allclose(
            dataset[f"{mine} ({unit})"][0, ::-1], signal["forward"] * factor, rtol=1e-5
        )
        np.testing.assert_allclose(
            dataset[f"{mine} [bwd] ({unit})"][0, ::-1],
            signal["backward"][:, ::-1] * factor,
            rtol=1e-5,
        )


def test_real_file_agrees_with_xarray_nanonis(data_dir):
    pytest.importorskip("xarray_nanonis")
    path = data_dir / "fese" / "FeSe_topography.sxm"
    dataset, reference = read_file(path), xr.open_dataset(path, engine="nanonis")
    for name, direction in (("LIY 1 omega (A)", "forward"), ("LIY 1 omega [bwd] (A)", "backward")):
        expected = 1e12 * reference["LIY_1_omega"].sel(dir=direction).astype(float)
        np.testing.assert_allclose(dataset[name][0], expected, rtol=1e-5)
