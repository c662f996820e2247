"""Fixtures that hand out the writers."""

import numpy as np
import pytest

from tests.library.read.exchange_writers import (
    gwy_bytes,
    ibw_bytes,
    mat_bytes,
    nexus_bytes,
    npz_bytes,
)
from tests.library.read.writers import (
    NX,
    NY,
    createc_bytes,
    grid_bytes,
    picture,
    sm4_bytes,
    sm4_page,
    sxm_bytes,
)


@pytest.fixture
def save(tmp_path):
    """Return a function that writes bytes to a file of a given name."""

    def write(name: str, content: bytes):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def top() -> np.ndarray:
    return picture()


@pytest.fixture
def createc():
    return createc_bytes


@pytest.fixture
def sxm():
    return sxm_bytes


@pytest.fixture
def grid():
    return grid_bytes


@pytest.fixture
def sm4():
    return lambda *pages: sm4_bytes([sm4_page(**page) for page in pages])


@pytest.fixture
def ibw():
    return ibw_bytes


@pytest.fixture
def gwy():
    return gwy_bytes


@pytest.fixture
def nexus():
    return nexus_bytes


@pytest.fixture
def mat():
    return mat_bytes


@pytest.fixture
def npz():
    return npz_bytes


@pytest.fixture
def curves() -> np.ndarray:
    """Return curves (row, column, channel, point) of a 5 x 7 grid that differ everywhere."""
    shape = (NY, NX, 4, 3)
    return np.arange(1, np.prod(shape) + 1, dtype=float).reshape(shape) * 1e-12
