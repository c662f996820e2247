"""Draw the pictures of docs/qspace.md into docs/qspace/ and print its numbers.

    python docs/scripts/qspace.py

The wave number of one ring as two estimators read it, for all phases of scattering; the bands of
true kernels; and one map of Ag(111), simulated and its kernel extracted at nine biases: curves,
maxima, band.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.figure import Figure
from scipy.special import hankel1

import qpi_kernel as qk
from qpi_kernel.qspace import CurveSettings, analyse
from qpi_kernel.qspace.plots import analysis_figure

FOLDER = Path(__file__).parents[1] / "qspace"
BIASES_MV = np.linspace(-20.0, 100.0, 9)
RING = 2.6  # 1/nm
HALF_PX, PIXEL_NM = 32, 0.25


def band() -> None:
    known = qk.simulate_map(
        "ag111", bias_mV=BIASES_MV, size_nm=50.0, pixels=128, scatterers=15, snr=10.0, seed=1
    )
    settings = qk.ExtractSettings(window_nm=20.0)
    result = qk.extract_kernel(known.didv, known.scatterers, settings)
    chosen = CurveSettings(band="parabola", lowest_per_nm=1.0, highest_per_nm=4.0)
    found = analyse(result.kernel, result.spread, chosen)
    print(f"Ag(111), simulated with m* = 0.4 m_e and E0 = -65 meV: {found.fit}")
    analysis_figure(found, 40.0).savefig(FOLDER / "band.png", dpi=110)


def phases() -> None:
    axis = PIXEL_NM * np.arange(-HALF_PX, HALF_PX + 1)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    r = np.maximum(np.hypot(x, y), 0.05)
    wave = hankel1(0, RING * r / 2) ** 2 * np.exp(-r / 10)
    turns = np.arange(0, 360, 10)
    kernel = qk.make_map(
        np.stack([(np.exp(1j * np.deg2rad(turn)) * wave).imag for turn in turns]),
        bias_mV=turns,
        y_nm=axis,
        x_nm=axis,
    )
    q_pixel = 2 * np.pi / (axis.size * PIXEL_NM)
    line = qk.line_cut(qk.kernel_fft(kernel, pad=8), (0.0, 0.0), (5.0, 0.0))
    shifts = {
        "maximum of |F| along a line": (qk.track_peaks(line, (1.5, 4.0)) - RING) / q_pixel,
        "maximum of the one-sided transform": (qk.ring_radius(kernel) - RING) / q_pixel,
    }
    figure = Figure(figsize=(6.0, 3.2), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for (name, shift), colour in zip(shifts.items(), ("#8c8c8c", "#3b82f6"), strict=True):
        axes.plot(turns, shift, "o-", ms=3, color=colour, label=name)
        print(
            f"{name}: off by {np.sqrt(np.mean(shift**2)):.3f} q-pixels rms,"
            f" {np.abs(shift).max():.3f} at most"
        )
    axes.set_xlabel("phase of scattering (degrees)")
    axes.set_ylabel("wave number found - true (q-pixels)")
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.savefig(FOLDER / "phases.png", dpi=110)


def true_kernels() -> None:
    for name, biases_mV, pixel_nm, half_px in (
        ("ag111", BIASES_MV, 50 / 128, 25),
        ("cu111", np.linspace(-300.0, 100.0, 9), 25 / 128, 25),
    ):
        axis = pixel_nm * np.arange(-half_px, half_px + 1)
        kernel = qk.simulate_kernel(name, bias_mV=biases_mV, y_nm=axis, x_nm=axis)
        fit = qk.fit_band(qk.measure_dispersion(kernel))
        values = f"m* = {fit.values['mass_me']:.4f} m_e, E0 = {fit.values['E0_meV']:.1f} meV"
        print(f"true kernel of {name}, window {axis[-1] - axis[0]:.1f} nm: {values}")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    phases()
    true_kernels()
    band()
