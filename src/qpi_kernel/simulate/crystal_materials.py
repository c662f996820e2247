"""Entries of the table of materials that need a lattice: normal crystals.

Densities are those of one spin.
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from qpi_kernel.simulate import crystals, multiband
from qpi_kernel.simulate.impurity import Impurity
from qpi_kernel.simulate.material import Crystal, Material
from qpi_kernel.simulate.tight_binding import (
    TightBinding,
    honeycomb_lattice,
    square_lattice,
    triangular_lattice,
)

Direction = tuple[float, float]
Vectors = dict[str, Direction]

ALONG_X, ALONG_Y, DIAGONAL = (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)


def on_site(potential_eV: npt.ArrayLike, *orbitals: int) -> Impurity:
    """Return V on orbitals of the cell at the origin: a number for each, or a matrix."""
    potential = np.asarray(potential_eV, dtype=np.complex128)
    matrix = potential * np.eye(len(orbitals)) if potential.ndim == 0 else potential
    return Impurity(tuple((0, 0, orbital) for orbital in orbitals), matrix)


def backscattering(
    model: TightBinding,
    energy_eV: float,
    direction: Direction,
    reach: float = 12.0,
    origin: Direction = (0.0, 0.0),
) -> Direction:
    """Return 2 k of the innermost contour along a direction [1/nm]; NaN where there is none."""
    along = np.array(direction) / np.hypot(*direction)
    x, y = 2 * crystals.contour_k(model, energy_eV, direction, reach, origin) * along
    return float(x), float(y)


def _one_orbital(
    name: str,
    description: str,
    source: str,
    crystal: Crystal,
    symmetry: str,
    energies_eV: tuple[float, float],
    *,
    potential_eV: float,
    direction: Direction = ALONG_X,
) -> Material:
    """Make the entry of a crystal of one orbital; its ring is 2 k(E) along a direction."""
    dimer = Impurity(((0, 0, 0), (1, 0, 0)), potential_eV * np.eye(2, dtype=np.complex128))
    scatterers = {
        "scalar": crystal.defect(on_site(potential_eV, 0), symmetry),
        "weak": crystal.defect(on_site(0.1 * potential_eV, 0), symmetry),
        "dimer": crystal.defect(dimer, "C2v"),
    }
    return Material(
        name, description, source, scatterers,
        lambda energy_eV: {"2k": backscattering(crystal.model, energy_eV, direction)},
        energies_eV, crystal=crystal,
    )  # fmt: skip


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
    """Make the entry of a honeycomb; its rings are q = 2 k about Gamma and about K."""
    crystal = Crystal(honeycomb_lattice(a_nm, t_eV, mass_eV), broadening_eV, wannier_nm=0.3 * a_nm)
    strong = 3 * abs(t_eV)
    scatterers = {
        "scalar": crystal.defect(on_site(strong, 0), "C3v"),
        "site-b": crystal.defect(on_site(strong, 1), "C3v"),
        "vacancy": crystal.defect(on_site(1e3 * strong, 0), "C3v"),
    }

    def vectors(energy_eV: float) -> Vectors:
        velocity = np.sqrt(3) / 2 * abs(t_eV) * a_nm
        square = energy_eV**2 - mass_eV**2
        ring = float(2 * np.sqrt(square) / velocity) if square > 0 else float("nan")
        valley = 4 * np.pi / (3 * a_nm)
        return {"2k": (ring, 0.0), "K - 2k": (valley - ring, 0.0)}

    return Material(name, description, source, scatterers, vectors, energies_eV, crystal=crystal)


def pnictide_vectors(model: TightBinding, energy_eV: float) -> Vectors:
    """Return 2 k of the holes at Gamma and of the electrons at (0, pi / a), along x."""
    corner = float(np.pi / model.lattice_nm[0, 0])
    electrons = backscattering(model, energy_eV, ALONG_X, corner / 2, (0.0, corner))
    return {
        "2k holes": backscattering(model, energy_eV, ALONG_X, corner),
        "2k electrons": electrons,
    }


def _pnictide() -> Material:
    crystal = Crystal(crystals.pnictide(), broadening_eV=0.005, wannier_nm=0.15, tip=np.eye(2))
    scatterers = {
        "on-xz": crystal.defect(on_site(0.2, 0), "C2v"),
        "on-yz": crystal.defect(on_site(0.2, 1), "C2v"),
        "scalar": crystal.defect(on_site(0.2, 0, 1), "C4v"),
    }
    return Material(
        "pnictide", "iron pnictide (NaFeAs); a scatterer in the xz orbital is twofold",
        "Raghu et al., PRB 77, 220503 (2008)", scatterers,
        partial(pnictide_vectors, crystal.model),
        (-0.05, 0.05), crystal=crystal,
    )  # fmt: skip


def _sr2ruo4_t2g() -> Material:
    # xz and yz have one spin, xy the other.
    crystal = Crystal(
        multiband.sr2ruo4_t2g(),
        broadening_eV=0.003,
        wannier_nm=0.15,
        tip=np.kron(np.eye(2), np.ones((2, 2)))[:3, :3],
    )
    scatterers = {
        "scalar": crystal.defect(on_site(0.3, 0, 1, 2), "C4v"),
        "on-xz": crystal.defect(on_site(0.3, 0), "C2v"),
        "on-xy": crystal.defect(on_site(0.3, 2), "C4v"),
    }

    def vectors(energy_eV: float) -> Vectors:
        corner = np.sqrt(2) * np.pi / 0.387
        found = crystals.contour_crossings(crystal.model, energy_eV, DIAGONAL, corner)
        radii = dict(zip(("2k beta", "2k gamma", "2k alpha"), found, strict=False))
        if "2k alpha" in radii:
            # Its pocket surrounds the corner of the zone.
            radii["2k alpha"] = corner - radii["2k alpha"]
        # The ring of gamma is the brightest.
        order = [band for band in ("2k gamma", "2k beta", "2k alpha") if band in radii]
        return {band: (float(np.sqrt(2) * radii[band]),) * 2 for band in order}

    return Material(
        "sr2ruo4-t2g", "Sr2RuO4, bands alpha, beta, gamma with spin-orbit coupling, without"
        " reconstruction; rings along the zone diagonal",
        "bands of Ludwig.jl, their renormalisations averaged; spin-orbit coupling: toy",
        scatterers, vectors, (-0.05, 0.03), crystal=crystal,
    )  # fmt: skip


def _kagome() -> Material:
    crystal = Crystal(crystals.kagome(), broadening_eV=0.015, wannier_nm=0.15)
    scatterers = {
        "scalar": crystal.defect(on_site(1.0, 0), "C2v"),
        "triangle": crystal.defect(on_site(1.0, 0, 1, 2), "C3v"),
    }
    return Material(
        "kagome", "kagome toy of CsV3Sb5, van Hove point at the Fermi level", "toy", scatterers,
        lambda energy_eV: {"2k": backscattering(crystal.model, energy_eV, ALONG_X)},
        (-0.7, 0.3), crystal=crystal,
    )  # fmt: skip


def _cecoin5() -> Material:
    crystal = Crystal(multiband.cecoin5(), broadening_eV=0.0005, wannier_nm=0.18)
    scatterers = {
        "scalar": crystal.defect(on_site(0.1, 0), "C4v"),
        "kondo-hole": crystal.defect(on_site(1.0, 1), "C4v"),
    }
    return Material(
        "cecoin5", "CeCoIn5 toy: light band hybridised with flat f electrons; ring along the zone"
        " diagonal", "toy after Allan et al., Nat. Phys. 9, 468 (2013)", scatterers,
        lambda energy_eV: {"2k": backscattering(crystal.model, energy_eV, DIAGONAL)},
        (-0.004, 0.012), crystal=crystal,
    )  # fmt: skip


def _lifeas() -> Material:
    between = np.outer(multiband.LIFEAS_WEIGHTS, multiband.LIFEAS_WEIGHTS)
    crystal = Crystal(
        multiband.lifeas(), broadening_eV=0.0015, wannier_nm=0.15, tip=between, cells=240
    )
    scatterers = {
        "scalar": crystal.defect(on_site(0.1 * between, 0, 1, 2, 3), "C4v"),
        "intraband": crystal.defect(on_site(0.1, 0, 1, 2, 3), "C4v"),
    }
    return Material(
        "lifeas", "LiFeAs toy, normal state: three hole pockets and an electron pocket",
        "toy after Allan et al., Science 336, 563 (2012)", scatterers, lifeas_vectors,
        (-0.02, 0.02), crystal=crystal,
    )  # fmt: skip


def lifeas_vectors(energy_eV: float) -> Vectors:
    """Return 2 k of the hole pockets, the outer one first."""
    found = crystals.contour_crossings(multiband.lifeas(), energy_eV, ALONG_X, 5.0)
    names = ("2k h3", "2k h2", "2k h1")
    return {name: (2 * k, 0.0) for name, k in zip(names, found[::-1], strict=False)}


def _square_net(name: str, formula: str, source: str, a_nm: float, sigma_eV: float) -> Material:
    """Make the entry of a nodal-line semimetal; its ring is 2 k across the diamond."""
    model = multiband.square_net(a_nm, sigma_eV, -0.1 * sigma_eV, 0.1)
    crystal = Crystal(model, broadening_eV=0.01, wannier_nm=0.1)
    scatterers = {
        "scalar": crystal.defect(on_site(1.0, 0, 1), "C2v"),
        "site-b": crystal.defect(on_site(1.0, 2, 3), "C2v"),
    }

    def vectors(energy_eV: float) -> Vectors:
        # Of the two contours, inside and outside the diamond, that of the chains is bright; the
        # other is its image by the larger cell.
        found = crystals.contour_crossings(model, energy_eV, DIAGONAL, np.sqrt(2) * np.pi / a_nm)
        chosen = found[:1] if energy_eV > 0 else found[-1:]
        k = float(np.sqrt(2) * chosen[0]) if chosen else float("nan")
        return {"2k": (k, k)}

    return Material(
        name, f"{formula} toy: diamond nodal line of the Si net; ring along the zone diagonal",
        source, scatterers, vectors, (-0.5, 0.4), crystal=crystal,
    )  # fmt: skip


CRYSTAL_MATERIALS = (
    _one_orbital(
        "square", "one orbital on a square lattice, t = -0.1 eV", "toy",
        Crystal(square_lattice(0.4, -0.1), broadening_eV=0.002, wannier_nm=0.16), "C4v",
        (-0.39, 0.39), potential_eV=0.2,
    ),
    _one_orbital(
        "triangular", "one orbital on a triangular lattice, t = -0.1 eV", "toy",
        Crystal(triangular_lattice(0.35, -0.1), broadening_eV=0.003, wannier_nm=0.14), "C6v",
        (-0.59, 0.29), potential_eV=0.3,
    ),
    _honeycomb(
        "graphene", "graphene, strong scatterer on one sublattice; ring of one valley",
        "Mallet et al., PRB 86, 045444 (2012)", (0.05, 0.5),
        a_nm=0.246, t_eV=-2.8, mass_eV=0.0, broadening_eV=0.015,
    ),
    _honeycomb(
        "gapped-honeycomb", "honeycomb with two kinds of sites, gap 0.2 eV", "toy",
        (0.12, 0.6), a_nm=0.32, t_eV=-1.1, mass_eV=0.1, broadening_eV=0.010,
    ),
    _one_orbital(
        "bi2212", "Bi2Sr2CaCu2O8, normal state; ring along the zone diagonal",
        "Norman et al., PRB 52, 615 (1995)",
        Crystal(crystals.bi2212(), broadening_eV=0.005, wannier_nm=0.15), "C4v",
        (-0.2, 0.1), potential_eV=0.1, direction=DIAGONAL,
    ),
    _one_orbital(
        "sr2ruo4", "Sr2RuO4, gamma band without reconstruction; ring along the zone diagonal",
        "parameters of Ludwig.jl",
        Crystal(crystals.sr2ruo4(), broadening_eV=0.003, wannier_nm=0.15), "C4v",
        (-0.1, 0.06), potential_eV=0.3, direction=DIAGONAL,
    ),
    _sr2ruo4_t2g(),
    _one_orbital(
        "nbse2", "2H-NbSe2, inner Nb barrel without the charge order",
        "Rahn et al., PRB 85, 224532 (2012)",
        Crystal(crystals.nbse2(1), broadening_eV=0.010, wannier_nm=0.13), "C6v",
        (-0.1, 0.1), potential_eV=0.3,
    ),
    _pnictide(),
    _lifeas(),
    _cecoin5(),
    _kagome(),
    _square_net("zrsis", "ZrSiS", "toy after Zhu et al., Nat. Commun. 9, 4153 (2018)", 0.354, 0.6),
    _square_net("zrsise", "ZrSiSe", "toy, lattice of ZrSiSe", 0.370, 0.5),
    _square_net("zrsite", "ZrSiTe", "toy, velocities of 0.15 to 0.4 eV nm", 0.369, 0.4),
)  # fmt: skip
