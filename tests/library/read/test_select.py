import numpy as np
import pytest
import xarray as xr

from qpi_kernel import ReadError, make_map, read_file, select_didv, select_topography


def dataset(*names, biases=3, units="pA", **attrs):
    values = np.arange(biases * 12, dtype=float).reshape(biases, 3, 4)
    return xr.Dataset(
        {
            name: make_map(
                values + index,
                bias_mV=np.linspace(-10, 10, biases) if biases > 1 else [5],
                y_nm=np.arange(3),
                x_nm=np.arange(4),
                units=units,
            )
            for index, name in enumerate(names)
        },
        attrs={"source": "grid.3ds", **attrs},
    )


@pytest.mark.parametrize(
    ("names", "chosen", "reason"),
    [
        (("Current (A)", "LI Demod 1 Y (A)", "LI Demod 1 X (A)"), "LI Demod 1 X (A)", "lock-in X"),
        (("LIX 1 omega [bwd] (A)", "LIX 1 omega (A)"), "LIX 1 omega (A)", "lock-in X"),
        (("LIX n omega (A)", "LIR 1 omega (A)", "LIY 1 omega (A)"), "LIR 1 omega (A)", "lock-in R"),
        (("LIY 1 omega (A)", "Current (A)"), "LIY 1 omega (A)", "lock-in Y"),
        (("Current (A)", "7280DSP Lockin-X (%)"), "7280DSP Lockin-X (%)", "lock-in X"),
        (("LockinY (V)", "LockinX (V)"), "LockinX (V)", "lock-in X"),
        (("Current (A)", "LIA_Current"), "LIA_Current", "lock-in"),
        (("Current (A)", "Input 6 (V)"), "Input 6 (V)", "external input"),
        (("Current (A)", "Aux2(V)"), "Aux2(V)", "external input"),
        (
            ("X (A)", "LIX 1 omega [00001] (A)", "LIX 1 omega [AVG] (A)"),
            "LIX 1 omega [AVG] (A)",
            "",
        ),
        (("topography", "dI/dV", "d2I/dV2"), "dI/dV", "named dI/dV"),
        (("values",), "values", "the only channel"),
        (("Current [bwd] (A)", "LIX [bwd] (A)"), "LIX [bwd] (A)", "lock-in X"),
        (("I(V)", "Aux2(V) [down]", "Aux2(V)", "Aux2(V) [retrace]"), "Aux2(V)", "external input"),
    ],
)
def test_preselection(names, chosen, reason):
    didv = select_didv(dataset(*names))
    assert didv.attrs["channel"] == didv.name == chosen
    assert reason in didv.attrs["channel_reason"]


@pytest.mark.parametrize(
    "wanted",
    ["LIY 1 omega (A)", "LIY 1 omega", "liy_1_OMEGA", "LIY", "liy 1"],
)
def test_near_names_mean_the_forward_trace(wanted):
    names = ("Current (A)", "LIY 1 omega [bwd] (A)", "LIY 1 omega (A)")
    didv = select_didv(dataset(*names), wanted)
    assert didv.attrs["channel"] == "LIY 1 omega (A)"
    assert didv.attrs["channel_reason"] == "chosen by name"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("LIZ", "found none; choose one of Current .A., LIX"),
        ("LI", "found several; choose one of LIX 1 omega .A., LIY 1 omega .A.$"),
        ("", "found none"),
    ],
)
def test_unknown_names_list_the_channels(wanted, message):
    channels = dataset("Current (A)", "LIX 1 omega (A)", "LIY 1 omega (A)", "LIX 1 omega [bwd] (A)")
    with pytest.raises(ReadError, match=message):
        select_didv(channels, wanted)


def test_current_is_differentiated_where_there_is_no_lock_in():
    channels = dataset("Current (A)", "Z (m)", biases=5)
    bias = channels["bias"].values
    channels["Current (A)"] = channels["Current (A)"].copy(
        data=np.broadcast_to((3 * bias + 0.1 * bias**2)[:, None, None], (5, 3, 4)).astype("f4")
    )
    didv = select_didv(channels)
    assert didv.attrs["units"] == "nS"
    assert didv.attrs["channel_reason"].startswith("derivative of the current")
    assert didv.attrs["derivative"] == "Savitzky-Golay, 5 points, degree 2"
    np.testing.assert_allclose(didv[:, 0, 0], 3 + 0.2 * bias, rtol=1e-5)


def test_uneven_biases_have_central_differences():
    bias = np.array([-10.0, -6, -1, 0, 3, 10])
    channels = dataset("Current (A)", "Z (m)", biases=6).assign_coords(bias=("bias", bias))
    current = np.broadcast_to((3 * bias + 0.1 * bias**2)[:, None, None], (6, 3, 4))
    channels["Current (A)"] = channels["Current (A)"].copy(data=current.astype("f4"))
    didv = select_didv(channels)
    assert didv.attrs["derivative"] == "central differences"
    np.testing.assert_allclose(didv[1:-1, 0, 0], 3 + 0.2 * bias[1:-1], rtol=1e-5)


def test_the_derivative_averages_noise():
    rng = np.random.default_rng(0)
    channels = dataset("Current (A)", "Z (m)", biases=101)
    noise = rng.normal(size=(101, 3, 4)).astype("f4")
    channels["Current (A)"] = channels["Current (A)"].copy(data=noise)
    step = float(channels["bias"][1] - channels["bias"][0])
    # The slope over k = -2..2 has the variance 1 / sum k^2 = 1/10, the difference 1/2.
    inner = select_didv(channels).values[2:-2]
    assert np.std(inner) == pytest.approx(np.sqrt(0.1) / step, rel=0.1)


def test_point_spectra_are_no_map():
    spectra = xr.Dataset({"I": (("bias", "point"), np.ones((3, 1)))}, attrs={"source": "a.dat"})
    with pytest.raises(ReadError, match=r"^a\.dat: expected a map, found point spectra of I"):
        select_didv(spectra)
    assert select_topography(spectra.rename(I="Z")) is None


def test_a_bias_that_comes_twice_has_no_derivative():
    channels = dataset("Current (A)", "Z (m)")
    channels = channels.assign_coords(bias=("bias", [0.0, 0.0, 1.0]))
    with pytest.raises(ReadError, match="a bias twice"):
        select_didv(channels)


@pytest.mark.parametrize(
    ("units", "modulation", "expected", "factor"),
    [("pA", 4.0, "nS", 0.25), ("pA", None, "pA", 1), ("V", 4.0, "a.u.", 1), ("nS", 4.0, "nS", 1)],
)
def test_conductance_only_where_the_modulation_is_known(units, modulation, expected, factor):
    channels = dataset("LIX 1 omega (A)", "Current (A)", units=units)
    if modulation:
        channels.attrs["modulation_mV"] = modulation
    didv = select_didv(channels)
    assert didv.attrs["units"] == expected
    np.testing.assert_allclose(didv, channels["LIX 1 omega (A)"] * factor)
    current = select_didv(channels, "current")
    assert current.attrs["units"] == units


def test_no_topography_is_none():
    assert select_topography(dataset("LIX 1 omega (A)", "Current (A)")) is None


def test_facts_travel_with_the_map(save, npz):
    path = save("map.npz", npz(values=np.ones((3, 4))))
    didv = select_didv(read_file(path, size_nm=(4, 3)))
    assert didv.attrs["source"] == "map.npz"
    assert len(didv.attrs["sha256"]) == 64
    assert didv.attrs["notes"][0] == "size given by hand: 4 x 3 nm"
    assert not any(isinstance(value, bool) for value in didv.attrs.values())
