"""What computes here: the device, its memory, its cores, and the model, in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from qpi_kernel.errors import GpuMemoryError, QpiError
from qpi_kernel.learn.model import load_model


def choose_device(device: str) -> torch.device:
    """Return the torch device for "auto", "cpu" or "cuda".

    Raises
    ------
    QpiError
        If CUDA is asked for and there is none, or the name is unknown.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device not in ("cpu", "cuda"):
        raise QpiError(f"unknown device {device!r}; choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise QpiError("CUDA was asked for, but this machine has no usable GPU; choose cpu or auto")
    return torch.device(device)


@contextmanager
def gpu_memory() -> Iterator[None]:
    """Say in one sentence that the memory of the GPU was too small.

    Raises
    ------
    GpuMemoryError
        If torch could not allocate what it needed there.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        raise GpuMemoryError(
            "the memory of the GPU is too small for this: choose the device cpu,"
            " a smaller region, or fewer energies"
        ) from None


def describe_machine(device: str = "auto", model: str | None = None) -> str:
    """Return the device and the model that an extraction would use, for people to read.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    model : str, optional
        File of a trained model; by default the one shipped with the library.

    Raises
    ------
    QpiError
        If CUDA is asked for and there is none.
    """
    place = choose_device(device)
    where = "CPU" if place.type == "cpu" else torch.cuda.get_device_name(place)
    try:
        loaded = load_model(model, str(place))
    except QpiError as error:
        return f"{where}; no model: {error}"
    return f"{where}; model {loaded.card['name']} ({loaded.sha256[:8]})"


def load_all() -> None:
    """Load what the first search and the first extraction would otherwise wait for, seconds."""
    import qpi_kernel.extract.find  # noqa: F401  # loaded for later, used by nobody here

    # torch loads its compiler with the first optimiser.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])


@contextmanager
def spare_core() -> Iterator[None]:
    """Leave a core to everybody else while torch computes.

    A team of threads waits for its slowest member, spinning: with one core taken by a window or
    another program, a team on all cores is several times slower than one on all but one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 1) - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
