"""A kernel beside a theory: how alike the two are in q space, energy by energy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import MapError, check_same_grid, pixel_nm
from qpi_kernel.progress import Progress, Steps, scaled
from qpi_kernel.qspace.transform import check_fft, kernel_fft
from qpi_kernel.simulate.kernel import iter_simulate_kernel
from qpi_kernel.simulate.materials import find_material

# Pixels this near to the scatterer count neither for the scale of a theory nor for its similarity.
CORE_PX = 3.0


@dataclass(frozen=True)
class TheoryFit:
    """A kernel with a theory on its own grid and at its own energies.

    Parameters
    ----------
    kernel, theory, difference : xarray.DataArray, (bias, y, x)
        The kernel, the theory in the unit of the kernel, and kernel minus theory.
    scale : array, shape (bias,)
        Factor of the theory at each bias [unit of the kernel / unit of the theory].
    correlation : array, shape (bias,)
        That of |F(q)|, both tapered by a Hann window; see `q_correlation`.
    similarity : array, shape (bias,)
        Correlation of the two in real space outside the core, -1 to 1: it knows sign and phase.
        NaN where one of them does not vary.
    """

    kernel: xr.DataArray
    theory: xr.DataArray
    difference: xr.DataArray
    scale: npt.NDArray[np.float64]
    correlation: npt.NDArray[np.float64]
    similarity: npt.NDArray[np.float64]


def fit_theory(kernel: xr.DataArray, theory: xr.DataArray) -> TheoryFit:
    """Scale a theory to a kernel and say how alike they are, energy by energy.

    Scale s and offset c of each bias minimise sum_r [A(r) - s T(r) - c]^2 over all r farther than
    3 pixels from the scatterer: a map knows neither the strength of the scatterer nor the mean of
    its kernel, and the core is the affair of the tip.

    Parameters
    ----------
    kernel, theory : xarray.DataArray, (bias, y, x)
        Two kernels on one grid, scatterer at y = x = 0.

    Raises
    ------
    MapError
        If the two are not on the same grid.
    """
    check_same_grid(kernel, theory)
    y, x = kernel["y"].values, kernel["x"].values
    dy, dx = pixel_nm(kernel)
    outside = np.hypot(y[:, None] / dy, x[None, :] / dx) > CORE_PX
    data, model = (field.values.astype(float) for field in (kernel, theory))
    mean_data, mean_model = (v[:, outside].mean(1)[:, None, None] for v in (data, model))
    waves, ripples = (data - mean_data)[:, outside], (model - mean_model)[:, outside]
    overlap, power = (waves * ripples).sum(1), (ripples**2).sum(1)
    scale = np.divide(overlap, power, out=np.zeros_like(power), where=power > 0)
    norm = np.sqrt((waves**2).sum(1) * power)
    similarity = np.divide(overlap, norm, out=np.full_like(norm, np.nan), where=norm > 0)
    fitted = kernel.copy(data=mean_data + scale[:, None, None] * (model - mean_model))
    fitted = fitted.astype(np.float32)
    fitted.attrs = {**theory.attrs, "units": kernel.attrs["units"]}
    fitted.name = "theory"
    difference = kernel.copy(data=kernel.values - fitted.values)
    difference.name = "kernel minus theory"
    fft, theory_fft = (kernel_fft(each, window="hann") for each in (kernel, theory))
    correlation = q_correlation(fft, theory_fft).values
    return TheoryFit(kernel, fitted, difference, scale, correlation, similarity)


def iter_theory(
    kernel: xr.DataArray,
    material: str,
    *,
    scatterer: str | None = None,
    temperature_K: float = 0.0,
    modulation_mV: float = 0.0,
) -> Steps[TheoryFit]:
    """Simulate a known material on the grid and at the energies of a kernel, and compare the two.

    Parameters
    ----------
    kernel : xarray.DataArray, (bias, y, x)
        An extracted kernel. Its energies outside the range of the material are left out.
    material, scatterer, temperature_K, modulation_mV
        As in `qpi_kernel.simulate_kernel`.

    Raises
    ------
    QpiError
        If the material or the scatterer is unknown, or the material reaches to no energy of the
        kernel.
    """
    chosen = find_material(material)
    biases = kernel["bias"].values.astype(float)
    known = [chosen.holds_at(bias / 1e3) for bias in biases]
    if not any(known):
        low, high = chosen.energies_eV
        raise QpiError(
            f"{chosen.name} is known from {1e3 * low:g} to {1e3 * high:g} mV, the kernel from"
            f" {biases.min():g} to {biases.max():g} mV: choose another material"
        )
    part = kernel.isel(bias=np.flatnonzero(known))
    steps = iter_simulate_kernel(
        chosen,
        scatterer=scatterer,
        bias_mV=list(part["bias"].values.astype(float)),
        y_nm=part["y"].values,
        x_nm=part["x"].values,
        temperature_K=temperature_K,
        modulation_mV=modulation_mV,
    )
    theory = yield from scaled(steps, 0.0, 0.9)
    yield Progress(0.9, "comparing kernel and theory")
    return fit_theory(part, theory)


def q_correlation(
    fft: xr.DataArray, theory: xr.DataArray, q_range: tuple[float, float] | None = None
) -> xr.DataArray:
    """Return the correlation of |F(q)| with a theory at every energy.

        c = cov(|F|, |J|) / sqrt(var |F| var |J|)    over all q of the range

    Parameters
    ----------
    fft : xarray.DataArray, (bias, qy, qx)
        The transform of a kernel.
    theory : xarray.DataArray, (bias, qy, qx)
        Another on the same grid: a joint density of states
        (`qpi_kernel.simulate.joint_density_of_states`) or the transform of a simulated kernel, of
        which the modulus is taken.
    q_range : (lowest, highest), optional
        The |q| that count [1/nm]; by default all but q = 0, where the joint density of states has
        a peak that no kernel knows.

    Returns
    -------
    xarray.DataArray, (bias,)
        -1 to 1; NaN where one of the two does not vary.

    Raises
    ------
    MapError
        If the two are not on the same biases and q, or the range holds fewer than three q.
    """
    check_fft(fft)
    check_fft(theory)
    for dim in fft.dims:
        here, there = fft[dim].values, theory[dim].values
        tolerance = 1e-3 * (float(np.ptp(here)) / max(here.size - 1, 1) or 1.0)
        if here.size != there.size or np.max(np.abs(here - there)) > tolerance:
            raise MapError(
                f"kernel and theory have different {dim}: compute the theory on the axes of the"
                " kernel"
            )
    q = np.hypot(fft["qy"].values[:, None], fft["qx"].values[None, :])
    low, high = q_range or (1e-9, np.inf)
    inside = (q >= low) & (q <= high)
    if np.count_nonzero(inside) < 3:
        raise MapError(f"the range {low:g} to {high:g} 1/nm holds fewer than three q")
    here, there = (np.abs(field.values[:, inside]).astype(float) for field in (fft, theory))
    here, there = (values - values.mean(1, keepdims=True) for values in (here, there))
    norm = np.sqrt((here**2).sum(1) * (there**2).sum(1))
    correlation = np.divide(
        (here * there).sum(1), norm, out=np.full(norm.size, np.nan), where=norm > 0
    )
    return xr.DataArray(
        correlation, dims=("bias",), coords={"bias": fft["bias"]}, attrs={"units": "1"}
    )
