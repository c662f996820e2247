"""Entries of the table of materials with an order of their own: superconductors, charge order.

Densities of superconductors are those of both spins, of the others those of one.
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate import crystals, multiband
from qpi_kernel.simulate.charge_order import Cell, charge_ordered
from qpi_kernel.simulate.crystal_materials import (
    ALONG_Y,
    Vectors,
    backscattering,
    lifeas_vectors,
    on_site,
    pnictide_vectors,
)
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.material import Crystal, Defect, Material
from qpi_kernel.simulate.superconductor import (
    bond_pair_impurity,
    d_wave,
    magnetic_impurity,
    nambu,
    pair_impurity,
    s_plus_minus,
    scalar_impurity,
)
from qpi_kernel.simulate.tight_binding import Hopping, TightBinding

BI2212_GAP_EV = 0.025
PNICTIDE_GAP_EV = 0.010
CECOIN5_GAP_EV = 0.00055
# On h1, h2, h3 and the electron pocket, which has the other sign.
LIFEAS_GAPS_EV = (0.006, 0.005, 0.0025, -0.0035)


def _in_lifeas(particle: npt.ArrayLike, potential_eV: float) -> Impurity:
    """Return a scatterer between all bands of LiFeAs, with its matrix in electrons and holes."""
    between = potential_eV * np.outer(multiband.LIFEAS_WEIGHTS, multiband.LIFEAS_WEIGHTS)
    return on_site(np.kron(np.asarray(particle), between), *range(2 * len(between)))


def octet(normal: TightBinding, energy_eV: float, gap_eV: float) -> Vectors:
    """Return the vectors between the eight tips of a d-wave contour, q1 first [1/nm]."""
    kx, ky = crystals.octet_tip(abs(energy_eV), gap_eV, normal)
    return {
        "q1": (2 * kx, 0.0),
        "q2": (kx + ky, ky - kx),
        "q3": (kx + ky, kx + ky),
        "q4": (2 * kx, 2 * ky),
        "q5": (0.0, 2 * ky),
        "q6": (ky - kx, kx + ky),
        "q7": (ky - kx, kx - ky),
    }


def _bi2212() -> Material:
    normal = crystals.bi2212()
    crystal = Crystal(nambu(normal, d_wave(BI2212_GAP_EV)), broadening_eV=0.002, wannier_nm=0.15)
    scatterers = {
        "scalar": crystal.defect(scalar_impurity(0.1), "C4v"),
        "magnetic": crystal.defect(magnetic_impurity(0.1), "C4v"),
        "pair": crystal.defect(pair_impurity(0.02), "C2v"),
        "bond-pair": crystal.defect(bond_pair_impurity(0.02), "C4v"),
    }
    return Material(
        "bi2212-sc", "Bi2Sr2CaCu2O8, d-wave gap of 25 meV; ring is the octet vector q1",
        "Norman et al., PRB 52, 615 (1995); Hoffman et al., Science 297, 1148 (2002)",
        scatterers, lambda energy_eV: octet(normal, energy_eV, BI2212_GAP_EV),
        (-0.022, 0.022), crystal=crystal,
    )  # fmt: skip


def _cecoin5() -> Material:
    normal = multiband.cecoin5()
    crystal = Crystal(
        nambu(normal, d_wave(CECOIN5_GAP_EV, 2)), broadening_eV=0.00006, wannier_nm=0.18,
        cells=400,
    )  # fmt: skip
    scatterers = {
        "scalar": crystal.defect(scalar_impurity(0.1, 0, 2), "C4v"),
        "kondo-hole": crystal.defect(scalar_impurity(1.0, 1, 2), "C4v"),
        "magnetic": crystal.defect(magnetic_impurity(0.01, 1, 2), "C4v"),
    }
    return Material(
        "cecoin5-sc", "CeCoIn5 toy, d-wave gap of 0.55 meV in the heavy bands; ring is q1",
        "toy after Allan et al., Nat. Phys. 9, 468 (2013)", scatterers,
        lambda energy_eV: octet(normal, energy_eV, CECOIN5_GAP_EV), (-0.0005, 0.0005),
        crystal=crystal,
    )  # fmt: skip


def _pnictide() -> Material:
    model = nambu(crystals.pnictide(), s_plus_minus(PNICTIDE_GAP_EV, 2))
    crystal = Crystal(
        model,
        broadening_eV=0.004,
        wannier_nm=0.15,
        tip=np.eye(2),
        cells=320,
    )
    scatterers = {
        "on-xz": crystal.defect(scalar_impurity(0.2, 0, 2), "C2v"),
        "on-yz": crystal.defect(scalar_impurity(0.2, 1, 2), "C2v"),
        "magnetic": crystal.defect(magnetic_impurity(0.2, 0, 2), "C2v"),
        "pair": crystal.defect(pair_impurity(0.02, 0, 2), "C2v"),
    }
    return Material(
        "pnictide-sc", "the same with the s+- gap 10 meV cos kx cos ky",
        "Raghu et al., PRB 77, 220503 (2008); gap: toy", scatterers,
        partial(pnictide_vectors, model),
        (-0.04, 0.04), crystal=crystal,
    )  # fmt: skip


def _lifeas() -> Material:
    pairing = tuple(Hopping((0, 0), m, m, gap) for m, gap in enumerate(LIFEAS_GAPS_EV))
    crystal = Crystal(
        nambu(multiband.lifeas(), pairing), broadening_eV=0.0015, wannier_nm=0.15, cells=240,
        tip=np.outer(multiband.LIFEAS_WEIGHTS, multiband.LIFEAS_WEIGHTS),
    )  # fmt: skip
    scatterers = {
        "scalar": crystal.defect(_in_lifeas([[1, 0], [0, -1]], 0.1), "C4v"),
        "magnetic": crystal.defect(_in_lifeas(np.eye(2), 0.1), "C4v"),
        "pair": crystal.defect(_in_lifeas([[0, 1], [1, 0]], 0.01), "C4v"),
    }

    def vectors(energy_eV: float) -> Vectors:
        # The outer pocket where its normal band has +-sqrt(E^2 - gap^2); waves at E > 0 are mostly
        # electrons.
        beyond = energy_eV**2 - LIFEAS_GAPS_EV[2] ** 2
        if beyond < 0:
            return {}
        normal = np.copysign(np.sqrt(beyond), energy_eV)
        rings = {"2k h3": lifeas_vectors(normal), "2k h3, holes": lifeas_vectors(-normal)}
        return {name: ring["2k h3"] for name, ring in rings.items() if "2k h3" in ring}

    return Material(
        "lifeas-sc", "LiFeAs toy with s+- gaps of 6, 5, 2.5 and -3.5 meV",
        "toy after Allan et al., Science 336, 563 (2012)", scatterers, vectors, (-0.02, 0.02),
        crystal=crystal,
    )  # fmt: skip


def _charge_ordered(
    name: str,
    description: str,
    source: str,
    normal: TightBinding,
    cell: Cell,
    amplitude_eV: npt.ArrayLike,
    energies_eV: tuple[float, float],
    *,
    broadening_eV: float,
    wannier_nm: float,
    potentials: dict[str, Impurity],
    symmetry: str,
) -> Material:
    """Make the entry of a crystal with triple-q order; its ring is that of the bands without."""
    model = charge_ordered(normal, cell, amplitude_eV)
    small_cells = model.orbital_count // normal.orbital_count
    crystal = Crystal(
        model, broadening_eV, wannier_nm,
        tip=np.kron(np.ones((small_cells, small_cells)), np.eye(normal.orbital_count)),
    )  # fmt: skip
    scatterers: dict[str, Defect] = {
        key: crystal.defect(impurity, symmetry) for key, impurity in potentials.items()
    }

    def vectors(energy_eV: float) -> Vectors:
        first = model.reciprocal[1]
        return {
            "2k": backscattering(normal, energy_eV, ALONG_Y),
            "charge order": (float(first[0]), float(first[1])),
        }

    return Material(name, description, source, scatterers, vectors, energies_eV, crystal=crystal)


ORDERED_MATERIALS = (
    _bi2212(),
    _cecoin5(),
    _pnictide(),
    _lifeas(),
    _charge_ordered(
        "nbse2-cdw", "2H-NbSe2, inner Nb barrel with 3 x 3 charge order; ring of the normal state",
        "Rahn et al., PRB 85, 224532 (2012); order: toy", crystals.nbse2(1), ((3, 0), (0, 3)),
        [[-0.020]], (-0.1, 0.1), broadening_eV=0.010, wannier_nm=0.13,
        potentials={"scalar": on_site(0.3, 0)}, symmetry="C6v",
    ),
    _charge_ordered(
        "tise2", "1T-TiSe2 toy with 2 x 2 charge order; ring of its holes without it",
        "toy", multiband.tise2(), ((2, 0), (0, 2)), [[0.0, 0.04], [0.04, 0.0]], (-0.35, -0.02),
        broadening_eV=0.012, wannier_nm=0.13,
        potentials={
            "scalar": on_site(0.5, 0, 1), "on-se": on_site(0.5, 0), "on-ti": on_site(0.5, 1)
        },
        symmetry="C6v",
    ),
    _charge_ordered(
        "tas2", "1T-TaS2 toy with sqrt 13 x sqrt 13 charge order; ring of the normal state",
        "toy", multiband.tas2(), ((3, 1), (-1, 4)), [[-0.04]], (-0.35, 0.2),
        broadening_eV=0.015, wannier_nm=0.12, potentials={"scalar": on_site(0.5, 0)},
        symmetry="C6",
    ),
)  # fmt: skip
