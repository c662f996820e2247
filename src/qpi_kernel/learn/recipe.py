"""The recipe of a training."""

from typing import Annotated

from pydantic import Field

from qpi_kernel.settings import settings


@settings
class TrainSettings:
    """A recipe for training; the defaults take under two hours on two CPU cores.

    Parameters
    ----------
    start_from : str or None
        A model file whose weights to start from, or "shipped" for the one that comes with the
        library; None starts from random weights. The widths must be those of that model.
    vae_steps, aligner_steps, finder_steps : int
        Optimiser steps of each stage; 0 keeps the weights of `start_from`.
    batch : int
        Kernels or scenes per step, over all devices together; half as many maps for the finder.
    learning_rate : float
        Peak of the cosine schedule.
    kl_weight : float
        Weight of the Kullback-Leibler term, summed over the latent code, against the mean squared
        error of the weighted kernel.
    latent_weight, decoded_weight : float
        Weights of the aligner's losses: latent code against the frozen encoder (the paper's loss),
        and decoded kernel against the truth.
    multiple_scattering, nuisance : float
        Shares of the scenes with all orders of scattering, and with the nuisances of a real scan.
    large_windows : float
        Share of the VAE's steps on windows of 96 and 128 px instead of 64 px.
    vae_width, aligner_width, finder_width : int
        Channels of the networks at a quarter of the resolution, a multiple of 8.
    seed : int
    checkpoint_every : int
        Steps between checkpoints.
    mixed_precision : bool
        bfloat16 where it is safe; only on a GPU.
    """

    start_from: str | None = None
    vae_steps: Annotated[int, Field(ge=0)] = 5000
    aligner_steps: Annotated[int, Field(ge=0)] = 3600
    finder_steps: Annotated[int, Field(ge=0)] = 4000
    batch: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    kl_weight: Annotated[float, Field(ge=0)] = 1e-5
    latent_weight: Annotated[float, Field(ge=0)] = 0.1
    decoded_weight: Annotated[float, Field(ge=0)] = 1.0
    multiple_scattering: Annotated[float, Field(ge=0, le=1)] = 0.2
    nuisance: Annotated[float, Field(ge=0, le=1)] = 0.5
    large_windows: Annotated[float, Field(ge=0, le=1)] = 0.2
    vae_width: Annotated[int, Field(ge=8, multiple_of=8)] = 64
    aligner_width: Annotated[int, Field(ge=8, multiple_of=8)] = 80
    finder_width: Annotated[int, Field(ge=8, multiple_of=8)] = 48
    seed: Annotated[int, Field(ge=0)] = 1
    checkpoint_every: Annotated[int, Field(ge=1)] = 200
    mixed_precision: bool = True
