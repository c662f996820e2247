"""Errors that a user can mend."""

import pytest

import qpi_kernel
from qpi_kernel.errors import QpiError


def test_one_except_clause_catches_every_mistake_of_a_user():
    with pytest.raises(QpiError):
        qpi_kernel.make_map([[1.0]], bias_mV=[0.0], y_nm=[0.0, 1.0], x_nm=[0.0])
    assert issubclass(QpiError, ValueError)
