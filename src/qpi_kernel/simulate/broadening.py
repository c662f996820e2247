"""What the measurement does to the local density of states rho(r, E).

Temperature and lock-in modulation smear the energy, the set point divides by an integral over it,
the tip smears the position. The first three act on stacks of biases: a ring moves with energy, so
that no blur of one slice can stand for them.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import constants
from scipy.fft import dctn, idctn
from scipy.special import expit

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import GRID_TOLERANCE, check_map, pixel_nm

Floats = npt.NDArray[np.float64]

BOLTZMANN_meV_K = constants.k / constants.e * 1e3


def thermal_broadening(stack: xr.DataArray, temperature_K: float) -> xr.DataArray:
    """Convolve a stack in energy with -df/dE = sech^2(E / 2 kT) / 4 kT, of FWHM 3.53 kT.

    Parameters
    ----------
    stack : xarray.DataArray, (bias, y, x)
        At least two evenly spaced biases; simulate some 4 kT more on either side than is needed,
        for the ends see only one side.
    temperature_K : float
        Temperature of the tip [K].

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        In the unit of the stack.

    Raises
    ------
    QpiError
        If the temperature is negative or the biases are fewer than two or not evenly spaced.

    Examples
    --------
    >>> from qpi_kernel.maps import make_map
    >>> line = np.zeros((801, 2, 2))
    >>> line[400] = 1.0
    >>> axis = {"bias_mV": np.arange(-400, 401) / 80, "y_nm": [0, 1], "x_nm": [0, 1]}
    >>> broad = thermal_broadening(make_map(line, **axis), 4.2)
    >>> above = broad.values[:, 0, 0] > broad.values.max() / 2
    >>> f"{np.sum(above) / 80:.1f} meV"
    '1.3 meV'
    """
    if not (np.isfinite(temperature_K) and temperature_K >= 0):
        raise QpiError(f"a temperature is at least 0 K, got {temperature_K:g} K")
    width = BOLTZMANN_meV_K * temperature_K
    return _convolve(stack, width, lambda energy: np.asarray(expit(energy / width)))


def lockin_broadening(stack: xr.DataArray, modulation_mV: float) -> xr.DataArray:
    """Convolve a stack in energy with the lock-in's half circle, of FWHM 2.45 V_rms.

    The first harmonic of a modulation V_m sin(omega t), V_m = sqrt(2) V_rms, weighs the dI/dV at
    bias V + v by (2 / pi V_m) sqrt(1 - v^2 / V_m^2).

    Parameters
    ----------
    stack : xarray.DataArray, (bias, y, x)
        At least two evenly spaced biases.
    modulation_mV : float
        V_rms [mV].

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        In the unit of the stack.

    Raises
    ------
    QpiError
        If the modulation is negative or the biases are fewer than two or not evenly spaced.
    """
    if not (np.isfinite(modulation_mV) and modulation_mV >= 0):
        raise QpiError(f"a modulation is at least 0 mV, got {modulation_mV:g} mV")
    peak = np.sqrt(2) * modulation_mV

    def share_below(bias: Floats) -> Floats:
        ratio = np.clip(bias / peak, -1, 1)
        return np.asarray(0.5 + (ratio * np.sqrt(1 - ratio**2) + np.arcsin(ratio)) / np.pi)

    return _convolve(stack, peak, share_below)


def setpoint_map(rho: xr.DataArray, setpoint_mV: float) -> xr.DataArray:
    """Return dI/dV ~ rho(r, eV) / integral_0^eVs rho(r, E) dE of a tip at constant current.

    The height of the tip follows the integral, which leaves features at every wave vector between
    the Fermi level and the set point in all slices.

    Parameters
    ----------
    rho : xarray.DataArray, (bias, y, x)
        Total local density of states, background included, so that it is positive.
    setpoint_mV : float
        V_s [mV]; 0 and V_s must lie within the biases.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        rho over its mean between 0 and V_s [a.u.].

    Raises
    ------
    QpiError
        If the biases do not reach from 0 to V_s or the integral is not positive somewhere.
    """
    check_map(rho)
    bias = rho["bias"].values.astype(float)
    low, high = sorted((0.0, float(setpoint_mV)))
    if not (bias[0] <= low < high <= bias[-1]):
        raise QpiError(
            f"the integral from 0 to the set point {setpoint_mV:g} mV needs biases that hold both;"
            f" these go from {bias[0]:g} to {bias[-1]:g} mV"
        )
    values = rho.values.astype(float)
    knots = np.unique(np.concatenate([[low, high], bias[(bias > low) & (bias < high)]]))
    at_knots = np.stack([_at_bias(values, bias, float(knot)) for knot in knots])
    integral = np.trapezoid(at_knots, knots, axis=0)
    divided = _divided(rho, values, integral / (high - low), "integral of rho to the set point")
    return divided.assign_attrs(units="a.u.")


def setpoint_damping(rho: xr.DataArray, strength: float) -> xr.DataArray:
    """Return g = rho / (1 + s <rho>_E), a set point of adjustable strength.

    Parameters
    ----------
    rho : xarray.DataArray, (bias, y, x)
        Local density of states, in units of its background or as the change delta rho of it.
    strength : float
        s, usually 0 to 0.5; <rho>_E is the mean over the biases.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        In the unit of rho.

    Raises
    ------
    QpiError
        If the strength is negative or 1 + s <rho>_E is not positive somewhere.
    """
    check_map(rho)
    if not (np.isfinite(strength) and strength >= 0):
        raise QpiError(f"the strength of the set point is at least 0, got {strength:g}")
    values = rho.values.astype(float)
    return _divided(rho, values, 1 + strength * values.mean(axis=0), "1 + s <rho>")


def tip_blur(didv: xr.DataArray, sigma_nm: float) -> xr.DataArray:
    """Smear a map with a Gaussian tip: |FFT| is multiplied by exp(-q^2 sigma^2 / 2).

    The map is mirrored at its borders, so that nothing wraps round.

    Parameters
    ----------
    didv : xarray.DataArray, (bias, y, x)
        A map without gaps.
    sigma_nm : float
        Radius sigma of the tip [nm].

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        In the unit of the map.

    Raises
    ------
    QpiError
        If sigma is negative or the map has points that were not measured.
    """
    check_map(didv)
    if not (np.isfinite(sigma_nm) and sigma_nm >= 0):
        raise QpiError(f"the radius of a tip is at least 0 nm, got {sigma_nm:g} nm")
    if not np.all(np.isfinite(didv.values)):
        raise QpiError("a map with points that were not measured cannot be blurred; crop it first")
    dy, dx = pixel_nm(didv)
    qy, qx = (
        np.pi * np.arange(didv.sizes[dim]) / (didv.sizes[dim] * step)
        for dim, step in (("y", dy), ("x", dx))
    )
    transfer = np.exp(-(qy[:, None] ** 2 + qx[None, :] ** 2) * sigma_nm**2 / 2)
    blurred = idctn(dctn(didv.values.astype(float), axes=(1, 2)) * transfer, axes=(1, 2))
    return didv.copy(data=blurred.astype(np.float32))


def _convolve(
    stack: xr.DataArray, width: float, share_below: Callable[[Floats], Floats]
) -> xr.DataArray:
    check_map(stack)
    bias = stack["bias"].values.astype(float)
    steps = np.diff(bias)
    if bias.size < 2:
        raise QpiError("the energy is smeared over a stack of biases; this map has only one")
    if np.ptp(steps) > GRID_TOLERANCE * steps.mean() or steps.mean() == 0:
        raise QpiError("the energy is smeared over evenly spaced biases; these are not")
    if width == 0:
        return stack.copy()
    # Whole cells of the distribution, and not its values at the biases, keep a width below the
    # step from losing weight.
    half = steps.mean() / 2
    apart = bias[:, None] - bias[None, :]
    weights = share_below(apart + half) - share_below(apart - half)
    weights /= weights.sum(axis=1, keepdims=True)
    return stack.copy(data=np.tensordot(weights, stack.values, 1).astype(np.float32))


def _at_bias(values: Floats, bias: Floats, wanted: float) -> Floats:
    upper = int(np.clip(np.searchsorted(bias, wanted), 1, bias.size - 1))
    share = (wanted - bias[upper - 1]) / (bias[upper] - bias[upper - 1])
    return np.asarray((1 - share) * values[upper - 1] + share * values[upper])


def _divided(rho: xr.DataArray, values: Floats, by: Floats, what: str) -> xr.DataArray:
    if np.any(by <= 0):
        raise QpiError(f"the {what} is not positive somewhere; add the background to rho")
    return rho.copy(data=(values / by).astype(np.float32))
