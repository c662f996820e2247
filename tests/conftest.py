"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real measurements, which are not part of the project."""
    folder = Path(os.environ.get("QPI_KERNEL_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real measurements here: set QPI_KERNEL_TEST_DATA to their folder")
    return folder
