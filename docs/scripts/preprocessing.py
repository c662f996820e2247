"""Draw what each step of the preparation does into docs/preprocessing/, and print its numbers.

    python docs/scripts/preprocessing.py

All maps are simulated, so that what a step should leave is known.
"""

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

import qpi_kernel as qk
from qpi_kernel.simulate.nuisance import Nuisance

FOLDER = Path(__file__).parents[1] / "preprocessing"
LATTICE_NM, PITCH = 0.4, 0.1
COLOURS = 64
SCENE = {"size_nm": 40.0, "pixels": 160, "scatterers": 14, "snr": 10.0, "seed": 5}


def scene(**nuisances):
    return qk.simulate_map("ag111", bias_mV=[0.0], nuisance=Nuisance(**nuisances), **SCENE)


def plane(didv):
    return didv.values[0]


def rms(values):
    return float(np.sqrt(np.nanmean(np.square(values))))


def show(axes, didv, title, limit=None, **options):
    values = didv if isinstance(didv, np.ndarray) else plane(didv)
    middle = np.nanmedian(values)
    limit = limit or 3 * 1.4826 * np.nanmedian(np.abs(values - middle))
    extent = None
    if not isinstance(didv, np.ndarray):
        x, y = didv["x"].values, didv["y"].values
        extent = (x[0], x[-1], y[0], y[-1])
    options = {"cmap": "viridis", "vmin": middle - limit, "vmax": middle + limit} | options
    image = axes.imshow(values, origin="lower", extent=extent, **options)
    axes.set_title(title, fontsize=8)
    axes.set_xticks([])
    axes.set_yticks([])
    if extent is not None:
        bar = 10 ** np.floor(np.log10((extent[1] - extent[0]) / 2.5)) * 2
        left, low = (
            extent[0] + 0.05 * (extent[1] - extent[0]),
            extent[2] + 0.06 * (extent[3] - extent[2]),
        )
        axes.plot([left, left + bar], [low, low], color="white", lw=2)
        axes.annotate(
            f"{bar:g} nm", (left, low), (0, 3), textcoords="offset points", color="w", fontsize=7
        )
    return image


def save(figure, name):
    stream = io.BytesIO()
    figure.savefig(stream, dpi=80)
    plt.close(figure)
    picture = Image.open(stream).convert("RGB").quantize(COLOURS)
    picture.save(FOLDER / f"{name}.png", optimize=True)


def cleaning():
    """Spikes, streaks, rows and hum: what the scan shows, what the step leaves, what it took."""
    clean = scene().didv
    rng = np.random.default_rng(0)
    streaky = clean.copy(deep=True)
    for row in rng.integers(0, 160, 12):
        start, length = rng.integers(0, 100), rng.integers(25, 90)
        streaky[0, row, start : start + length] += 5 * rng.choice([-1, 1]) * float(clean.std()) / 2
    cases = [
        ("spikes: despike", scene(spikes=2e-3).didv, qk.despike),
        ("streaks: remove_streaks", streaky, qk.remove_streaks),
        ("offsets of rows: level_rows", scene(row_offsets=1.5).didv, qk.level_rows),
        ("hum: remove_hum(2.6 px)", scene(line=1.5).didv, lambda m: qk.remove_hum(m, 2.6)),
    ]
    figure, axes = plt.subplots(4, 3, figsize=(6.6, 9.0), layout="constrained")
    limit = 3 * 1.4826 * float(np.median(np.abs(plane(clean) - np.median(plane(clean)))))
    for line, (name, before, step) in zip(axes, cases, strict=True):
        after = step(before)
        show(line[0], before, f"{name.split(':')[0]}, as scanned", limit)
        show(line[1], after, name.split(": ")[1], limit)
        show(line[2], plane(before) - plane(after), "taken away", limit, cmap="gray")
        added = plane(before) - plane(clean)
        left = plane(after) - plane(clean)
        left, added = left - np.median(left), added - np.median(added)
        print(f"| {name} | {rms(added):.3f} | {rms(left):.3f} | {plane(clean).std():.3f} |")
    save(figure, "cleaning")


