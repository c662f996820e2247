"""What a scan recorded beside a channel: its backward trace, and the current."""

import re

import xarray as xr

from qpi_kernel.read.recording import ReadError
from qpi_kernel.read.select import find_channel, select_didv

BACKWARD = re.compile(r"\s*\[bwd\]", re.IGNORECASE)
CURRENT = ("current", "i")


def select_backward(dataset: xr.Dataset, channel: str) -> xr.DataArray | None:
    """Return the backward trace of a channel as a map, None if there is none.

    Parameters
    ----------
    dataset : xarray.Dataset
        What `read_file` returns.
    channel : str
        Full name of the forward channel; its backward trace has "[bwd]" in the same name.
    """
    for name in map(str, dataset.data_vars):
        if name != channel and BACKWARD.sub("", name) == channel:
            return select_didv(dataset, name)
    return None


def select_current(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the current at all biases as a map (forward trace), None if there is none."""
    for name in CURRENT:
        try:
            return select_didv(dataset, find_channel(dataset, name))
        except ReadError:
            continue
    return None
