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
    _check_width("temperature", temperature_K, "K")
    return _convolve(stack, lambda energy: thermal_share(energy, temperature_K))


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
    _check_width("modulation", modulation_mV, "mV")
    return _convolve(stack, lambda bias: lockin_share(bias, modulation_mV))


def thermal_share(energy_meV: Floats, temperature_K: float) -> Floats:
    """Return the part of -df/dE that lies below an energy [meV]: 1 / (1 + exp(-E / kT))."""
    if temperature_K == 0:
        return np.heaviside(energy_meV, 0.5)
    return np.asarray(expit(energy_meV / (BOLTZMANN_meV_K * temperature_K)))


def lockin_share(bias_mV: Floats, modulation_mV: float) -> Floats:
    """Return the part of the lock-in's half circle that lies below a bias [mV]."""
    if modulation_mV == 0:
        return np.heaviside(bias_mV, 0.5)
    ratio = np.clip(bias_mV / (np.sqrt(2) * modulation_mV), -1, 1)
    return np.asarray(0.5 + (ratio * np.sqrt(1 - ratio**2) + np.arcsin(ratio)) / np.pi)


def cell_weights(
    wanted_mV: Floats, grid_mV: Floats, share_below: Callable[[Floats], Floats]
) -> Floats:
    """Return the weights of an even grid of energies in a distribution about each wanted one.

    Whole cells of the distribution, and not its values on the grid, keep a width below the step
    from losing weight. Rows add up to 1; shape (wanted, grid).
    """
    half = (grid_mV[-1] - grid_mV[0]) / (grid_mV.size - 1) / 2
    apart = wanted_mV[:, None] - grid_mV[None, :]
    weights = share_below(apart + half) - share_below(apart - half)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


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
    _check_width("strength of the set point", strength, "")
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
    _check_width("radius of a tip", sigma_nm, "nm")
    if not np.all(np.isfinite(didv.values)):
        raise QpiError("a map with points that were not measured cannot be blurred; crop it first")
    values = blurred(didv.values.astype(float), pixel_nm(didv), sigma_nm)
    return didv.copy(data=values.astype(np.float32))


def blurred(planes: Floats, pitch_nm: tuple[float, float], sigma_nm: float) -> Floats:
    """Convolve planes (..., y, x) with a Gaussian, mirrored at their borders."""
    qy, qx = (
        np.pi * np.arange(n) / (n * step)
        for n, step in zip(planes.shape[-2:], pitch_nm, strict=True)
    )
    transfer = np.exp(-(qy[:, None] ** 2 + qx[None, :] ** 2) * sigma_nm**2 / 2)
    return np.asarray(idctn(dctn(planes, axes=(-2, -1)) * transfer, axes=(-2, -1)))


def _check_width(what: str, value: float, unit: str) -> None:
    if not (np.isfinite(value) and value >= 0):
        raise QpiError(f"the {what} is at least 0 {unit}, got {value:g} {unit}")


def _convolve(stack: xr.DataArray, share_below: Callable[[Floats], Floats]) -> xr.DataArray:
    check_map(stack)
    bias = stack["bias"].values.astype(float)
    steps = np.diff(bias)
    if bias.size < 2:
        raise QpiError("the energy is smeared over a stack of biases; this map has only one")
    if np.ptp(steps) > GRID_TOLERANCE * steps.mean() or steps.mean() == 0:
        raise QpiError("the energy is smeared over evenly spaced biases; these are not")
    weights = cell_weights(bias, bias, share_below)
    return stack.copy(data=np.tensordot(weights, stack.values, 1).astype(np.float32))


def _at_bias(values: Floats, bias: Floats, wanted: float) -> Floats:
    upper = int(np.clip(np.searchsorted(bias, wanted), 1, bias.size - 1))
    share = (wanted - bias[upper - 1]) / (bias[upper] - bias[upper - 1])
    return np.asarray((1 - share) * values[upper - 1] + share * values[upper])


def _divided(rho: xr.DataArray, values: Floats, by: Floats, what: str) -> xr.DataArray:
    if np.any(by <= 0):
        raise QpiError(f"the {what} is not positive somewhere; add the background to rho")
    return rho.copy(data=(values / by).astype(np.float32))
