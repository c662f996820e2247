"""A hand-made extraction for the stages that follow one: waves about nine scatterers."""

from types import SimpleNamespace

import numpy as np
import pytest

from qpi_kernel.extract.result import Extraction
from qpi_kernel.maps import make_map
from qpi_kernel.scatterers import Scatterers

RING = 2.6  # 1/nm, at the first bias


def wave(r, q):
    return np.cos(q * r + 0.7) / np.sqrt(r**2 + 0.3) * np.exp(-r / 8)


@pytest.fixture(scope="session")
def make_extraction():
    def make(biases=(-20.0,), units="nS", noise=0.05, method="wiener", pixels=(96, 120)):
        rng = np.random.default_rng(3)
        step = 0.2
        y_nm, x_nm = 5.0 + step * np.arange(pixels[0]), -3.0 + step * np.arange(pixels[1])
        half = 24
        axis = step * np.arange(-half, half + 1)
        radius = np.hypot(axis[:, None], axis[None, :])
        q = RING + 0.2 * np.arange(len(biases))
        kernel = np.stack([wave(radius, value) for value in q])
        xy = np.column_stack([rng.uniform(x_nm[3], x_nm[-3], 9), rng.uniform(y_nm[3], y_nm[-3], 9)])
        weight = rng.uniform(0.7, 1.3, 9)
        distance = np.hypot(
            x_nm[None, None, :] - xy[:, 0, None, None], y_nm[None, :, None] - xy[:, 1, None, None]
        )
        waves = np.stack([np.tensordot(weight, wave(distance, value), 1) for value in q])
        background = 4.0 + 0.02 * np.broadcast_to(x_nm, waves.shape)
        data = waves + background + noise * rng.normal(size=waves.shape)
        data[:, :2, :] = np.nan

        def on_map(values):
            return make_map(
                values,
                bias_mV=biases,
                y_nm=y_nm,
                x_nm=x_nm,
                units=units,
                attrs={"source": "made.3ds", "setpoint_bias_mV": 50.0, "angle_deg": 30.0},
            )

        def on_window(values, name):
            return make_map(values, bias_mV=biases, y_nm=axis, x_nm=axis, units=units, name=name)

        return Extraction(
            didv=on_map(data),
            kernel=on_window(kernel, "kernel"),
            spread=on_window(np.full_like(kernel, 0.02), "kernel spread"),
            prior=on_window(0.9 * kernel, "kernel prior"),
            background=on_map(background),
            reconstruction=on_map(waves + background),
            scatterers=Scatterers(xy_nm=xy, weight=weight),
            noise=np.full(len(biases), noise),
            settings=SimpleNamespace(method=method),
            numbers={"condition": (12.5,) * len(biases)},
            provenance={"version": "0.0.0", "model_sha256": None, "device": "cpu", "seed": 0},
        )

    return make
