"""Simulated maps with the truth beside them, under File > Open Sample > QPI Kernel."""

import napari
import numpy as np

from napari_qpi_kernel.bridge import LayerData, show_y_up
from napari_qpi_kernel.simulation import truth_layers


def ag111() -> list[LayerData]:
    """Simulate the surface state of Ag(111) at the Fermi level, 50 nm wide."""
    from qpi_kernel.simulate import simulate_map

    truth = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=50.0, pixels=192, scatterers=18, snr=10.0, seed=3
    )
    _turn_viewer()
    return truth_layers(truth, "Ag(111)", window_nm=16.0)


def square_lattice() -> list[LayerData]:
    """Simulate a band of a square lattice at seven energies, 30 nm wide."""
    from qpi_kernel.simulate import simulate_map

    truth = simulate_map(
        "square",
        bias_mV=np.linspace(-360.0, -240.0, 7).tolist(),
        size_nm=30.0,
        pixels=160,
        scatterers=14,
        snr=10.0,
        seed=5,
    )
    _turn_viewer()
    return truth_layers(truth, "Square lattice", window_nm=8.0)


def _turn_viewer() -> None:
    viewer = napari.current_viewer()
    if viewer is not None:
        show_y_up(viewer)
