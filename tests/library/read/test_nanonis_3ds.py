import sys

import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv, select_topography

X = "LI Demod 1 X (A)"


def test_grid_has_physical_axes_units_and_names(save, grid, curves):
    dataset = read_file(save("Grid.3DS", grid(curves, angle=30)))
    assert list(dataset) == [
        "Current (A)",
        X,
        "LI Demod 1 Y (A)",
        "LI Demod 1 X [bwd] (A)",
        "Z (m)",
    ]
    assert {channel.attrs["units"] for channel in dataset.values()} == {"pA", "pm"}
    # The sweep falls from 20 to -20 mV, the axis rises, and the values are turned with it.
    np.testing.assert_allclose(dataset["bias"], [-20, 0, 20])
    expected = np.moveaxis(curves[:, :, 1], 2, 0)[::-1] * 1e12
    np.testing.assert_allclose(dataset[X], expected, rtol=1e-6)
    np.testing.assert_allclose(dataset["x"], np.arange(7) * 1.0)
    np.testing.assert_allclose(dataset["y"], np.arange(5) * 2.0)
    assert dataset["Z (m)"].dims == ("y", "x")
    facts = {
        "angle_deg": 30,
        "size_nm": (7, 10),
        "setpoint_bias_mV": 20,
        "setpoint_current_pA": 100,
        "modulation_mV": 2,
        "points_measured": 35,
        "notes": [],
    }
    assert {key: dataset.attrs[key] for key in facts} == facts
    assert "someone" not in str(dataset.attrs)


@pytest.mark.parametrize("angle", [0, 45, 180, -130])
def test_serpentine_rows_are_turned_round(save, grid, curves, angle):
    plain = read_file(save("plain.3ds", grid(curves, angle=angle)))
    serpentine = read_file(save("serpentine.3ds", grid(curves, angle=angle, serpentine=True)))
    assert serpentine.equals(plain)


@pytest.mark.parametrize("change", [{}, {"serpentine": True, "complete": 17}, {"angle": 180}])
def test_lazy_values_are_the_same_and_stay_on_disk(save, grid, curves, monkeypatch, change):
    pytest.importorskip("dask")
    monkeypatch.setattr("qpi_kernel.read.nanonis_records.BLOCK_BYTES", 1000)
    path = save("Grid.3ds", grid(curves, **change))
    eager, lazy = read_file(path), read_file(path, lazy=True)
    assert {name: channel.chunks is not None for name, channel in lazy.items()} == {
        name: name != "Z (m)" for name in lazy
    }
    assert len(lazy[X].chunks[1]) > 1
    assert lazy[X].dtype == np.float32
    assert lazy.load().identical(eager)


def test_lazy_sweeps_of_any_kind(save, grid, curves):
    pytest.importorskip("dask")
    header = (
        "Filetype=MLS\r\nSegment Start (V), Segment End (V), Settling (s), Integration (s),"
        " Steps (xn)=2E-3,4E-3,5E-3,50E-3,2;-8E-3,-8E-3,5E-3,50E-3,1\r\n"
    )
    names = "X [00001] (A);X [00002] (A);Y (A);Bias (V)"
    path = save("mls.3ds", grid(curves, header=header, channels=names))
    lazy = read_file(path, lazy=True)
    np.testing.assert_allclose(lazy["bias"], [-8, 2, 4])
    assert lazy.load().identical(read_file(path))


def test_formats_that_cannot_wait_are_read_at_once(save, sxm, top):
    path = save("scan.sxm", sxm([top] * 4))
    assert read_file(path, lazy=True).identical(read_file(path))


def test_lazy_reading_names_the_missing_package(save, grid, curves, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ReadError, match=r'pip install "napari-qpi-kernel\[batch\]"'):
        read_file(save("Grid.3ds", grid(curves)), lazy=True)


def test_temperature_of_any_module(save, grid, curves):
    header = 'Ext. VI 1>Field="0.2 T"\r\nExt. VI 1>Temperature="0.420 K"\r\n'
    assert read_file(save("a.3ds", grid(curves, header=header))).attrs["temperature_K"] == 0.42


