"""Every real file, against what its header says, copied from there by hand."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from qpi_kernel import ReadError, read_file, select_didv

CREATEC = "topography [pm], current [pA], topography [bwd] [pm], current [bwd] [pA]"
NANONIS_Z = "Z (m) [pm], Z [bwd] (m) [pm], Current (A) [pA], Current [bwd] (A) [pA]"
LOCK_IN = "7280DSP Lockin-X (%) [%], 7280DSP Lockin-Y (%) [%]"
MLS = f"Current (A) [pA], Bias(AI5) (V) [V], {LOCK_IN}, LIR 1 omega (A) [pA], LIY 1 omega (A) [pA]"
MLS_BACK = (
    "Current [bwd] (A) [pA], Bias(AI5) [bwd] (V) [V], 7280DSP Lockin-X [bwd] (%) [%],"
    " 7280DSP Lockin-Y [bwd] (%) [%], LIR 1 omega [bwd] (A) [pA], LIY 1 omega [bwd] (A) [pA]"
)
RHK = "LIA Current [bwd] [pA], LIA Current [pA], Current [bwd] [pA], Current [pA]"


class Map(NamedTuple):
    """What a file holds: shape (bias, y, x), frame, biases and set point, channels with units."""

    shape: tuple
    size_nm: tuple
    bias_mV: tuple
    channels: str
    angle_deg: float | None = 0.0
    setpoint_mV: float | None = None
    setpoint_pA: float | None = None
    modulation_mV: float | None = None
    temperature_K: float | None = None
    date: str | None = None
    measured: int | None = None
    given_nm: tuple | None = None


def createc(points, edge_nm, bias_mV, current_pA, date=None, angle=0.0, **others):
    return Map(
        (1, points, points),
        (edge_nm, edge_nm),
        (bias_mV,),
        CREATEC,
        angle,
        bias_mV,
        current_pA,
        date=date,
        **others,
    )


FIELD, LARGE = 21.52566, 43.05131
MAPS = {
    "cu111/A200621.160730.dat": createc(512, FIELD, 100, 100, "2020-06-21T16:07:30"),
    "cu111/A200621.161352.dat": createc(256, FIELD, 100, 100, "2020-06-21T16:13:52"),
    "cu111/A200621.210648.dat": createc(512, FIELD, 100, 100, "2020-06-21T21:06:48"),
    "cu111/A200621.211052.dat": createc(512, FIELD, 100, 100, "2020-06-21T21:10:52"),
    "cu111/A200621.212736.dat": createc(
        512, LARGE, 100, 100, "2020-06-21T21:27:36", measured=512 * 245
    ),
    "cu111/A200622.083153.dat": createc(512, LARGE, 100, 100, "2020-06-22T08:31:53", 45),
    "formats/createc_step_20nm.dat": createc(
        512, 19.96643, 27.42, 440.15, measured=512 * 330, temperature_K=4.071
    ),
    "formats/createc_terrace_109nm.dat": createc(512, 108.75332, 50, 88.4, temperature_K=4.061),
    "fese/FeSe_topography.sxm": Map(
        (1, 224, 224),
        (20, 20),
        (45,),
        f"{NANONIS_Z}, LIY 1 omega (A) [pA], LIY 1 omega [bwd] (A) [pA],"
        " LIY n omega (A) [pA], LIY n omega [bwd] (A) [pA]",
        45,
        45,
        450,
        4,
        date="2014-10-22T15:19:04",
    ),
    "formats/nanonis_sts_grid_lockin.3ds": Map(
        (200, 30, 30),
        (5, 5),
        (-220, 220),
        "Current (A) [pA], LockinX (V) [V], LockinY (V) [V], Bias_m (V) [V], Z (m) [pm],"
        " Z offset (m) [pm], Final Z (m) [pm]",
        45,
        date="2016-06-04T20:13:23",
    ),
    "formats/nanonis_mls_serpentine.3ds": Map(
        (7, 64, 64),
        (900, 900),
        (-4, -2.5, -1.7, -1.2, -0.8, 0, 2),
        f"{MLS}, {MLS_BACK}, Z (m) [pm], Z offset (m) [pm]",
        0,
        2,
        temperature_K=0.42,
        date="2025-03-20T14:02:20",
    ),
    "formats/rhk_lockin_image.sm4": Map(
        (1, 128, 128),
        (175, 175),
        (75,),
        f"{RHK}, Topography [bwd] [pm], Topography [pm]",
        0,
        75,
        70,
        date="2021-08-23T15:18:44",
    ),
    "formats/rhk_sts_grid.sm4": Map(
        (81, 32, 32),
        (1, 1),
        (-100, 300),
        "LIA Current [pA], Current [pA]",
        10,
        400,
        300,
        date="2020-07-02T07:44:16",
    ),
    "formats/matrix_export_cits.ibw": Map(
        (256, 8, 64),
        (15, 1.875),
        (-500, 500),
        "Aux2(V) 3 37-1 Forward Down Tra [V]",
        None,
    ),
    "formats/gwyddion.gwy": Map(
        (1, 128, 128), (20, 20), (0,), "Test [a.u.]", None, given_nm=(20, 20)
    ),
}
SPECTRA = {
    "formats/nanonis_duplicate_headers.dat": (
        (1024, 1),
        (-200, 200),
        "Input 3 (A) [pA], Input 3 [bwd] (A) [pA], Input 3 (A) [filt] [pA],"
        " Input 3 (A) [bwd] [filt] [pA]",
    ),
    "formats/nexus_sts.nxs": ((2048, 1), (-50, 50), "dI_by_dV [nS]"),
    "formats/rhk_incomplete.sm4": ((481, 20), (-600, 600), "LIA Current [pA], Current [pA]"),
}
REFUSED = {"formats/gwyddion_v1_gwyo.gwy": "version 1"}


def listed(dataset):
    return ", ".join(f"{name} [{channel.attrs['units']}]" for name, channel in dataset.items())


@pytest.mark.parametrize("name", MAPS)
def test_maps(data_dir, name):
    expected = MAPS[name]
    dataset = read_file(data_dir / name, size_nm=expected.given_nm)
    first = next(iter(dataset.values()))
    assert listed(dataset) == expected.channels
    assert first.shape == expected.shape
    assert dataset.attrs["size_nm"] == pytest.approx(expected.size_nm, rel=1e-6)
    biases = dataset["bias"].values
    several = biases if len(expected.bias_mV) == biases.size else biases[[0, -1]]
    np.testing.assert_allclose(several, expected.bias_mV, atol=1e-3)
    facts = {
        "angle_deg": expected.angle_deg,
        "setpoint_bias_mV": expected.setpoint_mV,
        "setpoint_current_pA": expected.setpoint_pA,
        "temperature_K": expected.temperature_K,
        "date": expected.date,
    }
    assert {key: dataset.attrs.get(key) for key in facts} == facts
    measured = dataset.attrs["points_measured"]
    assert measured == (expected.measured or expected.shape[1] * expected.shape[2])
    if expected.modulation_mV is not None:
        assert dataset.attrs["modulation_mV"] == expected.modulation_mV
    for dim, count, edge in zip("xy", expected.shape[:0:-1], expected.size_nm, strict=True):
        steps = np.diff(dataset[dim].values)
        between_corners = name == "formats/nanonis_mls_serpentine.3ds"
        np.testing.assert_allclose(steps, edge / (count - between_corners), rtol=1e-5)


@pytest.mark.parametrize("name", SPECTRA)
def test_spectra(data_dir, name):
    shape, biases, channels = SPECTRA[name]
    dataset = read_file(data_dir / name)
    assert listed(dataset) == channels
    assert next(iter(dataset.values())).shape == shape
    np.testing.assert_allclose(dataset["bias"][[0, -1]], biases, atol=1e-3)
    with pytest.raises(ReadError, match="expected a map, found point spectra"):
        select_didv(dataset)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(data_dir, name):
    with pytest.raises(ReadError, match=REFUSED[name]):
        read_file(data_dir / name)


def row(name):
    """Return the line of the documentation about a file."""
    if name in SPECTRA:
        (count, points), biases, channels = SPECTRA[name]
        where, size, angle = f"{points}", "", ""
    else:
        (count, ny, nx), (width, height), biases, channels, turned, *_ = MAPS[name]
        where, size = f"{nx} x {ny}", f"{width:.6g} x {height:.6g}"
        angle = "" if turned is None else f"{turned:g}"
    bias = f"{biases[0]:g}" if count == 1 else f"{biases[0]:g} to {biases[-1]:g}"
    cells = (f"`{Path(name).name}`", where, size, angle, f"{count}", bias)
    return f"| {' | '.join(cells)} | {len(channels.split(', '))} |"


@pytest.mark.parametrize("name", [*MAPS, *SPECTRA])
def test_the_documentation_says_what_is_read(name):
    page = Path(__file__).parents[3] / "docs" / "formats.md"
    assert row(name) in page.read_text(encoding="utf-8").splitlines()


def test_every_file_is_in_the_tables(data_dir):
    files = {
        path.relative_to(data_dir).as_posix()
        for folder in ("cu111", "fese", "formats")
        for path in (data_dir / folder).iterdir()
    }
    assert files == {*MAPS, *SPECTRA, *REFUSED}


@pytest.mark.parametrize(
    ("name", "channel", "backward", "least"),
    [
        ("cu111/A200621.160730.dat", "topography", "topography [bwd]", 0.9),
        ("fese/FeSe_topography.sxm", "Z (m)", "Z [bwd] (m)", 0.6),
        ("formats/rhk_lockin_image.sm4", "Topography", "Topography [bwd]", 0.9),
    ],
)
def test_backward_traces_look_like_forward_ones(data_dir, name, channel, backward, least):
    dataset = read_file(data_dir / name)
    forth, back = (
        dataset[trace].values[0] - np.nanmedian(dataset[trace].values[0], axis=1, keepdims=True)
        for trace in (channel, backward)
    )

    def likeness(values, lag):
        width = forth.shape[1] - 16
        return np.corrcoef(forth[:, 8:-8].ravel(), values[:, 8 + lag :][:, :width].ravel())[0, 1]

    # A backward trace lags by up to a dozen pixels; a mirrored one would be like nothing.
    as_read = max(likeness(back, lag) for lag in range(-8, 9))
    mirrored = max(likeness(back[:, ::-1], lag) for lag in range(-8, 9))
    assert as_read > least
    assert as_read > 1.5 * mirrored
