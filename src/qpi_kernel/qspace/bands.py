"""Bands fitted to a dispersion: mass, velocity and band edge, with errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.constants import electron_mass, electron_volt, hbar
from scipy.optimize import curve_fit

from qpi_kernel.errors import QpiError
from qpi_kernel.files import reason_of, replacing
from qpi_kernel.qspace.dispersion import Dispersion

Array = npt.NDArray[np.floating[Any]]
Band = Literal["parabola", "linear"]
BANDS: tuple[Band, ...] = get_args(Band)
# hbar^2 / (2 m_e) [meV nm^2].
FREE_MEV_NM2 = hbar**2 / (2 * electron_mass) / (1e-3 * electron_volt * 1e-18)


@dataclass(frozen=True)
class BandFit:
    """A band that was fitted to a dispersion.

    Parameters
    ----------
    band : {"parabola", "linear"}
    values, errors : mapping of str to float
        "mass_me" (effective mass [electron masses], negative for a hole band) or
        "velocity_eV_nm" (hbar v [eV nm], negative where q falls with energy), and "E0_meV" (band
        edge or Dirac point [meV]); their standard deviations under the same names.
    correlation : float
        Of the errors of the two parameters.
    chi2 : float
        Sum of (deviation / error)^2; NaN if the points had no errors.
    degrees_of_freedom : int
        Points less parameters.
    q_over_k : float
        How many k there are to a q: 2 for scattering straight back.
    """

    band: Band
    values: Mapping[str, float]
    errors: Mapping[str, float]
    correlation: float
    chi2: float
    degrees_of_freedom: int
    q_over_k: float

    def q_per_nm(self, bias_mV: npt.ArrayLike) -> Array:
        """Return the wave number of the fit at some energies [1/nm]; NaN outside the band."""
        straight = _straightened(self.band, self.q_over_k)(
            np.asarray(bias_mV, float), *self.values.values()
        )
        positive = np.where(straight >= 0, straight, np.nan)
        return np.asarray(np.sqrt(positive) if self.band == "parabola" else positive)

    def save(self, path: Path | str) -> None:
        """Write all fields, with hbar v and masses in the units of their names, as JSON.

        Raises
        ------
        QpiError
            If the file cannot be written.
        """
        path = Path(path)
        content = {
            "band": self.band,
            "values": dict(self.values),
            "errors": dict(self.errors),
            "correlation": self.correlation,
            "chi2": self.chi2 if np.isfinite(self.chi2) else None,
            "degrees_of_freedom": self.degrees_of_freedom,
            "q_over_k": self.q_over_k,
        }
        try:
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise QpiError(
                f"{path}: the fit cannot be written there ({reason_of(error)})"
            ) from None

    def __str__(self) -> str:
        """Say parameters, errors and chi^2 in one line."""
        shape, edge = self.values
        words = {"mass_me": ("m* =", "m_e"), "velocity_eV_nm": ("ħv =", "eV nm")}
        name, unit = words[shape]
        line = (
            f"{name} {_with_error(self.values[shape], self.errors[shape])} {unit},"
            f" E0 = {_with_error(self.values[edge], self.errors[edge])} meV"
        )
        if np.isfinite(self.chi2):
            line += f", χ²/dof = {self.chi2:.3g}/{self.degrees_of_freedom}"
        return line


def fit_band(dispersion: Dispersion, band: Band = "parabola", *, q_over_k: float = 2.0) -> BandFit:
    """Fit a parabolic or a linear band to a dispersion.

        parabola:  E = E0 + hbar^2 k^2 / (2 m),    linear:  E = E0 + hbar v k,    k = q / q_over_k

    Energies are exact and wave numbers carry the errors, so that q^2 (or q) is fitted as a straight
    line of E, each point weighted by its error.

    Parameters
    ----------
    dispersion : Dispersion
        Energies, wave numbers and their errors; points without a wave number do not count.
    band : {"parabola", "linear"}
    q_over_k : float
        2 for scattering straight back; sqrt(3) between the next but one tips of a warped Dirac
        cone.

    Returns
    -------
    BandFit
        Errors are those of the points where chi^2 / dof is below 1, and larger by
        sqrt(chi^2 / dof) where the points scatter more than their errors say. Without errors of
        the points they follow from the scatter.

    Raises
    ------
    QpiError
        If there are fewer than three points, all at one energy, or q does not change with energy
        by more than its error.
    """
    if band not in BANDS:
        raise QpiError(f"unknown band {band!r}; choose one of {', '.join(BANDS)}")
    found = np.isfinite(dispersion.q_per_nm)
    energy, q = dispersion.bias_mV[found], dispersion.q_per_nm[found]
    error = dispersion.error_per_nm[found]
    if energy.size < 3 or np.ptp(energy) == 0:
        raise QpiError(
            f"a band needs at least three energies with a ring, there are {np.unique(energy).size};"
            " widen the range of q or use more energies"
        )
    straight, sigma = (q**2, 2 * q * error) if band == "parabola" else (q, error)
    known = bool(np.all(np.isfinite(sigma) & (sigma > 0)))
    weights = 1 / sigma if known else np.ones(energy.size)
    line, covariance = np.polyfit(energy, straight, 1, w=weights, cov="unscaled" if known else True)
    if abs(line[0]) <= np.sqrt(covariance[0, 0]):
        raise QpiError(
            "the ring does not move with energy by more than its error: there is no band to fit"
        )
    name, scale = (
        ("mass_me", FREE_MEV_NM2 / q_over_k**2)
        if band == "parabola"
        else ("velocity_eV_nm", 1e-3 * q_over_k)
    )
    guess = (scale * line[0] if band == "parabola" else scale / line[0], -line[1] / line[0])
    model = _straightened(band, q_over_k)
    best, covariance = curve_fit(
        model, energy, straight, guess, sigma if known else None, absolute_sigma=known
    )
    freedom = energy.size - 2
    chi2 = (
        float(np.sum(((straight - model(energy, *best)) / sigma) ** 2)) if known else float("nan")
    )
    deviations = np.sqrt(np.diag(covariance))
    excess = max(1.0, np.sqrt(chi2 / freedom)) if known else 1.0
    names = (name, "E0_meV")
    return BandFit(
        band=band,
        values=MappingProxyType(dict(zip(names, map(float, best), strict=True))),
        errors=MappingProxyType(dict(zip(names, map(float, excess * deviations), strict=True))),
        correlation=float(covariance[0, 1] / np.prod(deviations)),
        chi2=chi2,
        degrees_of_freedom=freedom,
        q_over_k=q_over_k,
    )


def _straightened(band: Band, q_over_k: float) -> Any:
    """Return the straight line of energy [meV] that q^2 (parabola) or q (linear) is."""

    def parabola(energy: Array, mass: float, edge: float) -> Array:
        return np.asarray(q_over_k**2 * mass * (energy - edge) / FREE_MEV_NM2)

    def linear(energy: Array, velocity: float, edge: float) -> Array:
        return np.asarray(1e-3 * q_over_k * (energy - edge) / velocity)

    return parabola if band == "parabola" else linear


def _with_error(value: float, error: float) -> str:
    """Write a value with as many digits as its error has two of."""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
