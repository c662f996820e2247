"""Surfaces with known bands: one entry each, with its source.

The ring of a material lies at a wave vector that follows from its dispersion, so that extraction
can be checked against a formula and not against another program.
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.simulate import continuum, dirac
from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2
from qpi_kernel.simulate.crystal_materials import CRYSTAL_MATERIALS
from qpi_kernel.simulate.material import Material
from qpi_kernel.simulate.tight_binding import square_lattice, triangular_lattice
from qpi_kernel.simulate.tmatrix import lattice_kernel

__all__ = ["MATERIALS", "Material", "find_material"]

Floats = npt.NDArray[np.float64]


def find_material(name: str) -> Material:
    """Return a material by its name.

    Raises
    ------
    QpiError
        If there is none of that name; the message lists those there are.
    """
    try:
        return MATERIALS[name.lower()]
    except KeyError:
        raise QpiError(f"unknown material {name!r}; known: {', '.join(MATERIALS)}") from None


def _surface_state(
    name: str, description: str, source: str, mass: float, edge_eV: float, broadening_eV: float
) -> Material:
    def kernel(y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
        return continuum.parabolic_kernel(
            y_nm[:, None],
            x_nm[None, :],
            energy_eV,
            mass=mass,
            edge_eV=edge_eV,
            broadening_eV=broadening_eV,
        )

    def ring_q(energy_eV: float) -> float:
        square = mass * (energy_eV - edge_eV) / HBAR2_2M_EV_NM2
        return float(2 * np.sqrt(square)) if square > 0 else float("nan")

    band = continuum.ParabolicBand(mass, edge_eV, broadening_eV)
    energies_eV = (edge_eV - 0.05, edge_eV + 1.2)
    return Material(name, description, source, kernel, ring_q, energies_eV, band)


def _rashba_state(
    name: str,
    description: str,
    source: str,
    mass: float,
    crossing_eV: float,
    rashba_eV_nm: float,
    broadening_eV: float,
    energies_eV: tuple[float, float],
) -> Material:
    def kernel(y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
        return continuum.rashba_kernel(
            y_nm[:, None],
            x_nm[None, :],
            energy_eV,
            mass=mass,
            crossing_eV=crossing_eV,
            rashba_eV_nm=rashba_eV_nm,
            broadening_eV=broadening_eV,
        )

    def ring_q(energy_eV: float) -> float:
        k_rashba = mass * rashba_eV_nm / (2 * HBAR2_2M_EV_NM2)
        square = mass * (energy_eV - crossing_eV) / HBAR2_2M_EV_NM2 + k_rashba**2
        return float(2 * np.sqrt(square)) if square > 0 else float("nan")

    return Material(name, description, source, kernel, ring_q, energies_eV, ring_narrows=mass < 0)


def _warped_state(
    name: str,
    description: str,
    source: str,
    velocity_eV_nm: float,
    warping_eV_nm3: float,
    crossing_eV: float,
    energies_eV: tuple[float, float],
) -> Material:
    kernel = partial(
        dirac.warped_kernel,
        velocity_eV_nm=velocity_eV_nm,
        warping_eV_nm3=warping_eV_nm3,
        crossing_eV=crossing_eV,
        broadening_eV=0.01,
        potential_eV_nm2=0.3,
        core_nm=0.4,
    )

    # Blunt tips, below 0.85 E*, join at somewhat longer wave vectors: the ranges begin there.
    def ring_q(energy_eV: float) -> float:
        above = energy_eV - crossing_eV
        return float(np.sqrt(3) * above / velocity_eV_nm) if above > 0 else float("nan")

    return Material(name, description, source, kernel, ring_q, energies_eV)


def _square(y_nm: Floats, x_nm: Floats, energy_eV: float, *, a_nm: float, t_eV: float) -> Floats:
    return lattice_kernel(
        square_lattice(a_nm, t_eV),
        y_nm,
        x_nm,
        energy_eV,
        potential_eV=2 * abs(t_eV),
        broadening_eV=0.02 * abs(t_eV),
        wannier_nm=0.4 * a_nm,
    )


def _square_ring(energy_eV: float, *, a_nm: float, t_eV: float) -> float:
    cosine = (energy_eV - 2 * t_eV) / (2 * t_eV)
    return float(2 * np.arccos(cosine) / a_nm) if abs(cosine) < 1 else float("nan")


def _triangular(
    y_nm: Floats, x_nm: Floats, energy_eV: float, *, a_nm: float, t_eV: float
) -> Floats:
    return lattice_kernel(
        triangular_lattice(a_nm, t_eV),
        y_nm,
        x_nm,
        energy_eV,
        potential_eV=3 * abs(t_eV),
        broadening_eV=0.03 * abs(t_eV),
        wannier_nm=0.4 * a_nm,
    )


def _triangular_ring(energy_eV: float, *, a_nm: float, t_eV: float) -> float:
    # Along x: E = 2 t (2 c^2 - 1 + 2 c) with c = cos(k a / 2).
    root = np.sqrt(np.complex128(3 + energy_eV / t_eV))
    cosine = (root.real - 1) / 2
    if abs(root.imag) > 0 or abs(cosine) >= 1:
        return float("nan")
    return float(4 * np.arccos(cosine) / a_nm)


MATERIALS: dict[str, Material] = {
    material.name: material
    for material in (
        _surface_state(
            "ag111", "Ag(111) surface state", "Li et al., PRB 56, 12656 (1997)", 0.40, -0.065, 0.003
        ),
        _surface_state(
            "cu111", "Cu(111) surface state", "Burgi et al., Surf. Sci. 447, L157 (2000)",
            0.412, -0.435, 0.012,
        ),
        _surface_state(
            "si111-ag", "Si(111)-(r3 x r3)-Ag surface state", "Hirahara et al., Surf. Sci. 563, 191"
            " (2004)", 0.13, -0.2, 0.015,
        ),
        _rashba_state(
            "au111", "Au(111) Rashba-split surface state", "LaShell et al., PRL 77, 3419 (1996)",
            0.255, -0.487, 0.033, 0.010, (-0.45, 0.5),
        ),
        _rashba_state(
            "biag2", "BiAg2/Ag(111) Rashba hole band", "Ast et al., PRL 98, 186807 (2007)",
            -0.35, -0.349, 0.305, 0.010, (-0.9, -0.15),
        ),
        _warped_state(
            "bi2te3", "Bi2Te3 surface state; its spots along Gamma-K", "Fu, PRL 103, 266801 (2009)",
            0.255, 0.250, -0.25, (-0.03, 0.09),
        ),
        _warped_state(
            "bi2se3", "Bi2Se3 surface state; its spots along Gamma-K", "Kuroda et al., PRL 105,"
            " 076802 (2010)", 0.33, 0.128, -0.3, (0.15, 0.38),
        ),
        Material(
            "square", "one orbital on a square lattice, t = -0.1 eV", "toy model",
            partial(_square, a_nm=0.4, t_eV=-0.1), partial(_square_ring, a_nm=0.4, t_eV=-0.1),
            (-0.39, 0.39),
        ),
        Material(
            "triangular", "one orbital on a triangular lattice, t = -0.1 eV", "toy model",
            partial(_triangular, a_nm=0.35, t_eV=-0.1),
            partial(_triangular_ring, a_nm=0.35, t_eV=-0.1), (-0.59, 0.29),
        ),
        *CRYSTAL_MATERIALS,
    )
}  # fmt: skip
