"""Entries of the table of materials whose bands have closed forms: surface states.

Densities of parabolic and Rashba bands are those of both spins.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from qpi_kernel.simulate import continuum, dirac
from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2
from qpi_kernel.simulate.material import Defect, Floats, Material

# Semi-axes of the hole ellipse of FeSe differ by two.
FESE_MASS = (-1.5, -6.0)
FESE_TOP_EV = 0.010

# Phase shift and absorption: a unitary adatom, a faint one, one that swallows every wave.
ADATOMS = {
    "scalar": {"phase_shift": np.pi / 2, "absorption": 0.0},
    "weak": {"phase_shift": 0.3, "absorption": 0.0},
    "absorbing": {"phase_shift": 0.0, "absorption": 1.0},
}


def _adatoms(density: Callable[..., Floats], symmetry: str = "isotropic") -> dict[str, Defect]:
    """Offer the three kinds of adatoms of a band with an s-wave scatterer."""

    def kernel(adatom: str, y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
        return density(y_nm[:, None], x_nm[None, :], energy_eV, **ADATOMS[adatom])

    return {name: Defect(partial(kernel, name), symmetry) for name in ADATOMS}


def _backscattering(k_squared: float) -> tuple[float, float]:
    """Return (2 k, 0), NaN where k is imaginary."""
    return (float(2 * np.sqrt(k_squared)) if k_squared > 0 else float("nan"), 0.0)


def _surface_state(
    name: str, description: str, source: str, mass: float, edge_eV: float, broadening_eV: float
) -> Material:
    density = partial(
        continuum.parabolic_kernel, mass=mass, edge_eV=edge_eV, broadening_eV=broadening_eV
    )
    return Material(
        name, description, source, _adatoms(density),
        lambda energy_eV: {"2k": _backscattering(mass * (energy_eV - edge_eV) / HBAR2_2M_EV_NM2)},
        (edge_eV - 0.05, edge_eV + 1.2),
        band=continuum.ParabolicBand(mass, edge_eV, broadening_eV),
    )  # fmt: skip


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
    density = partial(
        continuum.rashba_kernel,
        mass=mass,
        crossing_eV=crossing_eV,
        rashba_eV_nm=rashba_eV_nm,
        broadening_eV=broadening_eV,
    )
    k_rashba = mass * rashba_eV_nm / (2 * HBAR2_2M_EV_NM2)

    def vectors(energy_eV: float) -> dict[str, tuple[float, float]]:
        k_squared = mass * (energy_eV - crossing_eV) / HBAR2_2M_EV_NM2 + k_rashba**2
        return {"k+ + k-": _backscattering(k_squared)}

    return Material(name, description, source, _adatoms(density), vectors, energies_eV)


def _warped_state(
    name: str,
    description: str,
    source: str,
    velocity_eV_nm: float,
    warping_eV_nm3: float,
    crossing_eV: float,
    energies_eV: tuple[float, float],
) -> Material:
    density = partial(
        dirac.warped_kernel,
        velocity_eV_nm=velocity_eV_nm,
        warping_eV_nm3=warping_eV_nm3,
        crossing_eV=crossing_eV,
        broadening_eV=0.01,
        core_nm=0.4,
    )
    scatterers = {
        "scalar": Defect(partial(density, potential_eV_nm2=0.3), "C6v"),
        "magnetic": Defect(
            partial(density, potential_eV_nm2=0.0, moment_eV_nm2=(0.0, 0.0, 0.3)), "C6v"
        ),
    }

    # Blunt tips, below 0.85 E*, join at somewhat longer wave vectors: the ranges begin there.
    def vectors(energy_eV: float) -> dict[str, tuple[float, float]]:
        above = energy_eV - crossing_eV
        tip = float(np.sqrt(3) * above / velocity_eV_nm) if above > 0 else float("nan")
        return {"tip to tip": (tip, 0.0)}

    return Material(name, description, source, scatterers, vectors, energies_eV)


def _fese() -> Material:
    density = partial(
        continuum.parabolic_kernel, mass=FESE_MASS, edge_eV=FESE_TOP_EV, broadening_eV=0.002
    )

    def vectors(energy_eV: float) -> dict[str, tuple[float, float]]:
        below = (energy_eV - FESE_TOP_EV) / HBAR2_2M_EV_NM2
        short, long = (_backscattering(mass * below)[0] for mass in FESE_MASS)
        return {"2kx": (short, 0.0), "2ky": (0.0, long)}

    return Material(
        "fese", "FeSe toy: nematic hole ellipse", "toy after Sprau et al., Science 357, 75 (2017)",
        _adatoms(density, "C2v"), vectors, (-0.03, 0.005),
    )  # fmt: skip


SURFACE_MATERIALS = (
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
    # The top of the band lies E_R = alpha k_R / 2 above the crossing.
    _rashba_state(
        "pbag2", "PbAg2/Ag(111) Rashba hole band, top at 654 meV; energies: toy",
        "Ast et al., PRL 98, 186807 (2007)", -0.15, 0.632, 0.15, 0.015, (-0.3, 0.62),
    ),
    _rashba_state(
        "bicu2", "BiCu2/Cu(111) Rashba hole band, top at -215 meV; energies: toy",
        "Bentmann et al., EPL 87, 37003 (2009)", -0.29, -0.227, 0.08, 0.012, (-0.9, -0.235),
    ),
    _warped_state(
        "bi2te3", "Bi2Te3 surface state; its spots along Gamma-K",
        "Fu, PRL 103, 266801 (2009), arXiv:0908.1418", 0.255, 0.250, -0.25, (-0.03, 0.09),
    ),
    _warped_state(
        "bi2se3", "Bi2Se3 surface state; its spots along Gamma-K", "Kuroda et al., PRL 105,"
        " 076802 (2010)", 0.33, 0.128, -0.3, (0.15, 0.38),
    ),
    _fese(),
)  # fmt: skip