def test_rows_from_the_top_down_are_turned_round(save, grid, curves):
    upward = grid(curves)
    head, body = upward.split(b":HEADER_END:\r\n")
    rows = np.frombuffer(body, "u1").reshape(5, -1)[::-1]
    downward = read_file(save("down.3ds", head + b":HEADER_END:\r\n" + rows.tobytes()))
    assert downward.equals(read_file(save("up.3ds", upward)))


def test_pitch_is_measured(save, grid, curves):
    between_corners = read_file(save("corners.3ds", grid(curves, corners=True)))
    assert between_corners.attrs["size_nm"] == (6, 8)
    assert (float(between_corners["x"][1]), float(between_corners["y"][1])) == (1, 2)
    blind = read_file(save("blind.3ds", grid(curves, positions=False)))
    assert (float(blind["x"][1]), float(blind["y"][1])) == (1, 2)
    assert "no point positions in the file" in blind.attrs["notes"][0]


@pytest.mark.parametrize(("complete", "column"), [(17, 2), (15, 0), (10, 2)])
def test_unfinished_grid_is_nan(save, grid, curves, complete, column):
    whole = read_file(save("whole.3ds", grid(curves)))
    dataset = read_file(save("cut.3ds", grid(curves, serpentine=True, complete=complete) + b"abc"))
    assert dataset.attrs["notes"] == [f"grid unfinished: {complete} of 35 points"]
    measured = np.isfinite(dataset[X].values).all(axis=0)
    assert measured.sum() == complete
    np.testing.assert_array_equal(
        dataset[X].values[:, measured], whole[X].values[:, measured], strict=True
    )
    np.testing.assert_allclose(dataset["y"], whole["y"])


def test_mls_sweep_is_built_from_its_segments(save, grid, curves):
    header = (
        "Filetype=MLS\r\nSegment Start (V), Segment End (V), Settling (s), Integration (s),"
        " Steps (xn)=2E-3,0E+0,5E-3,50E-3,2;0E+0,-8E-3,5E-3,50E-3,2\r\n"
    )
    dataset = read_file(save("mls.3ds", grid(curves, header=header)))
    np.testing.assert_allclose(dataset["bias"], [-8, 0, 2])
    np.testing.assert_allclose(dataset[X][0], curves[:, :, 1, 2] * 1e12, rtol=1e-6)
    with pytest.raises(ReadError, match="segments with 2"):
        read_file(save("bad.3ds", grid(curves, header=header.replace(",2\r\n", ",1\r\n"))))


def test_sweeps_are_averaged_where_nanonis_did_not(save, grid, curves):
    names = "X [00001] (A);X [00002] (A);Y [AVG] (A);Y [00001] (A)"
    dataset = read_file(save("sweeps.3ds", grid(curves, channels=names)))
    assert list(dataset)[:5] == [*names.split(";"), "X [AVG] (A)"]
    mean = curves[:, :, :2].mean(axis=2)[..., ::-1] * 1e12
    np.testing.assert_allclose(dataset["X [AVG] (A)"], np.moveaxis(mean, 2, 0), rtol=1e-6)


def test_equal_names_stay_two_channels(save, grid, curves):
    dataset = read_file(save("twice.3ds", grid(curves, channels="I (A);I (A);I (V);bias")))
    assert list(dataset)[:4] == ["I (A)", "I (A) (2)", "I (V)", "bias (2)"]
    assert dataset["I (V)"].attrs["units"] == "V"


def test_recorded_bias_is_compared(save, grid, curves):
    names = "Current (A);Bias (V);LI Demod 1 X (A);Q (A)"
    dataset = read_file(save("bias.3ds", grid(curves, channels=names)))
    assert dataset.attrs["notes"][0].startswith("Bias (V) was recorded from")
    curves[:, :, 1] = [0.02, 0, -0.02]
    assert read_file(save("bias.3ds", grid(curves, channels=names))).attrs["notes"] == []


