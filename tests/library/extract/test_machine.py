import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.extract.machine import describe_machine


def test_the_line_names_device_and_model():
    line = describe_machine("cpu")
    assert line.startswith("CPU; ")
    assert "model" in line


def test_a_missing_model_is_no_error(tmp_path):
    line = describe_machine("cpu", str(tmp_path / "none.safetensors"))
    assert line == "CPU; no learned model is installed: choose another method"


def test_an_unknown_device_is_refused():
    with pytest.raises(QpiError, match="device"):
        describe_machine("quantum")
