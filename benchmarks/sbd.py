"""Sparse blind deconvolution where it is strong: compact kernels. Prints a Markdown table.

    python benchmarks/sbd.py [--kernels 4] [--pixels 96] [--window 25]

Maps of random kernels that end inside their window, scatterers at random places between the pixels
(some outside the map), weights of 1 +- 0.15, white noise. SNR is a ratio of standard deviations.
Blind: the method is told the window alone. Beside it stands least squares with the exact scatterers
and the regularisation that is best by the truth. F1 counts scatterers inside the map within 2 px.
"""

import argparse
import time

import numpy as np
import torch

import qpi_kernel as qk
from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.evaluate import f1_score, ridge_kernels
from qpi_kernel.simulate.families import draw_kernel

FAMILIES = ("parabolic", "warped", "square", "elliptic")
DENSITIES, SNRS = (0.001, 0.003, 0.01, 0.02), (1.0, 3.0)
EVERYTHING = (0.0, 5.0)  # 1/nm, of pixels of 1 nm


def compact_kernel(family: str, seed: int, window: int) -> np.ndarray:
    kernel = draw_kernel(family, np.random.default_rng([5, seed]), 65)
    cut = slice(32 - window // 2, 33 + window // 2)
    axis = np.linspace(-1, 1, window + 2)[1:-1]
    taper = np.cos(np.pi / 2 * np.minimum(np.hypot(axis[:, None], axis), 1))
    return kernel[cut, cut].astype(float) * taper


def draw_map(kernel: np.ndarray, pixels: int, density: float, snr: float, seed: int):
    rng = np.random.default_rng([7, seed])
    half = kernel.shape[0] // 2
    count = max(3, rng.poisson(density * (pixels + 2 * half) ** 2))
    rows_columns = rng.uniform(-half, pixels + half, (count, 2))
    weights = np.clip(1 + 0.15 * rng.normal(size=count), 0.2, None)
    geometry = Geometry(pixels, pixels, kernel.shape[0])
    spectrum = activation_spectrum(geometry, torch.tensor(rows_columns), torch.tensor(weights))
    clean = convolve(geometry, spectrum, torch.tensor(kernel)).numpy()
    noisy = clean / clean.std() + rng.normal(size=clean.shape) / snr
    axis = np.arange(pixels, dtype=float)
    didv = qk.make_map(noisy, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    return didv, qk.Scatterers(rows_columns[:, ::-1], weights)


def score(family: str, seed: int, pixels: int, window: int, density: float, snr: float):
    values = compact_kernel(family, seed, window)
    didv, true = draw_map(values, pixels, density, snr, seed)
    axis = np.arange(window, dtype=float) - window // 2
    truth = qk.make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    settings = qk.ExtractSettings(method="sbd", window_nm=float(window), samples=4)
    start = time.process_time()
    found = qk.extract_kernel(didv, settings=settings, device="cpu")
    seconds = time.process_time() - start
    similarity = float(qk.band_similarity(truth, found.kernel, EVERYTHING)[0])
    ridges = ridge_kernels(didv, true, float(window))
    oracle = max(float(qk.band_similarity(truth, ridge, EVERYTHING)[0]) for ridge in ridges)
    return similarity, oracle, f1_score(found.scatterers, true, didv, 2.0), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=96)
    parser.add_argument("--window", type=int, default=25)
    arguments = parser.parse_args()
    print("| scatterers per pixel | SNR (std) | similarity | oracle | F1 | CPU s |")
    print("|---|---|---|---|---|---|")
    for density in DENSITIES:
        for snr in SNRS:
            rows = [
                score(
                    FAMILIES[seed % len(FAMILIES)], seed, arguments.pixels, arguments.window,
                    density, snr,
                )
                for seed in range(arguments.kernels)
            ]  # fmt: skip
            similarity, oracle, f1, seconds = np.median(rows, axis=0)
            print(
                f"| {density:.1%} | {snr:g} | {similarity:.3f} | {oracle:.3f} | {f1:.2f} |"
                f" {seconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
