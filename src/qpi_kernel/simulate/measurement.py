"""A kernel as an instrument sees it: smeared in energy, normalised by the set point, blurred.

A ring moves with energy, so that no blur of one slice stands for a temperature: the kernel is
computed at all energies that a bias collects, and added up with their weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.progress import Progress, Steps, drained
from qpi_kernel.simulate.broadening import (
    BOLTZMANN_meV_K,
    blurred,
    cell_weights,
    lockin_share,
    thermal_share,
)

Floats = npt.NDArray[np.float64]

# Energies within the full width that temperature and modulation have together.
STEPS_PER_WIDTH = 8
# Energies that weigh less than this part of the heaviest are left out: tails beyond 8 kT.
LIGHTEST = 1e-3
# Energies between the Fermi level and the set point.
SETPOINT_NODES = 64
# A Gaussian tip is cut off where it has fallen to 3e-4.
TIP_REACH = 4.0


@dataclass(frozen=True)
class Measurement:
    """What stands between the local density of states and dI/dV.

    Parameters
    ----------
    temperature_K : float
        Temperature of the tip [K].
    modulation_mV : float
        Lock-in modulation V_rms [mV].
    setpoint_bias_mV : float, optional
        Bias V_s at which the height of the tip was set [mV]; without it the height is constant.
    tip_nm : float
        Radius sigma of the Gaussian tip [nm].

    Raises
    ------
    QpiError
        If a width is negative or the set point is zero.
    """

    temperature_K: float = 0.0
    modulation_mV: float = 0.0
    setpoint_bias_mV: float | None = None
    tip_nm: float = 0.0

    def __post_init__(self) -> None:
        for name, unit in (("temperature_K", "K"), ("modulation_mV", "mV"), ("tip_nm", "nm")):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise QpiError(f"{name} is at least 0 {unit}, got {value:g} {unit}")
        setpoint = self.setpoint_bias_mV
        if setpoint is not None and not (np.isfinite(setpoint) and setpoint != 0):
            raise QpiError(f"the set point is a bias other than 0 mV, got {setpoint:g} mV")


def iter_measured_kernel(
    kernel: Callable[[Floats, Floats, float], Floats],
    y_nm: Floats,
    x_nm: Floats,
    bias_mV: Sequence[float],
    measurement: Measurement,
) -> Steps[Floats]:
    """Return what an instrument shows of a kernel, shape (bias, y, x), in the kernel's unit.

    The set point divides the density rho_0 + A of a host with constant rho_0 by its mean between
    the Fermi level and V_s. To first order in A, which is the order in which kernels add up,

        A(V) -> A(V) - (1 / e V_s) integral_0^eV_s A(E) dE,

    whatever rho_0 is: every slice also carries the rings of the Fermi level and of the set point.
    The integral ends sharply, without the smearing of kT << e V_s.

    Parameters
    ----------
    kernel : callable (y_nm, x_nm, energy_eV) -> array
        delta rho on the axes y (ny,) and x (nx,).
    y_nm, x_nm : array
        Evenly spaced axes, scatterer at 0 [nm].
    bias_mV : sequence of float
        Sample biases [mV].
    """
    energies_meV, weights = _energies(np.asarray(bias_mV, float), measurement)
    margin = [_margin(axis, measurement.tip_nm) for axis in (y_nm, x_nm)]
    wide_y, wide_x = (_widened(axis, m) for axis, m in zip((y_nm, x_nm), margin, strict=True))
    planes = np.zeros((len(bias_mV), wide_y.size, wide_x.size))
    for done, (energy, weight) in enumerate(zip(energies_meV, weights.T, strict=True)):
        yield Progress(done / energies_meV.size, f"kernel at {energy:.1f} meV")
        planes += weight[:, None, None] * kernel(wide_y, wide_x, float(energy) / 1e3)
    if measurement.tip_nm:
        pitch = (float(y_nm[1] - y_nm[0]), float(x_nm[1] - x_nm[0]))
        planes = blurred(planes, pitch, measurement.tip_nm)
    rows, columns = (slice(m, -m or None) for m in margin)
    return planes[:, rows, columns]


measured_kernel = drained(iter_measured_kernel)


def _energies(bias_mV: Floats, measurement: Measurement) -> tuple[Floats, Floats]:
    """Energies to compute [meV], and their weights in each bias, shape (bias, energy)."""
    energies, weights = bias_mV, np.eye(bias_mV.size)
    peak = np.sqrt(2) * measurement.modulation_mV
    thermal = BOLTZMANN_meV_K * measurement.temperature_K
    width = np.hypot(3.53 * thermal, np.sqrt(3) * peak)
    if width:
        step = width / STEPS_PER_WIDTH
        reach = 20 * thermal + peak + step
        first, last = np.floor((bias_mV.min() - reach) / step), (bias_mV.max() + reach) / step
        energies = step * np.arange(first, np.ceil(last) + 1)

        def smear_thermal(of: Floats) -> Floats:
            return cell_weights(of, energies, lambda e: thermal_share(e, measurement.temperature_K))

        def smear_lockin(of: Floats) -> Floats:
            return cell_weights(of, energies, lambda e: lockin_share(e, measurement.modulation_mV))

        # The wider one takes the biases to the grid: the narrow one would put them at its nodes.
        wide, narrow = (
            (smear_thermal, smear_lockin)
            if 3.53 * thermal > np.sqrt(3) * peak
            else (smear_lockin, smear_thermal)
        )
        weights = wide(bias_mV) @ narrow(energies)
        weights[weights < LIGHTEST * weights.max(axis=1, keepdims=True)] = 0.0
        weights /= weights.sum(axis=1, keepdims=True)
        counted = weights.any(axis=0)
        energies, weights = energies[counted], weights[:, counted]
    if measurement.setpoint_bias_mV is not None:
        nodes, shares = np.polynomial.legendre.leggauss(SETPOINT_NODES)
        energies = np.concatenate([energies, (1 + nodes) / 2 * measurement.setpoint_bias_mV])
        mean = np.broadcast_to(shares / 2, (bias_mV.size, shares.size))
        weights = np.concatenate([weights, -mean], axis=1)
    return energies, weights


def _margin(axis: Floats, tip_nm: float) -> int:
    return int(np.ceil(TIP_REACH * tip_nm / abs(axis[1] - axis[0])))


def _widened(axis: Floats, margin: int) -> Floats:
    step = axis[1] - axis[0]
    outside = step * np.arange(1, margin + 1)
    return np.concatenate([axis[0] - outside[::-1], axis, axis[-1] + outside])
