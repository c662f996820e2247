"""One training on several devices: processes that torchrun started, one per GPU.

Without torchrun there is one process, and every function here does nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def rank() -> int:
    """Return the number of this process; 0 is the one that writes files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """Return the number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def wait() -> None:
    """Wait for the other processes."""
    if distributed.is_initialized():
        distributed.barrier()


def shared(model: nn.Module) -> nn.Module:
    """Return a module whose gradients are averaged over the processes."""
    return DistributedDataParallel(model) if count() > 1 else model


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started; gives the device of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        distributed.destroy_process_group()
