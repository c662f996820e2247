import pytest

from qpi_kernel.errors import QpiError
from qpi_kernel.settings import from_dict
from qpi_kernel.simulate import SimulateSettings


def test_energies_are_evenly_spaced_between_the_ends():
    asked = SimulateSettings(first_mV=30.0, last_mV=-30.0, energies=3)
    assert asked.biases_mV == [-30.0, 0.0, 30.0]


def test_one_energy_is_the_first():
    assert SimulateSettings(first_mV=12.0, last_mV=99.0).biases_mV == [12.0]


def test_a_map_of_no_size_is_refused():
    with pytest.raises(QpiError, match="size_nm"):
        from_dict(SimulateSettings, {"size_nm": 0.0})
