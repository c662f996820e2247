"""The questions by which a physicist decides whether to read on; a V is a reason to stop.

Each test is one of the 25 yes/no checks of the product, those that the library alone can answer:
it reads the instrument truthfully (1 to 5), returns a known kernel (6), q space is right (15 to
18), files survive (22).
"""

import numpy as np
import pytest
import tifffile
from skimage.registration import phase_cross_correlation

import qpi_kernel as qk
from qpi_kernel.evaluate.measures import similarity
from qpi_kernel.maps import pixel_nm
from qpi_kernel.pipeline import PipelineSettings, run
from qpi_kernel.simulate import crop_kernel
from tests.library.read.writers import grid_bytes

CHANNELS = "Current (A);LI Demod 1 X (A);LI Demod 1 Y (A);LI Demod 1 X [bwd] (A)"
HBAR2_2M = 0.038099821  # eV nm^2
AG111 = {"mass": 0.40, "onset_eV": -0.065}


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.fixture
def marked(tmp_path):
    """Write a grid of 7 x 5 points, 1 nm by 2 nm apart, at 30 degrees, with one corner marked."""
    curves = np.ones((5, 7, 4, 3)) * 1e-12
    curves[0, 0] = 9e-12  # the lowest row, the leftmost point
    return write(tmp_path / "Grid.3ds", grid_bytes(curves, CHANNELS, angle=30.0))


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Write a grid of rings about eight scatterers, cut at 60 %; say where they are."""
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(5, 58, 8), rng.uniform(4, 34, 8)])
    y, x = 2.0 * np.arange(32)[:, None], 1.0 * np.arange(64)[None, :]
    rings = 5 + sum(
        np.cos(0.9 * r) / np.sqrt(r + 1) for r in (np.hypot(x - a, y - b) for a, b in points)
    )
    curves = np.broadcast_to(rings[..., None, None], (32, 64, 4, 3)) * 1e-12
    content = grid_bytes(curves + 1e-14 * rng.normal(size=curves.shape), CHANNELS)
    start = content.index(b":HEADER_END:\r\n") + len(b":HEADER_END:\r\n")
    keep = start + int(0.6 * (len(content) - start))
    path = tmp_path_factory.mktemp("cut") / "cut.3ds"
    return write(path, content[:keep]), points


def test_01V_a_frame_that_is_not_square_keeps_aspect_corner_and_angle(marked):
    didv = qk.select_didv(qk.read_file(marked))
    assert didv.shape == (3, 5, 7)
    assert pixel_nm(didv) == pytest.approx((2.0, 1.0))
    assert didv.attrs["angle_deg"] == 30
    brightest = didv.where(didv == didv.max(), drop=True)
    assert brightest.shape == (3, 1, 1)
    assert float(brightest["x"][0]) == float(didv["x"].min())
    assert float(brightest["y"][0]) == float(didv["y"].min())
    kept = tifffile.imread(qk.write_map(didv, marked.parent / "map.tif"))
    # Pictures begin at the top: the marked corner is at the bottom left.
    assert kept.shape == (3, 5, 7)
    assert np.argmax(kept[0]) == 4 * 7


def test_02_four_channels_stay_four_with_their_units(marked):
    dataset = qk.read_file(marked)
    swept = [str(name) for name, channel in dataset.items() if "bias" in channel.dims]
    assert swept == CHANNELS.split(";")
    assert {dataset[name].attrs["units"] for name in swept} == {"pA"}
    chosen = qk.select_didv(dataset)
    assert chosen.attrs["channel"] == "LI Demod 1 X (A)"
    assert "lock-in X" in chosen.attrs["channel_reason"]


def test_03V_a_file_cut_at_60_percent_has_no_zeros_and_is_masked(cut):
    path, points = cut
    dataset = qk.read_file(path)
    total = 32 * 64
    measured = int(dataset.attrs["points_measured"])
    assert measured == pytest.approx(0.6 * total, abs=2)
    assert dataset.attrs["notes"][0] == f"grid unfinished: {measured} of {total} points"
    values = qk.select_didv(dataset).values
    assert np.isfinite(values[0]).sum() == measured
    assert not (values == 0).any()
    settings = PipelineSettings(
        bias_mV=0.0, extract=qk.ExtractSettings(method="wiener", window_nm=20.0), device="cpu"
    )
    extraction = run(path, settings, scatterers=qk.Scatterers(points)).extraction
    missing = np.isnan(extraction.didv.values[0])
    assert 0.3 < missing.mean() < 0.5
    assert extraction.used is None or not extraction.used[missing].any()
    assert np.isnan(extraction.residual.values[0][missing]).all()
    assert np.isfinite(extraction.kernel.values).all()


def test_04_the_scale_bar_is_the_header_and_the_slider_reads_millivolts(marked):
    header = dict(
        line.split("=", 1)
        for line in marked.read_bytes().split(b":HEADER_END:")[0].decode("latin-1").splitlines()
        if "=" in line
    )
    width, height = (float(part) * 1e9 for part in header["Grid settings"].split(";")[2:4])
    didv = qk.select_didv(qk.read_file(marked))
    dy, dx = pixel_nm(didv)
    assert didv.sizes["x"] * dx == pytest.approx(width, rel=1e-3)
    assert didv.sizes["y"] * dy == pytest.approx(height, rel=1e-3)
    np.testing.assert_allclose(didv["bias"], [-20.0, 0.0, 20.0])
    assert didv["bias"].attrs["units"] == "mV"
    assert {didv[axis].attrs["units"] for axis in ("x", "y")} == {"nm"}


def test_05_a_tiff_without_calibration_asks_and_assumes_nothing(tmp_path):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32))
    for _ in range(2):  # asked and not answered, it asks again
        with pytest.raises(qk.ReadError, match="give the size"):
            qk.read_file(path)
        answered = qk.read_file(path, size_nm=(15.0, 10.0))
        assert answered.attrs["size_nm"] == (15.0, 10.0)
        assert "size given by hand: 15 x 10 nm" in answered.attrs["notes"]


@pytest.mark.parametrize("method", ["aligned", "wiener", "average"])
def test_06_a_known_kernel_at_one_place_is_returned(method):
    place = qk.Scatterers([[9.93, 10.17]])
    known = qk.simulate_map(
        "ag111", bias_mV=[0.0], size_nm=20.0, pixels=96, scatterers=place, snr=30.0, seed=1
    )
    settings = qk.ExtractSettings(method=method, window_nm=8.0, samples=4)
    found = qk.extract_kernel(known.didv, place, settings, device="cpu").kernel
    truth = crop_kernel(known.kernel, 8.0)
    for axis in ("y", "x"):
        np.testing.assert_allclose(found[axis], truth[axis], atol=1e-6)
    assert similarity(found.values[0], truth.values[0]) > 0.95
    shift, _, _ = phase_cross_correlation(
        truth.values[0], found.values[0], upsample_factor=20, normalization=None
    )
    assert np.all(np.abs(shift) < 0.5)


@pytest.mark.parametrize("bias_mV", [-30.0, 0.0, 100.0])
def test_15V_the_ring_of_a_parabolic_band_lies_at_2k(bias_mV):
    axis = 0.35 * np.arange(-75, 76)
    kernel = qk.simulate_kernel("ag111", bias_mV=[bias_mV], y_nm=axis, x_nm=axis)
    energy = 1e-3 * bias_mV - AG111["onset_eV"]
    expected = 2 * np.sqrt(AG111["mass"] * energy / HBAR2_2M)
    one_bin = 2 * np.pi / (axis.size * 0.35)
    assert qk.ring_radius(kernel)[0] == pytest.approx(expected, abs=one_bin)
    assert qk.half_rim_q(kernel)[0] == pytest.approx(expected, abs=2 * one_bin)


@pytest.mark.parametrize("points", [101, 100])
def test_16V_a_kernel_with_a_centre_has_a_real_transform(points):
    # Of an even number the scatterer sits between the pixels.
    axis = 0.3 * (np.arange(points) - (points - 1) / 2)
    kernel = qk.simulate_kernel("ag111", bias_mV=[50.0], y_nm=axis, x_nm=axis)
    fft = qk.kernel_fft(kernel)
    q = np.hypot(fft["qy"].values[:, None], fft["qx"].values[None, :])
    ring = np.abs(q - qk.ring_radius(kernel)[0]) < 0.1
    values = fft.values[0][ring]
    assert np.abs(values.imag).max() < 1e-3 * np.abs(values.real).max()
    # A scatterer that is said to sit half a pixel away is found out.
    shifted = kernel.assign_coords(x=kernel["x"] + 0.15)
    wrong = qk.kernel_fft(shifted).values[0][ring]
    assert np.abs(wrong.imag).max() > 0.1 * np.abs(wrong.real).max()


@pytest.mark.parametrize("pixel", [0.23, 0.3, 0.41])
def test_17_a_bragg_lattice_aliases_nowhere_after_resampling(pixel):
    pitch, lattice_nm = 0.1, 0.4
    axis = pitch * np.arange(240)
    length = 4 * np.pi / np.sqrt(3) / lattice_nm
    directions = np.deg2rad([10.0, 70.0, 130.0])
    lattice = sum(
        np.cos(length * (np.cos(a) * axis[None, :] + np.sin(a) * axis[:, None])) for a in directions
    )
    long = np.cos(2.0 * axis[None, :] + 1.0 * axis[:, None])

    def coarse_fft(values):
        didv = qk.make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)
        return np.abs(qk.map_fft(qk.resample(didv, pixel)).values[0])

    fine = qk.make_map(lattice, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    assert np.pi / pixel < length, "the lattice would fold back"
    bragg = np.abs(qk.map_fft(fine).values).max()
    assert coarse_fft(lattice).max() < 0.01 * bragg
    wave = np.abs(qk.map_fft(fine.copy(data=long[None].astype(np.float32))).values).max()
    assert coarse_fft(long).max() == pytest.approx(wave, rel=0.1)
    # Taking every third point, as a plain resampling does, shows peaks that are not there.
    plain = qk.make_map(lattice[::3, ::3], bias_mV=[0.0], y_nm=axis[::3], x_nm=axis[::3])
    assert np.abs(qk.map_fft(plain).values).max() > 0.5 * bragg


def test_18_symmetry_and_window_are_shown_recorded_and_off_for_the_raw_view(tmp_path):
    axis = 0.3 * np.arange(-20, 21)
    rng = np.random.default_rng(0)
    kernel = qk.make_map(rng.normal(size=(41, 41)), bias_mV=[0.0], y_nm=axis, x_nm=axis)
    before = kernel.copy(deep=True)
    raw = qk.kernel_fft(kernel)
    assert raw.attrs["window"] == "none"
    assert "symmetrised" not in raw.attrs
    total = float(kernel.sum()) * 0.3**2
    centre = raw.sel(qy=0, qx=0, method="nearest").item()
    assert centre.real == pytest.approx(total, rel=1e-4, abs=1e-4)
    symmetrised = qk.symmetrise(kernel, 4, mirror=True)
    assert kernel.identical(before)
    assert symmetrised.attrs["symmetrised"] == "C4v"
    shown = qk.kernel_fft(symmetrised, window="hann")
    assert (shown.attrs["symmetrised"], shown.attrs["window"]) == ("C4v", "hann")
    path = qk.write_map(symmetrised, tmp_path / "kernel.tif")
    with tifffile.TiffFile(path) as file:
        assert "symmetrised = C4v" in file.imagej_metadata["Info"].splitlines()
    again = qk.select_didv(qk.read_file(qk.write_map(symmetrised, tmp_path / "kernel.nc")))
    assert again.attrs["symmetrised"] == "C4v"


@pytest.mark.parametrize("suffix", [".tif", ".gsf"])
def test_22V_pictures_are_float32_of_the_right_size_with_identical_values(suffix, tmp_path):
    rng = np.random.default_rng(0)
    values = 1e-3 * rng.normal(size=(37, 53)) - 40
    values[3, 5] = np.nan
    y, x = 0.17 * np.arange(37), 0.13 * np.arange(53)
    didv = qk.make_map(values, bias_mV=[12.5], y_nm=y, x_nm=x, units="nS")
    path = qk.write_map(didv, tmp_path / f"map{suffix}")
    content = path.read_bytes()
    if suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            stored = page.asarray()
            width = np.divide(*page.tags["XResolution"].value[::-1]) * 53
            assert file.imagej_metadata["unit"] == "nm"
    else:
        end = content.index(b"\0")
        header = dict(line.split(" = ", 1) for line in content[:end].decode().splitlines()[1:])
        stored = np.frombuffer(content[-4 * 37 * 53 :], "<f4").reshape(37, 53)
        width = float(header["XReal"]) * 1e9
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored[::-1], didv.values[0])
    assert width == pytest.approx(53 * 0.13, rel=1e-6)