def masks():
    """A cluster bends the surface that is fitted, unless it is masked; then it is left out."""
    clean = qk.level(scene().didv)
    y, x = np.meshgrid(clean["y"].values, clean["x"].values, indexing="ij")
    cluster = np.hypot(x - 8, 1.4 * (y - 28)) < 9
    spoiled = clean + (12 * float(clean.std()) * cluster + 0.02 * x).astype(np.float32)
    spoiled = spoiled.assign_attrs(clean.attrs)
    plain = qk.level(spoiled, 2)
    masked = qk.level(spoiled, 2, masked=qk.mask_cores(spoiled))
    blank = qk.mask_clusters(masked, 2.0)
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.1), layout="constrained")
    show(axes[0], qk.mask_cores(spoiled), "mask_cores: NaN is white")
    show(axes[1], masked, "level(degree=2, masked=...)", 4 * rms(plane(clean)))
    show(axes[2], blank, "mask_clusters(2 nm)", 4 * rms(plane(clean)))
    save(figure, "masks")
    beside = ~cluster
    for name, leveled in (("without a mask", plain), ("cores masked", masked)):
        bend = (plane(leveled) - plane(clean))[beside]
        print(f"surface of degree 2 {name}: rms error beside the cluster {rms(bend):.4f}")


def lattice(x, y):
    q = 4 * np.pi / np.sqrt(3) / LATTICE_NM
    angles = np.deg2rad([12, 72, 132])
    return sum(np.cos(q * (x * np.cos(a) + y * np.sin(a))) for a in angles)


def distortion():
    """Creep and drift, seen in the lattice of the topograph, undone in the map."""
    axis = PITCH * np.arange(256)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    rng = np.random.default_rng(4)
    slow = [gaussian_filter(rng.normal(size=(512, 512)), 60)[:256, :256] for _ in range(2)]
    creep = 0.5 * np.exp(-y / 5)
    shift = [0.2 * part / part.std() + creep for part in slow]
    noise = 0.4 * rng.normal(size=x.shape)

    def topograph(dx, dy):
        values = lattice(x + dx, y + dy) + noise
        return qk.make_map(values, bias_mV=[50.0], y_nm=axis, x_nm=axis, units="pm")

    scanned = topograph(*shift)
    peaks = qk.find_bragg_peaks(scanned, "hexagonal", LATTICE_NM)
    found = qk.displacement_field(scanned, peaks)
    even = qk.undistort(scanned, found)
    sharp = qk.find_bragg_peaks(even, "hexagonal", LATTICE_NM)
    straight = qk.apply_affine(even, qk.lattice_matrix(sharp, "hexagonal", LATTICE_NM))
    figure, axes = plt.subplots(2, 3, figsize=(8.4, 5.8), layout="constrained")
    for line, didv, name in ((axes[0], scanned, "as scanned"), (axes[1], straight, "corrected")):
        show(line[0], qk.crop(didv, (6, 1, 13, 8)), f"topograph, {name} (part)")
        fft = qk.map_fft(didv)
        part = fft.sel(qx=slice(-22, 22), qy=slice(-22, 22))
        extent = (-22, 22, -22, 22)
        line[1].imshow(
            np.log(np.abs(part.values[0])), origin="lower", extent=extent, cmap="magma", vmin=-4
        )
        line[1].set_title("log |F|", fontsize=8)
        line[1].set_xlabel("qx (1/nm)", fontsize=7)
        line[1].tick_params(labelsize=6)
        qx, qy = qk.find_bragg_peaks(didv, "hexagonal", LATTICE_NM)[1]
        zoom = fft.sel(qx=slice(qx - 1.5, qx + 1.5), qy=slice(qy - 1.5, qy + 1.5))
        line[2].imshow(np.abs(zoom.values[0]), origin="lower", cmap="magma")
        line[2].set_title("one Bragg peak, 3 1/nm wide", fontsize=8)
        line[2].set_xticks([])
        line[2].set_yticks([])
    save(figure, "distortion")
    figure, axes = plt.subplots(1, 2, figsize=(6.2, 2.9), layout="constrained")
    for one, part in zip(axes, ("x", "y"), strict=True):
        values = found.sel(axis=part).values
        image = show(one, values, f"displacement along {part} (nm)", 0.4, cmap="RdBu_r")
        figure.colorbar(image, ax=one, shrink=0.85)
    save(figure, "displacement")
    flat = np.stack([np.ones(x.size), x.ravel(), y.ravel()], -1)
    parts = [part - (flat @ np.linalg.lstsq(flat, part.ravel(), rcond=None)[0]).reshape(x.shape)
             for part in shift]  # fmt: skip
    before = np.sqrt(np.mean(parts[0] ** 2 + parts[1] ** 2)) / PITCH
    left = qk.displacement_field(straight, qk.find_bragg_peaks(straight, "hexagonal", LATTICE_NM))
    after = np.sqrt(np.mean(np.sum(left.values**2, axis=0))) / PITCH
    print(f"displacement of the lattice: {before:.2f} px rms as scanned, {after:.3f} px corrected")
    lengths = np.hypot(*qk.find_bragg_peaks(straight, "hexagonal").T)
    wanted = 4 * np.pi / np.sqrt(3) / LATTICE_NM
    measured = ", ".join(f"{length:.3f}" for length in lengths)
    print(f"Bragg peaks: {measured} 1/nm corrected, {wanted:.3f} 1/nm in truth")


