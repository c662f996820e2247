"""What computes here, and with which model, in one line."""

import torch

from qpi_kernel.errors import QpiError
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
    except QpiError:
        return f"{where}; no learned model is installed: choose another method"
    return f"{where}; model {loaded.card['name']} ({loaded.sha256[:8]})"
