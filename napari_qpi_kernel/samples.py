"""Simulated maps with the truth beside them, under File > Open Sample > QPI Kernel."""

from typing import Any

import napari
import numpy as np

from napari_qpi_kernel.bridge import LayerData, map_to_layer, scatterers_to_layer, show_y_up
from napari_qpi_kernel.result_layers import GAP, RING_SHARE, SIGNED, swing


def ag111() -> list[LayerData]:
    """Simulate the surface state of Ag(111) at the Fermi level, 50 nm wide."""
    from qpi_kernel.simulate import simulate_map

    truth = simulate_map(
        "ag111", bias_mV=[0.0], size_nm=50.0, pixels=192, scatterers=18, snr=10.0, seed=3
    )
    return _layers(truth, "Ag(111)", window_nm=16.0)


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
    return _layers(truth, "Square lattice", window_nm=8.0)


def _layers(truth: Any, name: str, window_nm: float) -> list[LayerData]:
    """Return the map, and hidden or beside it what the extraction should find."""
    from qpi_kernel.simulate import crop_kernel

    kernel = crop_kernel(truth.kernel, window_nm)
    y, x = truth.didv["y"].values, truth.didv["x"].values
    width = float(x[-1] - x[0])
    offset = (
        float(y[-1] - kernel["y"].values[-1]),
        float(x[-1] - kernel["x"].values[0]) + GAP * width,
    )
    reach = swing(kernel.values)
    points = scatterers_to_layer(truth.scatterers, f"{name} [true scatterers]", width * RING_SHARE)
    points[1]["border_color"] = "cyan"
    points[1]["visible"] = False
    viewer = napari.current_viewer()
    if viewer is not None:
        show_y_up(viewer)
    return [
        map_to_layer(truth.didv, name),
        map_to_layer(
            kernel,
            f"{name} [true kernel]",
            kind="kernel",
            offset_nm=offset,
            colormap=SIGNED,
            contrast_limits=(-reach, reach),
        ),
        points,
    ]
