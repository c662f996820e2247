"""Entries of the table of materials whose kernels need a lattice or a superconducting gap.

Densities of normal crystals are those of one spin, of superconductors those of both.
"""

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate import continuum, crystals
from qpi_kernel.simulate.continuum import HBAR2_2M_EV_NM2
from qpi_kernel.simulate.impurity import Impurity, impurity_kernel
from qpi_kernel.simulate.material import Material
from qpi_kernel.simulate.superconductor import (
    d_wave,
    nambu,
    nambu_kernel,
    s_plus_minus,
    scalar_impurity,
)
from qpi_kernel.simulate.tight_binding import TightBinding, honeycomb_lattice

Floats = npt.NDArray[np.float64]

BI2212_GAP_EV = 0.025
PNICTIDE_GAP_EV = 0.010
# Semi-axes of the hole ellipse differ by two.
FESE_MASS = (-1.5, -6.0)
FESE_TOP_EV = 0.010


def _crystal(
    name: str,
    description: str,
    source: str,
    model: TightBinding,
    energies_eV: tuple[float, float],
    *,
    potential_eV: float,
    broadening_eV: float,
    wannier_nm: float,
    direction: tuple[float, float] = (1.0, 0.0),
    reach: float = 12.0,
    tip: npt.ArrayLike | None = None,
    ring_narrows: bool = False,
) -> Material:
    """Make the entry of a crystal with a scatterer on orbital 0; its ring is 2 k(E)."""
    impurity = Impurity(((0, 0, 0),), np.array([[potential_eV]], dtype=np.complex128))

    def kernel(y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
        return impurity_kernel(
            model, impurity, y_nm, x_nm, energy_eV,
            broadening_eV=broadening_eV, wannier_nm=wannier_nm, tip=tip,
        )  # fmt: skip

    def ring_q(energy_eV: float) -> float:
        return 2 * crystals.contour_k(model, energy_eV, direction, reach)

    return Material(
        name, description, source, kernel, ring_q, energies_eV, ring_narrows=ring_narrows
    )


def _honeycomb(
    name: str,
    description: str,
    source: str,
    energies_eV: tuple[float, float],
    *,
    a_nm: float,
    t_eV: float,
    mass_eV: float,
    broadening_eV: float,
) -> Material:
    """Make the entry of a honeycomb with a scatterer on A; its rings are q = 2 k about G and K."""
    model = honeycomb_lattice(a_nm, t_eV, mass_eV)
    impurity = Impurity(((0, 0, 0),), np.array([[3 * abs(t_eV)]], dtype=np.complex128))

    def kernel(y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
        return impurity_kernel(
            model, impurity, y_nm, x_nm, energy_eV,
            broadening_eV=broadening_eV, wannier_nm=0.3 * a_nm, cells=768,
        )  # fmt: skip

    def ring_q(energy_eV: float) -> float:
        velocity = np.sqrt(3) / 2 * abs(t_eV) * a_nm
        square = energy_eV**2 - mass_eV**2
        return float(2 * np.sqrt(square) / velocity) if square > 0 else float("nan")

    return Material(name, description, source, kernel, ring_q, energies_eV, site_inversion=False)


def _bi2212_superconducting(y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
    return nambu_kernel(
        nambu(crystals.bi2212(), d_wave(BI2212_GAP_EV)), scalar_impurity(0.1), y_nm, x_nm,
        energy_eV, broadening_eV=0.002, wannier_nm=0.15,
    )  # fmt: skip


def _pnictide_superconducting(y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
    return nambu_kernel(
        _superconducting_pnictide(), scalar_impurity(0.2, 0, 2), y_nm, x_nm, energy_eV,
        broadening_eV=0.004, wannier_nm=0.15, tip=np.eye(2), cells=320,
    )  # fmt: skip


def _superconducting_pnictide() -> TightBinding:
    return nambu(crystals.pnictide(), s_plus_minus(PNICTIDE_GAP_EV, 2))


def _fese(y_nm: Floats, x_nm: Floats, energy_eV: float) -> Floats:
    return continuum.parabolic_kernel(
        y_nm[:, None], x_nm[None, :], energy_eV,
        mass=FESE_MASS, edge_eV=FESE_TOP_EV, broadening_eV=0.002,
    )  # fmt: skip


def _fese_ring(energy_eV: float) -> float:
    square = FESE_MASS[0] * (energy_eV - FESE_TOP_EV) / HBAR2_2M_EV_NM2
    return float(2 * np.sqrt(square)) if square > 0 else float("nan")


CRYSTAL_MATERIALS = (
    _honeycomb(
        "graphene", "graphene, strong scatterer on one sublattice; ring of one valley",
        "Mallet et al., PRB 86, 045444 (2012)", (0.05, 0.5),
        a_nm=0.246, t_eV=-2.8, mass_eV=0.0, broadening_eV=0.015,
    ),
    _honeycomb(
        "gapped-honeycomb", "honeycomb with two kinds of sites, gap 0.2 eV", "toy model",
        (0.12, 0.6), a_nm=0.32, t_eV=-1.1, mass_eV=0.1, broadening_eV=0.010,
    ),
    _crystal(
        "bi2212", "Bi2Sr2CaCu2O8, normal state; ring along the zone diagonal",
        "Norman et al., PRB 52, 615 (1995)", crystals.bi2212(), (-0.2, 0.1),
        potential_eV=0.1, broadening_eV=0.005, wannier_nm=0.15, direction=(1.0, 1.0),
    ),
    Material(
        "bi2212-sc", "Bi2Sr2CaCu2O8, d-wave gap of 25 meV; ring is the octet vector q1",
        "Norman et al., PRB 52, 615 (1995); Hoffman et al., Science 297, 1148 (2002)",
        _bi2212_superconducting,
        lambda energy_eV: 2 * crystals.octet_tip(abs(energy_eV), BI2212_GAP_EV)[0],
        (0.004, 0.022), ring_narrows=True,
    ),
    _crystal(
        "sr2ruo4", "Sr2RuO4, gamma band without reconstruction; ring along the zone diagonal",
        "parameters of Ludwig.jl", crystals.sr2ruo4(), (-0.1, 0.06),
        potential_eV=0.3, broadening_eV=0.003, wannier_nm=0.15, direction=(1.0, 1.0),
    ),
    _crystal(
        "nbse2", "2H-NbSe2, inner Nb barrel without the charge order",
        "Rahn et al., PRB 85, 224532 (2012)", crystals.nbse2(1), (-0.1, 0.1),
        potential_eV=0.3, broadening_eV=0.010, wannier_nm=0.13, ring_narrows=True,
    ),
    Material(
        "fese", "FeSe toy: nematic hole ellipse", "after Sprau et al., Science 357, 75 (2017)",
        _fese, _fese_ring, (-0.03, 0.005), ring_narrows=True,
    ),
    _crystal(
        "pnictide", "iron pnictide (NaFeAs), scatterer in the xz orbital: twofold",
        "Raghu et al., PRB 77, 220503 (2008)", crystals.pnictide(), (-0.05, 0.05),
        potential_eV=0.2, broadening_eV=0.005, wannier_nm=0.15, tip=np.eye(2), ring_narrows=True,
    ),
    Material(
        "pnictide-sc", "the same with the s+- gap 10 meV cos kx cos ky",
        "Raghu et al., PRB 77, 220503 (2008); gap: toy", _pnictide_superconducting,
        lambda energy_eV: 2 * crystals.contour_k(
            _superconducting_pnictide(), energy_eV, (1.0, 0.0), 8.0
        ),
        (0.012, 0.04), ring_narrows=True,
    ),
    _crystal(
        "kagome", "kagome toy of CsV3Sb5, van Hove point at the Fermi level", "toy model",
        crystals.kagome(), (-0.7, 0.3),
        potential_eV=1.0, broadening_eV=0.015, wannier_nm=0.15,
    ),
)  # fmt: skip
