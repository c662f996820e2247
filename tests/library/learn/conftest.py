"""A bank and a recipe so small that a training takes a second."""

import numpy as np
import pytest
import torch

from qpi_kernel.learn.recipe import TrainSettings
from qpi_kernel.progress import drain
from qpi_kernel.simulate.bank import BankSettings, iter_make_bank, load_bank


@pytest.fixture(autouse=True)
def _one_thread():
    # Sums over several threads may be ordered differently from run to run.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    recipe = BankSettings(families=("parabolic", "elliptic", "warped"), count=16, size=128)
    kernels, _ = load_bank(drain(iter_make_bank(recipe, folder)))
    return np.array(kernels)


@pytest.fixture(scope="session")
def recipe():
    return TrainSettings(
        vae_steps=3,
        aligner_steps=3,
        finder_steps=3,
        batch=2,
        vae_width=16,
        aligner_width=16,
        checkpoint_every=1,
    )
