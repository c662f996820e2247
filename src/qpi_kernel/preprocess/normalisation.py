"""Normalisation by the current: what the set point did to dI/dV cancels."""

import numpy as np
import xarray as xr

from qpi_kernel.maps import check_map, check_same_grid
from qpi_kernel.preprocess.settings import Normalisation
from qpi_kernel.preprocess.slices import Array, PreprocessError

# Below this share of the typical divisor of a slice a quotient is noise.
LEAST_SHARE = 0.02
AT_ZERO_MV = 1e-6
SAME_BIAS_MV = 1e-3


def normalise(
    didv: xr.DataArray, current: xr.DataArray, kind: Normalisation = "gV/I"
) -> xr.DataArray:
    """Divide dI/dV by the current of the same spectrum.

    "g/I" is g(V) / I(V) [1/V], "gV/I" is g(V) / (I(V) / V), the differential over the total
    conductance, without unit. A feedback that opens at the set point (V_s, I_s) measures
    g = rho(eV) I_s / integral_0^(eV_s) rho dE; the current of the same spectrum carries the same
    factor I_s / integral, and it cancels.

    At V = 0 the conductance I / V is interpolated between the neighbouring biases. Points whose
    divisor is less than 2 % of the median divisor of their bias become NaN.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        dI/dV.
    current : xarray.DataArray, (bias, y, x)
        The current on the same grid, at the same biases and possibly more [pA].
    kind : {"gV/I", "g/I", "none"}

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        The quotient; "a.u." where dI/dV is not in nS or the current not in pA.

    Raises
    ------
    PreprocessError
        If the current was not recorded at a bias of the map, or nothing is left.

    References
    ----------
    R. M. Feenstra, J. A. Stroscio, A. P. Fein, Surf. Sci. 181, 295 (1987);
    A. J. Macdonald et al., Nanotechnology 27, 414004 (2016), arXiv:1606.07402.
    """
    check_map(didv)
    if kind == "none":
        return didv.copy()
    check_map(current)
    check_same_grid(didv, current)
    biases = current["bias"].values
    divisor = current.values.astype(np.float64)
    if kind == "gV/I":
        divisor = _conductance(divisor, biases)
    values = np.full(didv.shape, np.nan)
    for index, bias in enumerate(didv["bias"].values):
        nearest = int(np.argmin(np.abs(biases - bias)))
        if abs(biases[nearest] - bias) > SAME_BIAS_MV:
            raise PreprocessError(
                f"the current was not recorded at {bias:g} mV: dI/dV cannot be divided by it"
            )
        plane = divisor[nearest]
        size = np.abs(plane)
        measured = size[np.isfinite(size)]
        enough = size > LEAST_SHARE * np.median(measured) if measured.size else size > 0
        np.divide(didv.values[index], plane, out=values[index], where=enough)
    if not np.isfinite(values).any():
        raise PreprocessError(
            "nothing is left of dI/dV divided by the current: it vanishes at"
            f" {', '.join(f'{bias:g}' for bias in didv['bias'].values[:3])} mV"
        )
    calibrated = didv.attrs["units"] == "nS" and current.attrs["units"] == "pA"
    if kind == "g/I":
        # nS / pA = 1000 / V.
        values, units = (1e3 * values, "1/V") if calibrated else (values, "a.u.")
    else:
        units = "1" if calibrated else "a.u."
    normalised = didv.copy(data=values.astype(np.float32))
    return normalised.assign_attrs(units=units)


def _conductance(current: Array, bias_mV: Array) -> Array:
    """Return I / V [pA / mV = nS], at V = 0 between the neighbours."""
    zero = np.abs(bias_mV) < AT_ZERO_MV
    result = current / np.where(zero, np.nan, bias_mV)[:, None, None]
    for index in np.flatnonzero(zero):
        below, above = np.flatnonzero(bias_mV < -AT_ZERO_MV), np.flatnonzero(bias_mV > AT_ZERO_MV)
        if not below.size or not above.size:
            raise PreprocessError(
                "the conductance I / V at 0 mV needs the current at biases of both signs"
            )
        low, high = below[-1], above[0]
        share = -bias_mV[low] / (bias_mV[high] - bias_mV[low])
        result[index] = (1 - share) * result[low] + share * result[high]
    return result
