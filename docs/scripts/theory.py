"""Draw the pictures of docs/theory.md into docs/theory/, and print their numbers.

    python docs/scripts/theory.py

One kernel of Ag(111), the map of many of it and the transforms of both; and what prior and data
make of two maps, one that says little and one that says much.
"""

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import qpi_kernel as qk
from qpi_kernel.figures import MARKS
from qpi_kernel.panels import colour_range, fft_panel, map_panel

FOLDER = Path(__file__).parents[1] / "theory"
COLOURS = 128
SIZE_NM, PIXELS, WINDOW_NM, LARGEST_Q = 50.0, 160, 20.0, 6.0
MAPS = {"3 scatterers, SNR 0.5": (3, 0.5), "30 scatterers, SNR 10": (30, 10.0)}


def simulated(scatterers, snr):
    return qk.simulate_map(
        "ag111",
        bias_mV=[0.0],
        size_nm=SIZE_NM,
        pixels=PIXELS,
        scatterers=scatterers,
        snr=snr,
        seed=2,
    )


def save(figure, name):
    content = io.BytesIO()
    figure.savefig(content, dpi=80)
    with Image.open(content) as picture:
        picture = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(FOLDER / f"{name}.png", optimize=True)


def many():
    """Draw a kernel, a map of many, and the transforms of both."""
    known = simulated(20, 10.0)
    figure = Figure(figsize=(10.0, 2.9), layout="constrained")
    axes = figure.subplots(1, 4)
    near = slice(-SIZE_NM / 4, SIZE_NM / 4)
    kernel = known.kernel.sel(x=near, y=near)
    swing = max(abs(value) for value in colour_range(kernel.values))
    map_panel(axes[0], kernel, "kernel A", "", "RdBu_r", (-swing, swing), colour_bar=False)
    limits = colour_range(known.didv.values)
    map_panel(axes[1], known.didv, "map Y of twenty", "", "gray", limits, colour_bar=False)
    axes[1].scatter(*known.scatterers.xy_nm.T, s=22, facecolors="none", edgecolors=MARKS[0], lw=1)
    axes[1].set(xlim=(0, SIZE_NM), ylim=(0, SIZE_NM))
    fft_panel(axes[2], qk.kernel_fft(known.kernel), LARGEST_Q, "log |F| of the kernel")
    fft_panel(axes[3], qk.map_fft(known.didv), LARGEST_Q, "log |F| of the map")
    save(figure, "many")


def posterior():
    """Draw cuts through prior, posterior and truth where the data say little and much."""
    figure = Figure(figsize=(10.0, 3.2), layout="constrained")
    for axes, (title, (scatterers, snr)) in zip(figure.subplots(1, 2), MAPS.items(), strict=True):
        known = simulated(scatterers, snr)
        settings = qk.ExtractSettings(window_nm=WINDOW_NM)
        result = qk.extract_kernel(known.didv, known.scatterers, settings, "cpu")
        x = result.kernel["x"].values
        kernel, spread, prior, truth = (
            field.interp(x=x, y=0.0).values[0]
            for field in (result.kernel, result.spread, result.prior, known.kernel)
        )
        axes.fill_between(x, kernel - 2 * spread, kernel + 2 * spread, alpha=0.3, lw=0)
        axes.plot(x, kernel, label="posterior, ± 2 spreads")
        axes.plot(x, prior, "--", lw=1, label="mean of the prior")
        axes.plot(x, truth, "k", lw=1, label="truth")
        swing = 3 * np.abs(truth[np.abs(x) > 2]).max()
        axes.set(title=title, xlabel="x (nm)", ylim=(-swing, swing), xlim=(x[0], x[-1]))
        far = np.hypot(*np.meshgrid(x, x)) > 2
        norms = [np.linalg.norm(field.values[0][far]) for field in (result.spread, result.kernel)]
        share = norms[0] / norms[1]
        similarity = qk.band_similarity(result.kernel, known.kernel, (2.0, 4.0))[0]
        print(f"{title}: spread {share:.0%} of the kernel beyond 2 nm, similarity {similarity:.3f}")
    axes.legend(loc="upper right", fontsize=8)
    save(figure, "posterior")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    many()
    posterior()
