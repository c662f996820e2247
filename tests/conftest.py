"""Fixtures for all tests."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real measurements, which are not part of the project."""
    folder = Path(os.environ.get("QPI_KERNEL_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real measurements here: set QPI_KERNEL_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Run the tasks in threads of this process, where no process starts need be waited for."""
    distributed = pytest.importorskip("distributed", reason="dask is an extra")
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as client:
        yield client
        # A cancelled task runs on; were its client gone, it could leave HDF5 locked for good.
        (worker,) = client.cluster.workers.values()
        while worker.state.executing:
            time.sleep(0.05)
