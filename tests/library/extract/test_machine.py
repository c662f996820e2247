import numpy as np
import pytest
import torch

from qpi_kernel.errors import GpuMemoryError, QpiError
from qpi_kernel.extract import iter_extract
from qpi_kernel.extract.find import iter_find_scatterers
from qpi_kernel.extract.machine import describe_machine
from qpi_kernel.maps import make_map
from qpi_kernel.progress import drain


def test_the_line_names_device_and_model():
    line = describe_machine("cpu")
    assert line.startswith("CPU; ")
    assert "model" in line


def test_a_missing_model_is_no_error(tmp_path):
    missing = tmp_path / "none.safetensors"
    line = describe_machine("cpu", str(missing))
    assert line.startswith(f"CPU; no model: {missing}: the model cannot be loaded")


def test_an_unknown_device_is_refused():
    with pytest.raises(QpiError, match="device"):
        describe_machine("quantum")


@pytest.mark.parametrize("steps", [iter_extract, iter_find_scatterers])
def test_a_full_gpu_is_told_in_one_sentence(steps, monkeypatch):
    def refuse(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr("qpi_kernel.extract.engine.make_grids", refuse)
    monkeypatch.setattr("qpi_kernel.extract.find.make_grids", refuse)
    axis = 0.25 * np.arange(48)
    values = np.random.default_rng(0).normal(size=(48, 48))
    didv = make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis)
    with pytest.raises(GpuMemoryError, match="choose the device cpu"):
        drain(steps(didv))