def channels():
    """The backward trace on the forward one, and a set point that varies over the map."""
    known = scene().didv
    rng = np.random.default_rng(1)
    noise = 0.7 * float(known.std()) * rng.normal(size=(2, *known.shape)).astype(np.float32)
    forward = known + noise[0]
    backward = known.roll(x=5).assign_coords(x=known["x"]) + noise[1]
    forward, backward = (each.assign_attrs(known.attrs) for each in (forward, backward))
    average = qk.average_traces(forward, backward)
    figure, axes = plt.subplots(2, 3, figsize=(8.4, 5.8), layout="constrained")
    for one, didv, title in zip(
        axes[0],
        (forward, backward, average),
        ("forward", "backward, lags by 5 px", "average_traces"),
        strict=True,
    ):
        show(one, didv, title)
    lag = average.attrs["backward_lag_nm"] / 0.25
    inner = (slice(None), slice(10, -10))
    kept = rms((plane(average) - plane(known))[inner]) / rms((plane(forward) - plane(known))[inner])
    print(f"backward trace: found to lag by {lag:.2f} px; noise of the average {kept:.2f} times")

    bias = np.array([-30.0, -15.0, 0.0, 15.0, 30.0])
    ripple = 1 + 0.1 * plane(known) / plane(known).std()
    y, x = np.meshgrid(known["y"].values, known["x"].values, indexing="ij")
    setpoint = 1 + 0.5 * np.cos(0.25 * x + 0.1 * y)
    g = ripple * setpoint * (1 + bias[:, None, None] / 200)
    current = setpoint * bias[:, None, None] * (1 + bias[:, None, None] / 400)
    grids = [
        qk.make_map(values, bias_mV=bias, y_nm=known["y"].values, x_nm=known["x"].values, units=u)
        for values, u in ((g, "nS"), (current, "pA"))
    ]
    normalised = qk.normalise(*grids, "gV/I")[3:4]
    show(axes[1, 0], grids[0][3:4], "g at 15 mV")
    show(axes[1, 1], grids[1][3:4], "current at 15 mV")
    show(axes[1, 2], normalised, "normalise(gV/I)")
    save(figure, "channels")
    truth = ripple * (1 + 15 / 200) / (1 + 15 / 400)
    print(f"set point: gV/I differs from the truth by {rms(plane(normalised) - truth):.1e} rms")


def resampling():
    """A lattice that the coarse grid cannot show: stopped by resample, folded back by slicing."""
    axis = PITCH * np.arange(256)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    values = lattice(x, y) + 0.5 * np.cos(3.0 * x + 1.5 * y)
    fine = qk.make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    sliced = fine.isel(x=slice(None, None, 3), y=slice(None, None, 3))
    ours = qk.resample(fine, 0.3)
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.0), layout="constrained")
    names = ("0.1 nm pixels", "every third point", "resample(0.3 nm)")
    for one, didv, name in zip(axes, (fine, sliced, ours), names, strict=True):
        fft = qk.map_fft(didv)
        q = float(fft["qx"][-1])
        one.imshow(np.log(np.abs(fft.values[0]) + 1e-3), origin="lower", cmap="magma",
                   extent=(-q, q, -q, q), vmin=-5, vmax=4)  # fmt: skip
        one.set_title(f"log |F|, {name}", fontsize=8)
        one.set_xlabel("qx (1/nm)", fontsize=7)
        one.tick_params(labelsize=6)
    save(figure, "resampling")
    wave = np.abs(qk.map_fft(fine.copy(data=(values - lattice(x, y))[None].astype("f4")))).max()
    for name, didv in (("every third point", sliced), ("resample", ours)):
        fft = qk.map_fft(didv)
        near = np.hypot(np.abs(fft["qx"]) - 3.0, np.abs(fft["qy"]) - 1.5) < 1
        strongest = float((np.abs(fft) * ~near).max()) / float(wave)
        print(f"{name}: the strongest false peak is {strongest:.3f} of the true wave's")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    print("| step | added (rms) | left (rms) | ripples (rms) |\n|---|---|---|---|")
    cleaning()
    masks()
    distortion()
    channels()
    resampling()
