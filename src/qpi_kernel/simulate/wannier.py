"""Wannier functions: what a tip sees of an orbital from above.

A Gaussian of width sigma times the lobes of the orbital, with the integral of w^2 equal to 1. From
above, xz looks like px and yz like py; pz and z2 are round.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

# A Gaussian is cut off where it has fallen to 3e-6.
WANNIER_REACH = 5.0

# Polynomials of x / sigma and y / sigma. In reciprocal space they are the same polynomials of
# -i kx sigma and -i ky sigma, since their terms are of one order and none holds x^2 + y^2. They
# take NumPy arrays and torch tensors.
LOBES: dict[str, Callable[[Any, Any], Any]] = {
    "s": lambda x, y: 1.0 + 0.0 * x,
    "px": lambda x, y: 2**0.5 * x,
    "py": lambda x, y: 2**0.5 * y,
    "dxy": lambda x, y: 2 * x * y,
    "dx2-y2": lambda x, y: x**2 - y**2,
}


def wannier(lobe: str, x_nm: Floats, y_nm: Floats, sigma_nm: float) -> Floats:
    """Return w(r) [1/nm] at positions from its centre, in the axes of the crystal."""
    gauss = np.exp(-(x_nm**2 + y_nm**2) / (2 * sigma_nm**2)) / (np.sqrt(np.pi) * sigma_nm)
    return np.asarray(LOBES[lobe](x_nm / sigma_nm, y_nm / sigma_nm) * gauss)


def wannier_transform(lobe: str, kx: Floats, ky: Floats, sigma_nm: float) -> Complexes:
    """Return w(k) = integral w(r) exp(-i k r) d2r [nm] at wave vectors [1/nm]."""
    gauss = 2 * np.sqrt(np.pi) * sigma_nm * np.exp(-(kx**2 + ky**2) * sigma_nm**2 / 2)
    return np.asarray(LOBES[lobe](-1j * kx * sigma_nm, -1j * ky * sigma_nm) * gauss)
