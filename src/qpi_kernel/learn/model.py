"""A trained model: networks, calibration and card in one safetensors file.

The header holds the format version and the model card as JSON; nothing in the file can run code.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from qpi_kernel.errors import QpiError
from qpi_kernel.files import replacing
from qpi_kernel.learn.finder import Finder
from qpi_kernel.learn.networks import Aligner, Decoder, KernelVAE
from qpi_kernel.learn.recipe import TrainSettings
from qpi_kernel.learn.statistics import CHANNELS, SCALARS, Statistics

FORMAT = "2"
READABLE = ("1", FORMAT)
SHIPPED = Path(__file__).parent / "weights" / "qpi-kernel-v3.safetensors"


@dataclass(frozen=True)
class Model:
    """Networks ready to use.

    Parameters
    ----------
    decoder, aligner, finder : torch modules
        Aligned latent code to weighted kernel; normal equations to latent code; map to marks of
        its scatterers.
    noise_bins : Tensor, shape (n,)
        First scalar of the statistics (log noise share) at which the error was calibrated.
    error_spectrum : Tensor, shape (n, bins)
        Mean power of the decoder's error in the weighted domain at |q| = 0 ... 0.75 cycles per
        model pixel, for orthonormal transforms; 1 is an error as large as the kernel.
    card : mapping
        Name, recipe, families, seeds, results.
    sha256 : str
        Of the file.
    """

    decoder: Decoder
    aligner: Aligner
    finder: Finder
    noise_bins: Tensor
    error_spectrum: Tensor
    card: Mapping[str, Any]
    sha256: str

    def predict(self, statistics: Statistics) -> tuple[Tensor, Tensor]:
        """Return weighted kernels (batch, 64, 64), root mean square about 1; S (batch, bins)."""
        with torch.inference_mode():
            mean, _ = self.aligner(statistics.images, statistics.scalars)
            kernels = self.decoder(mean)
        return kernels.clone(), self.spectrum_at(statistics.scalars[:, 0])

    def spectrum_at(self, noise_share: Tensor) -> Tensor:
        """Interpolate the calibrated error spectrum at a log noise share (batch,)."""
        bins = self.noise_bins
        place = torch.searchsorted(bins, noise_share.contiguous()).clamp(1, len(bins) - 1)
        share = ((noise_share - bins[place - 1]) / (bins[place] - bins[place - 1])).clamp(0, 1)
        low, high = self.error_spectrum[place - 1], self.error_spectrum[place]
        return low * (1 - share[:, None]) + high * share[:, None]


def save_model(
    path: Path | str,
    vae: KernelVAE,
    aligner: Aligner,
    finder: Finder,
    noise_bins: Tensor,
    error_spectrum: Tensor,
    card: Mapping[str, Any],
) -> None:
    """Write a model; the weights in float16.

    Raises
    ------
    QpiError
        If the file cannot be written.
    """
    path = Path(path)
    tensors = {f"encoder.{k}": v.half() for k, v in vae.encoder.state_dict().items()}
    tensors |= {f"decoder.{k}": v.half() for k, v in vae.decoder.state_dict().items()}
    tensors |= {f"aligner.{k}": v.half() for k, v in aligner.state_dict().items()}
    tensors |= {f"finder.{k}": v.half() for k, v in finder.state_dict().items()}
    tensors |= {"noise_bins": noise_bins.float(), "error_spectrum": error_spectrum.float()}
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            save_file(tensors, temporary, {"format": FORMAT, "card": json.dumps(card)})
    except (OSError, SafetensorError) as error:
        raise QpiError(f"{path}: the model cannot be written ({error})") from None


def load_model(path: Path | str | None = None, device: str = "cpu") -> Model:
    """Load a model; the one shipped with the library by default.

    A model is loaded once per device, and again when its file has changed.

    Raises
    ------
    QpiError
        If the file is missing, damaged or of another format.
    """
    path = SHIPPED if path is None else Path(path)
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise QpiError(f"{path}: the model cannot be loaded ({error})") from None
    return _load(path, changed, device)


def load_networks(path: Path | str, recipe: TrainSettings) -> tuple[KernelVAE, Aligner, Finder]:
    """Load the networks of a model for further training.

    Models of format 1 had no finder: theirs is untrained.

    Raises
    ------
    QpiError
        If the file is no model, or its networks are not of the widths of the recipe.
    """
    tensors, _, _ = _read(_place(path))
    vae = KernelVAE(recipe.vae_width)
    torch.manual_seed(recipe.seed + 2)
    finder = Finder(recipe.finder_width)
    aligner = Aligner(CHANNELS, SCALARS, recipe.aligner_width)
    try:
        vae.encoder.load_state_dict(_part(tensors, "encoder."))
        vae.decoder.load_state_dict(_part(tensors, "decoder."))
        aligner.load_state_dict(_part(tensors, "aligner."))
        if any(name.startswith("finder.") for name in tensors):
            finder.load_state_dict(_part(tensors, "finder."))
    except RuntimeError:
        raise QpiError(
            f"{path}: its networks do not have the widths {recipe.vae_width},"
            f" {recipe.aligner_width} and {recipe.finder_width} of the recipe; set vae_width,"
            " aligner_width and finder_width to those of the model"
        ) from None
    return vae, aligner, finder


def model_card(path: Path | str) -> tuple[Mapping[str, Any], str]:
    """Return the card and the sha256 of a model file, or of the "shipped" one."""
    _, card, digest = _read(_place(path))
    return card, digest


def _place(path: Path | str) -> Path:
    return SHIPPED if path == "shipped" else Path(path)


@lru_cache(maxsize=4)
def _load(path: Path, changed: int, device: str) -> Model:
    tensors, card, digest = _read(path)
    if not _part(tensors, "finder."):
        raise QpiError(f"{path}: the model has no finder of scatterers; train it again from there")
    try:
        recipe = card["training"]
        # The widths are claims of the file: no memory for them before they fit its tensors.
        with torch.device("meta"):
            decoder = Decoder(recipe["vae_width"], 2)
            aligner = Aligner(CHANNELS, SCALARS, recipe["aligner_width"])
            finder = Finder(recipe["finder_width"])
        decoder.load_state_dict(_part(tensors, "decoder."), assign=True)
        aligner.load_state_dict(_part(tensors, "aligner."), assign=True)
        finder.load_state_dict(_part(tensors, "finder."), assign=True)
        noise_bins, error_spectrum = tensors["noise_bins"], tensors["error_spectrum"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise QpiError(f"{path}: the model cannot be loaded ({error})") from None
    place = torch.device(device)
    # Convolutions of one image at a time are up to twice as fast with the channels last.
    for network in (decoder, aligner, finder):
        network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]  # no stub
        network.eval()
    return Model(
        decoder,
        aligner,
        finder,
        noise_bins.to(place),
        error_spectrum.to(place),
        card,
        digest,
    )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], str]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with safe_open(path, "pt") as stream:
            header = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name).float() for name in stream.keys()}  # noqa: SIM118  # not a dict
        card = json.loads(header.get("card", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise QpiError(f"{path}: the model cannot be loaded ({error})") from None
    if header.get("format") not in READABLE:
        raise QpiError(
            f"{path}: expected a model of format {FORMAT}, found"
            f" {header.get('format', 'no format')}; train or download it again"
        )
    return tensors, card, digest


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
