"""Sparse blind deconvolution beside ours, where it is strong and where it is not. Prints Markdown.

    python benchmarks/sbd.py [--kinds compact biases extended] [--kernels 8] [--pixels 96]

Maps of random kernels, scatterers at random places between the pixels (some outside the map),
weights of 1 +- 0.15, white noise. SNR is a ratio of standard deviations. Compact kernels end inside
their window and are of families that our model knows. Extended ones reach across the map, are of
families that it never saw, and are sought in a window of half the map. Several biases have kernels
of their own and share the scatterers.

Blind: both methods are told the window alone. Beside them stands least squares with the exact
scatterers and the regularisation that is best by the truth. Scatterers are counted inside the map;
for F1 they lie within 2 px. A map that a method refuses counts as 0. Medians over the kernels.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

import qpi_kernel as qk
from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.evaluate import f1_score, ridge_kernels
from qpi_kernel.evaluate.measures import inside
from qpi_kernel.simulate.families import HELD_OUT, draw_kernel

FAMILIES = ("parabolic", "warped", "square", "elliptic")
SNRS = (1.0, 3.0)
EVERYTHING = (0.0, 5.0)  # 1/nm, of pixels of 1 nm


@dataclass(frozen=True)
class Kind:
    """Kernels of one kind, drawn on `drawn` pixels and sought in a window, both of odd side."""

    name: str
    families: tuple[str, ...]
    drawn: int
    window: int
    densities: tuple[float, ...]
    biases: int = 1
    compact: bool = True


KINDS = {
    "compact": Kind("compact", FAMILIES, 65, 25, (0.001, 0.003, 0.01, 0.02)),
    "biases": Kind("compact, 3 biases", FAMILIES, 65, 25, (0.003, 0.01), 3),
    "extended": Kind("extended", HELD_OUT, 97, 49, (0.001, 0.003, 0.01), compact=False),
}


def draw_kernels(kind: Kind, seed: int) -> np.ndarray:
    """Draw kernels, shape (bias, side, side)."""
    rng = np.random.default_rng([5, seed])
    family = kind.families[seed % len(kind.families)]
    kernels = np.stack([draw_kernel(family, rng, kind.drawn) for _ in range(kind.biases)])
    if not kind.compact:
        return kernels.astype(float)
    axis = np.linspace(-1, 1, kind.window + 2)[1:-1]
    taper = np.cos(np.pi / 2 * np.minimum(np.hypot(axis[:, None], axis), 1))
    return middle(kernels, kind.window).astype(float) * taper


def middle(kernels: np.ndarray, side: int) -> np.ndarray:
    first = (kernels.shape[-1] - side) // 2
    return kernels[:, first : first + side, first : first + side]


def draw_map(
    kernels: np.ndarray, pixels: int, density: float, snr: float, seed: int
) -> tuple[xr.DataArray, qk.Scatterers]:
    rng = np.random.default_rng([7, seed])
    half = kernels.shape[-1] // 2
    count = max(3, rng.poisson(density * (pixels + 2 * half) ** 2))
    rows_columns = rng.uniform(-half, pixels + half, (count, 2))
    weights = np.clip(1 + 0.15 * rng.normal(size=count), 0.2, None)
    geometry = Geometry(pixels, pixels, kernels.shape[-1])
    spectrum = activation_spectrum(geometry, torch.tensor(rows_columns), torch.tensor(weights))
    clean = convolve(geometry, spectrum, torch.tensor(kernels)).numpy()
    noise = rng.normal(size=clean.shape) / snr
    axis = np.arange(pixels, dtype=float)
    didv = qk.make_map(
        clean / clean.std((1, 2), keepdims=True) + noise,
        bias_mV=np.arange(len(kernels), dtype=float), y_nm=axis, x_nm=axis,
    )  # fmt: skip
    return didv, qk.Scatterers(rows_columns[:, ::-1], weights)


def blind(
    method: str, didv: xr.DataArray, window_nm: float, truth: xr.DataArray, true: qk.Scatterers
) -> tuple[float, int, float, float]:
    """Return similarity, scatterers, F1 and processor seconds of a method told the window alone."""
    settings = qk.ExtractSettings(method=method, window_nm=window_nm, samples=4)
    start = time.process_time()
    try:
        found = qk.extract_kernel(didv, settings=settings, device="cpu")
    except qk.QpiError:
        return 0.0, 0, 0.0, time.process_time() - start
    seconds = time.process_time() - start
    similarity = float(qk.band_similarity(truth, found.kernel, EVERYTHING).mean())
    count = len(inside(found.scatterers, didv))
    return similarity, count, f1_score(found.scatterers, true, didv, 2.0), seconds


def score(kind: Kind, seed: int, pixels: int, density: float, snr: float) -> list[float]:
    values = draw_kernels(kind, seed)
    didv, true = draw_map(values, pixels, density, snr, seed)
    axis, window_nm = np.arange(kind.window, dtype=float) - kind.window // 2, float(kind.window)
    truth = qk.make_map(
        middle(values, kind.window), bias_mV=didv["bias"].values, y_nm=axis, x_nm=axis
    )
    ridges = ridge_kernels(didv, true, window_nm)
    oracle = max(float(qk.band_similarity(truth, one, EVERYTHING).mean()) for one in ridges)
    return [
        oracle,
        len(inside(true, didv)),
        *blind("sbd", didv, window_nm, truth, true),
        *blind("aligned", didv, window_nm, truth, true),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--kernels", type=int, default=8)
    parser.add_argument("--pixels", type=int, default=96)
    arguments = parser.parse_args()
    print(
        "| kernels | per pixel | SNR | exact positions | sbd | aligned | scatterers | sbd | aligned"
        " | F1 sbd | F1 aligned | CPU s sbd | CPU s aligned |"
    )
    print("|---" * 13 + "|")
    for kind in (KINDS[name] for name in arguments.kinds):
        for density in kind.densities:
            for snr in SNRS:
                rows = [
                    score(kind, seed, arguments.pixels, density, snr)
                    for seed in range(arguments.kernels)
                ]
                exact, count, sbd, sbd_count, sbd_f1, sbd_s, ours, our_count, our_f1, our_s = (
                    np.median(rows, axis=0)
                )
                print(
                    f"| {kind.name} | {density:.1%} | {snr:g} | {exact:.3f} | {sbd:.3f} |"
                    f" {ours:.3f} | {count:.0f} | {sbd_count:.0f} | {our_count:.0f} |"
                    f" {sbd_f1:.2f} | {our_f1:.2f} | {sbd_s:.2f} | {our_s:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
