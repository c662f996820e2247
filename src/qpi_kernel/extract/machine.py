"""What computes here, and with which model, in one line."""

import torch

from qpi_kernel.errors import QpiError
from qpi_kernel.extract.engine import choose_device
from qpi_kernel.learn.model import load_model


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
