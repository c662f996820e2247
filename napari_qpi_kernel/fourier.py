"""Which part of a complex transform a layer shows: napari draws real images only."""

import numpy as np

from napari_qpi_kernel.bridge import Map

LOG = "log|F|"
PARTS = (LOG, "|F|", "Re F", "Im F", "phase")
TINY = float(np.finfo(np.float32).tiny)


def fft_part(fft: Map, part: str) -> Map:
    """Return one real part of a transform (bias, qy, qx) with its unit: log10, |F|, Re, Im, phase.

    An exact zero has no logarithm; the smallest float32 keeps such a pixel dark.
    """
    values, units = fft.values, str(fft.attrs.get("units", "a.u."))
    if part == LOG:
        values, units = np.log10(np.maximum(np.abs(values), TINY)), f"log10({units})"
    elif part == "phase":
        values, units = np.angle(values), "rad"
    else:
        values = {"|F|": np.abs(values), "Re F": values.real, "Im F": values.imag}[part]
    result = fft.copy(data=values.astype(np.float32))
    result.attrs = {**fft.attrs, "units": units}
    result.name = part
    return result
