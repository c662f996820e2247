"""The kernel of one scatterer in a known material."""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.errors import QpiError, QpiWarning
from qpi_kernel.maps import make_map, odd_pixels, pixel_nm
from qpi_kernel.progress import Steps, drained
from qpi_kernel.simulate.materials import Material, find_material
from qpi_kernel.simulate.measurement import Measurement, iter_measured_kernel


def iter_simulate_kernel(
    material: str | Material,
    *,
    scatterer: str | None = None,
    bias_mV: Sequence[float],
    y_nm: npt.ArrayLike,
    x_nm: npt.ArrayLike,
    temperature_K: float = 0.0,
    modulation_mV: float = 0.0,
    setpoint_bias_mV: float | None = None,
    tip_nm: float = 0.0,
) -> Steps[xr.DataArray]:
    """Return the kernel of one scatterer at the origin, (bias, y, x) [1/(eV nm^2)].

    Temperature and modulation are those of `thermal_broadening` and `lockin_broadening`, computed
    from as many energies as they need; set point and tip are described at `Measurement` and
    `measured_kernel`. A scatterer is one of those in `Material.scatterers`, by default the first.

    Raises
    ------
    QpiError
        If the material or the scatterer is unknown, there is no bias or an axis has fewer than two
        points.

    Warns
    -----
    QpiWarning
        If the material does not reach to a bias: the kernel is zero there.
    """
    chosen = find_material(material) if isinstance(material, str) else material
    y, x = np.asarray(y_nm, float), np.asarray(x_nm, float)
    if y.size < 2 or x.size < 2 or len(bias_mV) == 0:
        raise QpiError(
            f"a kernel needs at least one bias and 2 x 2 points, got {len(bias_mV)} and"
            f" {y.size} x {x.size}"
        )
    measurement = Measurement(temperature_K, modulation_mV, setpoint_bias_mV, tip_nm)
    defect = chosen.scatterer(scatterer)
    biases = np.asarray(bias_mV, float)
    known = np.array([chosen.holds_at(bias / 1e3) for bias in biases])
    planes = np.zeros((biases.size, y.size, x.size))
    if known.any():
        planes[known] = yield from iter_measured_kernel(
            defect.kernel, y, x, biases[known], measurement
        )
    if not known.all():
        low, high = chosen.energies_eV
        beyond = ", ".join(f"{bias:g}" for bias in biases[~known])
        warnings.warn(
            f"{chosen.name} is known from {1e3 * low:g} to {1e3 * high:g} mV: its kernel at"
            f" {beyond} mV is zero",
            QpiWarning,
            stacklevel=4,  # who called what `drained` made
        )
    return make_map(
        planes, bias_mV=bias_mV, y_nm=y, x_nm=x, units="1/(eV nm^2)", name="kernel",
        attrs={"material": chosen.name, "scatterer": scatterer or next(iter(chosen.scatterers))},
    )  # fmt: skip


simulate_kernel = drained(iter_simulate_kernel)


def crop_kernel(kernel: xr.DataArray, window_nm: float) -> xr.DataArray:
    """Cut a smaller window, still centred on the scatterer, out of a kernel."""
    half = odd_pixels(window_nm, pixel_nm(kernel)[1]) // 2
    middle = kernel.sizes["x"] // 2
    part = slice(middle - half, middle + half + 1)
    return kernel.isel(y=part, x=part)