def test_lock_in_map_and_topography(save, grid, curves):
    dataset = read_file(save("Grid.3ds", grid(curves)))
    didv = select_didv(dataset)
    assert (didv.attrs["channel"], didv.attrs["units"]) == (X, "nS")
    np.testing.assert_allclose(didv, dataset[X] / 2, rtol=1e-6)
    topography = select_topography(dataset)
    assert topography.shape == (1, 5, 7)
    assert topography["bias"].values == [20]
    np.testing.assert_allclose(topography.values.ravel(), np.arange(35), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": "35 x 1"}, "a line cut is not a map"),
        ({"dim": "what"}, "Grid dim 'what'"),
        ({"dim": "100000 x 100000"}, "damaged"),
        ({"points": 1000000000}, "damaged"),
        ({"points": 100000}, "aborted at its start"),
        ({"complete": 0}, "aborted at its start"),
        ({"channels": ""}, "0 channels"),
        ({"sweep": (0.0, 0.0)}, "start and the end of the bias sweep"),
        ({"header": "Sweep Signal=Z (m)\r\n"}, "expected a sweep of the bias"),
    ],
)
def test_headers_that_lie(save, grid, curves, change, message):
    with pytest.raises(ReadError, match=message):
        read_file(save("bad.3ds", grid(curves, **change)))


def test_real_grid_with_lock_in(data_dir):
    path = data_dir / "formats" / "nanonis_sts_grid_lockin.3ds"
    dataset = read_file(path)
    assert list(dataset)[:4] == ["Current (A)", "LockinX (V)", "LockinY (V)", "Bias_m (V)"]
    assert dataset["LockinX (V)"].shape == (200, 30, 30)
    assert dataset.attrs["size_nm"] == (5, 5)
    assert dataset.attrs["angle_deg"] == 45
    assert dataset.attrs["date"] == "2016-06-04T20:13:23"
    assert float(dataset["x"][1]) == pytest.approx(5 / 30)
    np.testing.assert_allclose(dataset["bias"][[0, -1]], [-220, 220])
    didv = select_didv(dataset)
    assert (didv.attrs["channel"], didv.attrs["units"]) == ("LockinX (V)", "a.u.")

    missing = {"Delay before measuring (s)": "0", "Start time": "", "End time": "", "Comment": ""}
    nanonis = pytest.importorskip("nanonispy2").read
    reference = nanonis.Grid(str(path), header_override=missing)
    for name, factor in (("LockinX (V)", 1), ("Current (A)", 1e12)):
        expected = np.moveaxis(reference.signals[name], 2, 0) * factor
        np.testing.assert_allclose(dataset[name], expected, rtol=1e-5)


def test_real_mls_serpentine_grid(data_dir):
    path = data_dir / "formats" / "nanonis_mls_serpentine.3ds"
    dataset = read_file(path)
    np.testing.assert_allclose(dataset["bias"], [-4, -2.5, -1.7, -1.2, -0.8, 0, 2])
    assert dataset["LIR 1 omega (A)"].shape == (7, 64, 64)
    assert dataset.attrs["size_nm"] == (900, 900)
    assert float(dataset["x"][1]) == float(dataset["y"][1]) == pytest.approx(900 / 63)
    assert "Final Z (m)" not in dataset
    assert "modulation_mV" not in dataset.attrs
    assert dataset.attrs["setpoint_bias_mV"] == 2
    # A garbled order of rows would tear the topography at every second row.
    z = dataset["Z (m)"].values
    assert np.abs(np.diff(z, axis=0)).mean() < 3 * np.abs(np.diff(z, axis=1)).mean()

    reference = pytest.importorskip("nanonispy2").read.Grid(str(path))
    even = np.moveaxis(reference.signals["Current (A)"][::2], 2, 0)[::-1] * 1e12
    np.testing.assert_allclose(dataset["Current (A)"][:, ::2], even, rtol=1e-5)


def test_real_grid_cut_short(data_dir, save):
    content = (data_dir / "formats" / "nanonis_sts_grid_lockin.3ds").read_bytes()
    dataset = read_file(save("cut.3ds", content[: int(0.6 * len(content))]))
    assert dataset.attrs["notes"][0] == "grid unfinished: 539 of 900 points"
    assert np.isnan(dataset["LockinX (V)"][:, -1]).all()
    assert not (dataset["LockinX (V)"] == 0).any()
