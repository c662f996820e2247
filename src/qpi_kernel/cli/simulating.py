"""Commands that simulate: a map of a known material, the list of materials, a public data set."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from qpi_kernel.cli.arguments import Biases, Out
from qpi_kernel.cli.running import say, watched


def simulate(
    *,
    material: str,
    bias: Biases,
    size: float,
    pixels: int,
    out: Annotated[Path, Parameter(help="FILE.npz or FILE.nc.")],
    scatterers: int = 20,
    species: str | None = None,
    lattice_sites: Annotated[bool, Parameter(negative=())] = False,
    snr: float = 10.0,
    seed: int = 0,
    realism: Literal["clean", "lab", "hard"] = "clean",
    multiple_scattering: Annotated[bool, Parameter(negative=())] = False,
    temperature: float = 0.0,
    modulation: float = 0.0,
    setpoint: float | None = None,
    tip: float = 0.0,
) -> None:
    """Simulate a map of many scatterers, and write it together with the truth.

    Parameters
    ----------
    material
        One of those that `materials` lists.
    size
        Width of the square map [nm].
    pixels
        Pixels along each side.
    scatterers
        How many.
    species
        Their kinds, of those that `materials` lists, with commas between; by default the first.
    lattice_sites
        Let them stand on the sites of the lattice.
    snr
        Variance of the signal away from the scatterers / variance of the white noise.
    seed
        Seed of all random numbers.
    realism
        What else the scan shows: nothing, or drift, 1/f noise, hum, row offsets, spikes, background
        and lattice as in a good ("lab") or a bad ("hard") map.
    multiple_scattering
        Let waves visit several scatterers; for materials with one parabolic band.
    temperature
        Temperature of the tip [K].
    modulation
        Lock-in modulation V_rms [mV].
    setpoint
        Bias at which the height of the tip was set [mV]; without it the height is constant.
    tip
        Radius of the tip [nm].
    """
    from qpi_kernel.export.simulation import write_simulation
    from qpi_kernel.simulate import simulate_map

    simulated = simulate_map(
        material,
        bias_mV=list(bias),
        size_nm=size,
        pixels=pixels,
        scatterers=scatterers,
        species=(None,) if species is None else [name.strip() for name in species.split(",")],
        lattice_sites=lattice_sites,
        snr=snr,
        seed=seed,
        nuisance=realism,
        multiple_scattering=multiple_scattering,
        temperature_K=temperature,
        modulation_mV=modulation,
        setpoint_bias_mV=setpoint,
        tip_nm=tip,
    )
    write_simulation(simulated, out)
    say(f"wrote {out}")


def materials() -> None:
    """List the materials that can be simulated, one a line, the name first."""
    from qpi_kernel.simulate import MATERIALS

    for material in MATERIALS.values():
        low, high = (1e3 * energy for energy in material.energies_eV)
        say(
            f"{material.name:<17}{material.description}, {low:g} to {high:g} mV;"
            f" scatterers: {', '.join(material.scatterers)}"
        )


def public_set(*, out: Out, recipe: Path | None = None) -> None:
    """Write a simulated data set in the layout of the public QPI data set, one file per kernel.

    Called again with the same folder, it goes on where it stopped.

    Parameters
    ----------
    recipe
        A .toml or .json file (families, kernels, observations, pixels, half_field_nm, scatterers,
        seed); by default a set of the size of the public one, of all families.
    """
    from qpi_kernel.export.public_csv import PublicSetSettings, iter_write_public_set
    from qpi_kernel.settings import load

    chosen = load(PublicSetSettings, recipe) if recipe else PublicSetSettings()
    paths = watched(iter_write_public_set(chosen, out))
    say(f"wrote {len(paths)} kernels with {chosen.observations} maps each to {out}")
