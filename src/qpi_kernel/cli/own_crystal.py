"""Simulated maps of a crystal that a file of hoppings describes."""

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from qpi_kernel.cli.arguments import Biases, Lattice, Places
from qpi_kernel.cli.running import say
from qpi_kernel.errors import QpiError


def simulate_crystal(
    file: Path,
    /,
    *,
    lattice: Lattice,
    bias: Biases,
    size: float,
    pixels: int,
    out: Annotated[Path, Parameter(help="FILE.npz or FILE.nc.")],
    orbitals: Places = None,
    lobes: str = "",
    spins: int = 1,
    kz: float | None = None,
    fermi: float = 0.0,
    broadening: float = 5.0,
    wannier: float = 0.15,
    potential: float = 0.2,
    orbital: int = 0,
    scatterers: int = 20,
    snr: float = 10.0,
    seed: int = 0,
) -> None:
    """Simulate a map of your own crystal, and write it together with the truth.

    Parameters
    ----------
    file
        `_hr.dat` of Wannier90, or lines rx,ry,rz,a,b,Re,Im in eV.
    size
        Width of the square map [nm].
    pixels
        Pixels along each side.
    lobes
        Form of every orbital from above, with commas between: s, px, py, dxy or dx2-y2.
    spins
        2 where the second half of the orbitals has spin down.
    kz
        For crystals whose orbitals hop between layers: where to cut, in 2 pi / c.
    fermi
        Fermi level [eV].
    broadening
        Half width of the states [meV].
    wannier
        Width of the Wannier functions [nm].
    potential
        Strength of the scatterers [eV].
    orbital
        The orbital they change, counted from 0.
    scatterers
        How many.
    snr
        Variance of the signal away from the scatterers / variance of the white noise.
    seed
        Seed of all random numbers.
    """
    from qpi_kernel.export.simulation import write_simulation
    from qpi_kernel.simulate import crystal_material, read_hoppings, simulate_map

    if orbitals is not None and len(orbitals) % 2:
        raise QpiError(f"places are pairs X,Y with commas between, got {len(orbitals)} numbers")
    model = read_hoppings(
        file,
        lattice_nm=np.reshape(lattice, (2, 2)),
        orbitals_nm=None if orbitals is None else np.reshape(orbitals, (-1, 2)),
        lobes=[lobe.strip() for lobe in lobes.split(",") if lobe.strip()],
        spins=spins,
        fermi_eV=fermi,
        kz=kz,
    )
    material = crystal_material(
        model,
        name=file.stem,
        broadening_eV=broadening / 1e3,
        wannier_nm=wannier,
        potential_eV=potential,
        orbital=orbital,
    )
    simulated = simulate_map(
        material,
        bias_mV=list(bias),
        size_nm=size,
        pixels=pixels,
        scatterers=scatterers,
        snr=snr,
        seed=seed,
    )
    write_simulation(simulated, out)
    say(f"wrote {out}")
