"""Calls that worker processes answer, on this machine or elsewhere, by way of dask.distributed."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from qpi_kernel.errors import QpiError

# dask is an extra: without it everything but a batch works.
if TYPE_CHECKING:
    from distributed import Client, Future

# Seconds between two looks at Cancel, and to wait for a scheduler to answer.
BEAT_S = 0.3
PATIENCE_S = 10


@contextmanager
def connected(
    workers: int | None, scheduler: str | None, device: str = "auto"
) -> Iterator["Client"]:
    """Give a client of the scheduler at an address, or of a cluster of processes here.

    Raises
    ------
    QpiError
        If dask is not installed or the scheduler does not answer.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise QpiError(
            "a batch needs dask: install the extra with pip install 'napari-qpi-kernel[batch]'"
        ) from None
    if workers is not None and workers < 1:
        raise QpiError(f"a batch needs at least 1 worker, got {workers}")
    if scheduler is not None and workers is not None:
        raise QpiError("the scheduler has workers of its own: leave out the number of workers")
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=PATIENCE_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise QpiError(f"no dask scheduler answers at {scheduler} ({error})") from None
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=workers or _default_workers(device),
            threads_per_worker=1,
            # What workers are sent is code: nobody else may send any.
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _default_workers(device: str) -> int:
    if device != "cpu":
        import torch

        if torch.cuda.device_count():
            return torch.cuda.device_count()
    return os.cpu_count() or 1


def answers(
    client: "Client", function: Callable[..., Any], asked: Mapping[str, tuple[Any, ...]]
) -> Iterator[tuple[str, Any] | None]:
    """Let the workers call a function with each tuple of arguments.

    Yields
    ------
    (str, object) or None
        A key with what was returned, or with a sentence why nothing was; None where nothing came
        for a while.
    """
    ended: SimpleQueue[Future[Any]] = SimpleQueue()
    keys = {
        client.submit(_told, function, *arguments, pure=False): key
        for key, arguments in asked.items()
    }
    try:
        for future in keys:
            future.add_done_callback(ended.put)
        while keys:
            try:
                future = ended.get(timeout=BEAT_S)
            except Empty:
                yield None
            else:
                yield keys.pop(future), _answer(future)
    finally:
        for future in keys:
            future.cancel()


def _told(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns, or why it cannot: dask shows tracebacks of what is raised."""
    _choose_gpu()
    try:
        return function(*arguments)
    except QpiError as error:
        return str(error)


def _answer(future: "Future[Any]") -> Any:
    from distributed import KilledWorker

    try:
        return future.result(timeout=PATIENCE_S)
    except KilledWorker:
        return "the workers died on this file, again and again: is the memory too small for it?"
    except Exception as error:
        return f"unexpected {type(error).__name__}: {error}"


def _choose_gpu() -> None:
    """Let worker n of this machine compute on GPU n."""
    import torch
    from distributed import get_worker

    name = get_worker().name
    if torch.cuda.device_count() and isinstance(name, int):
        torch.cuda.set_device(name % torch.cuda.device_count())
