"""The protocol of the latent-alignment paper (arXiv:2506.05325) on kernels of our simulator.

    python benchmarks/paper_protocol.py FOLDER [--vae 1500 --steps 1500 --maps 5]

100 kernels on 64 x 64 px (a field of 40 x 40 nm): 12 round ones and 27, 19, 24, 18 of 2-, 3-, 4-
and 6-fold symmetry. Every fifth kernel of each kind is held out. Maps: 1 to 20 scatterers in the
middle quarter of the field, weights 1, white noise of a tenth of the variance of the map outside
the cores; up to 500 different ones per kernel. Positions are given to every method, to the networks
as a binary activation map. Networks of the paper's kind with one million parameters are trained on
the kernels that are not held out, under the paper's losses, but for fewer steps than there; our
methods are taken as they are. Errors are on the [-1, 1] scale of the paper, each image scaled by
its minimum and maximum, beside those of a constant image; skill is 1 - error / that of the
constant. Weights are kept in FOLDER, so that a run that was cut resumes after the last network.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import qpi_kernel as qk
from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.learn.model import load_model
from qpi_kernel.learn.paper import (
    PIXELS,
    MapEncoder,
    OneStep,
    PaperVAE,
    iter_train_aligner,
    iter_train_one_step,
    iter_train_vae,
    unit_range,
)
from qpi_kernel.progress import drain
from qpi_kernel.simulate.families import draw_kernel

# Families of each fold and how many kernels of each.
PLAN = {
    1: {"parabolic": 6, "rashba": 6},
    2: {"elliptic": 14, "rectangular": 13},
    3: {"honeycomb": 10, "graphene": 9},
    4: {"square": 24},
    6: {"triangular": 18},
}
WIDE = 129  # px, so that ripples of one scatterer reach across the whole map
PIXEL_NM = 40.0 / (PIXELS - 1)
POOL, BATCH, MOST, CORE_PX = 500, 16, 20, 3.0
OURS = ("aligned", "wiener", "average")


def draw_kernels() -> tuple[torch.Tensor, list[str], torch.Tensor]:
    """Return wide kernels (100, 129, 129), the family and the fold of each."""
    kernels, families, folds = [], [], []
    for fold, parts in PLAN.items():
        for family, count in parts.items():
            for number in range(count):
                rng = np.random.default_rng([17, fold, number, len(family)])
                kernels.append(draw_kernel(family, rng, WIDE))
                families.append(family)
                folds.append(fold)
    return torch.tensor(np.stack(kernels)), families, torch.tensor(folds)


def draw_map(wide: torch.Tensor, index: int, number: int) -> tuple[torch.Tensor, np.ndarray]:
    """Return map `number` of a kernel, (64, 64), and its scatterers (row, column)."""
    rng = np.random.default_rng([23, index, number])
    places = rng.uniform(PIXELS / 4, 3 * PIXELS / 4, (int(rng.integers(1, MOST + 1)), 2))
    geometry = Geometry(PIXELS, PIXELS, WIDE)
    spectrum = activation_spectrum(
        geometry, torch.tensor(places, dtype=torch.float32), torch.ones(len(places))
    )
    clean = convolve(geometry, spectrum, wide)
    rows, columns = np.indices(clean.shape)
    distance = np.hypot(rows[..., None] - places[:, 0], columns[..., None] - places[:, 1]).min(
        axis=-1
    )
    ripple = clean[torch.tensor(distance > CORE_PX)].std()
    noise = torch.tensor(rng.normal(size=clean.shape), dtype=torch.float32)
    return clean + np.sqrt(0.1) * ripple * noise, places


def two_channels(image: torch.Tensor, places: np.ndarray) -> torch.Tensor:
    activation = torch.zeros(PIXELS, PIXELS)
    row, column = np.rint(places).astype(int).T
    activation[row, column] = 1
    return torch.stack([unit_range(image), activation])


def middle(wide: torch.Tensor) -> torch.Tensor:
    """Cut 64 x 64 px with the scatterer at pixel 32."""
    start = WIDE // 2 - PIXELS // 2
    return wide[..., start : start + PIXELS, start : start + PIXELS]


def trained(network: nn.Module, file: Path, train) -> nn.Module:
    """Return a network with the weights of a file, which training writes if it is not there."""
    if file.exists():
        network.load_state_dict(torch.load(file, weights_only=True))
        return network.eval()

    def say(step):
        if step.fraction * 20 % 1 < 1e-9:
            print(step.message, flush=True)

    start = time.process_time()
    network = drain(train(), say)
    torch.save(network.state_dict(), file)
    print(f"trained {file.stem} in {time.process_time() - start:.0f} CPU s", flush=True)
    return network.eval()


def errors(found: torch.Tensor, truth: torch.Tensor) -> tuple[float, float, float]:
    """Return MAE, MSE and RMSE on the [-1, 1] scale of images in [0, 1]."""
    difference = 2 * (found - truth)
    square = float(difference.square().mean())
    return float(difference.abs().mean()), square, square**0.5


def ours(method: str, image: torch.Tensor, places: np.ndarray) -> torch.Tensor:
    """Return the kernel (63, 63) that the library extracts with positions given, in [0, 1]."""
    axis = PIXEL_NM * np.arange(PIXELS)
    didv = qk.make_map(image.numpy(), bias_mV=[0.0], y_nm=axis, x_nm=axis)
    settings = qk.ExtractSettings(method=method, window_nm=(PIXELS - 1) * PIXEL_NM, samples=4)
    points = qk.Scatterers(PIXEL_NM * places[:, ::-1])
    kernel = qk.extract_kernel(didv, points, settings, device="cpu").kernel.values[0]
    return unit_range(torch.tensor(kernel))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vae", type=int, default=1500, help="steps of stage 1, 8 kernels each")
    parser.add_argument("--steps", type=int, default=1500, help="steps on 16 maps each")
    parser.add_argument("--maps", type=int, default=5, help="maps of each unseen kernel")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    wide, families, folds = draw_kernels()
    # Images have the range of what all methods can be compared on: 63 x 63 px about the scatterer.
    raw = middle(wide)
    low, high = (f(raw[:, 1:, 1:], (-2, -1), keepdim=True) for f in (torch.amin, torch.amax))
    kernels = (raw - low) / (high - low)
    unseen = [i for i in range(len(wide)) if i % 5 == 2]
    seen = [i for i in range(len(wide)) if i % 5 != 2]

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = rng.choice(seen, BATCH)
        images = [two_channels(*draw_map(wide[i], i, int(rng.integers(POOL)))) for i in chosen]
        return torch.stack(images), kernels[chosen]

    name = f"{arguments.vae}-{arguments.steps}"
    vae = trained(
        PaperVAE(), arguments.folder / f"vae-{arguments.vae}.pt",
        lambda: iter_train_vae(kernels[seen], folds[seen], steps=arguments.vae),
    )  # fmt: skip
    encoder = trained(
        MapEncoder(2), arguments.folder / f"aligner-{name}.pt",
        lambda: iter_train_aligner(vae, draw, steps=arguments.steps),
    )  # fmt: skip
    direct = trained(
        OneStep(), arguments.folder / f"one-step-{arguments.steps}.pt",
        lambda: iter_train_one_step(draw, steps=arguments.steps),
    )  # fmt: skip

    model = load_model()
    rows = []
    for index in unseen:
        truth = kernels[index, 1:, 1:]
        for number in range(POOL, POOL + arguments.maps):
            image, places = draw_map(wide[index], index, number)
            with torch.inference_mode():
                pair = two_channels(image, places)[None]
                found = {
                    "constant": truth.median().expand_as(truth),
                    "two-step network": vae.decoder(encoder(pair)[0])[0, 1:, 1:],
                    "one-step network": direct(pair)[0, 1:, 1:],
                    "VAE of the true kernel": vae.decoder(
                        vae.encoder(kernels[index][None, None])[0]
                    )[0, 1:, 1:],
                }
            found |= {method: ours(method, image, places) for method in OURS}
            rows.append({
                "family": families[index], "fold": int(folds[index]), "map": number,
                "scatterers": len(places), "new": families[index] not in model.card["families"],
                **{name: errors(kernel, truth) for name, kernel in found.items()},
            })  # fmt: skip
        print(f"kernel {index}: {families[index]}", flush=True)
    (arguments.folder / "errors.json").write_text(json.dumps(rows), encoding="utf-8")
    for words, some in (
        ("all unseen kernels", rows),
        ("of families that our model was not trained on", [row for row in rows if row["new"]]),
    ):
        print(f"\n{len(some)} maps, {words}:\n")
        print("| method | MAE | MSE | RMSE | RMSE, median | skill (MAE) | skill (RMSE) |")
        print("|---|---|---|---|---|---|---|")
        constant = np.mean([row["constant"] for row in some], axis=0)
        for name in found:
            values = np.array([row[name] for row in some])
            mae, mse, rmse = values.mean(axis=0)
            print(
                f"| {name} | {mae:.4f} | {mse:.5f} | {rmse:.4f} | {np.median(values[:, 2]):.4f} |"
                f" {1 - mae / constant[0]:.2f} | {1 - rmse / constant[2]:.2f} |"
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
