"""Maps of many scatterers with the truth beside them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from scipy.spatial import cKDTree

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.errors import QpiError
from qpi_kernel.maps import make_map
from qpi_kernel.progress import Progress, Steps, drained, scaled
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.settings import to_dict
from qpi_kernel.simulate.material import Defect
from qpi_kernel.simulate.materials import MATERIALS, Material, find_material
from qpi_kernel.simulate.measurement import Measurement, iter_measured_kernel
from qpi_kernel.simulate.multiple_scattering import foldy_lax
from qpi_kernel.simulate.nuisance import (
    Nuisance,
    Realism,
    find_nuisance,
    second_tip,
    spoiled,
    tip_path,
)
from qpi_kernel.simulate.placing import draw_scatterers, of_species, on_lattice

Floats = npt.NDArray[np.float64]

# Cores, which outshine the ripples, are left out of the signal-to-noise ratio.
CORE_PX = 3.0


@dataclass(frozen=True)
class SimulatedMap:
    """A map and everything that made it.

    Parameters
    ----------
    didv, clean : xarray.DataArray, (bias, y, x)
        The map with noise and nuisances, and the ripples alone, as scanned [a.u.]; the ripples
        have variance 1.
    kernels : tuple of xarray.DataArray, (bias, y, x)
        True kernel of each species on a window centred on the scatterer, pixels as in the map
        [a.u.].
    scatterers : Scatterers
        All of them, with weights and species; some lie outside the map.
    noise : array, shape (bias,)
        Standard deviation of the white noise [a.u.].
    ring_q : array, shape (bias,)
        Wave vector of the ring by the dispersion of the material [1/nm].
    """

    didv: xr.DataArray
    clean: xr.DataArray
    kernels: tuple[xr.DataArray, ...]
    scatterers: Scatterers
    noise: npt.NDArray[np.float64]
    ring_q: npt.NDArray[np.float64]

    @property
    def kernel(self) -> xr.DataArray:
        """True kernel of the first species, (bias, y, x) [a.u.]."""
        return self.kernels[0]


def iter_simulate_map(
    material: str | Material,
    *,
    bias_mV: Sequence[float],
    size_nm: float,
    pixels: int,
    scatterers: int | Scatterers = 20,
    snr: float = 10.0,
    weight_spread: float = 0.15,
    seed: int = 0,
    multiple_scattering: bool = False,
    nuisance: Nuisance | Realism = "clean",
    species: Sequence[str | None] = (None,),
    mean_weights: Sequence[float] | None = None,
    lattice_sites: bool = False,
    temperature_K: float = 0.0,
    modulation_mV: float = 0.0,
    setpoint_bias_mV: float | None = None,
    tip_nm: float = 0.0,
) -> Steps[SimulatedMap]:
    """Simulate a square map of many scatterers.

    Kernels add up, as extraction assumes, unless `multiple_scattering` lets waves visit several
    scatterers. All settings stand as JSON in ``attrs["simulation"]`` of the maps.

    Parameters
    ----------
    material : str or Material
    bias_mV : sequence of float
        Sample biases [mV]; all slices share the scatterers.
    size_nm : float
        Side of the map [nm].
    pixels : int
        Pixels along each side.
    scatterers : int or Scatterers
        Number in the map (as many again per area stand in a margin outside), or the scatterers,
        whose species count from 0.
    snr : float
        Variance of the clean map outside 3 px of any scatterer over the variance of the white
        noise; inf for none.
    weight_spread : float
        Standard deviation of the weights about 1.
    seed : int
    multiple_scattering : bool
        Solve the Foldy-Lax equations; for materials with one parabolic band.
    nuisance : Nuisance or {"clean", "lab", "hard"}
        What else a real scan shows. The same seed gives the same scatterers and white noise; drift
        moves the scatterers in the map, and they are returned as they appear.
    species : sequence of str or None
        Kind of scatterer of each species, of those in `Material.scatterers`; None is the usual one.
        Scatterers that are drawn are of all species alike.
    mean_weights : sequence of float, optional
        Mean weight of each species, with sign; 1 if not given.
    lattice_sites : bool
        Let drawn scatterers stand at their sites of the crystal's lattice, which lies under the map
        at a random offset; for materials with a crystal.
    temperature_K, modulation_mV, setpoint_bias_mV, tip_nm
        As in `simulate_kernel`.

    Raises
    ------
    QpiError
        If a size is not positive, a bias lies where the material has no states, the scatterers do
        not fit into the map, a species is not known or has no weight, multiple scattering or
        lattice sites are not known for the material or there is no preset of that name.
    """
    if not (size_nm > 0 and pixels >= 16 and snr > 0):
        raise QpiError(
            f"a map needs a size > 0 nm, at least 16 pixels and an SNR > 0; got {size_nm} nm,"
            f" {pixels} pixels, SNR {snr}"
        )
    count = len(scatterers) if isinstance(scatterers, Scatterers) else scatterers
    if count < 1:
        raise QpiError(f"a map needs at least one scatterer, got {count}")
    chosen = find_material(material) if isinstance(material, str) else material
    biases = sorted(float(bias) for bias in bias_mV)
    _check_biases(chosen, biases)
    defects = [chosen.scatterer(name) for name in species]
    weights = [1.0] * len(species) if mean_weights is None else list(mean_weights)
    if not species or len(weights) != len(species):
        raise QpiError(f"{len(species)} species need as many mean weights, got {len(weights)}")
    if multiple_scattering and chosen.band is None:
        known = ", ".join(name for name, entry in MATERIALS.items() if entry.band)
        raise QpiError(f"multiple scattering is not known for {chosen.name}; it is for {known}")
    if multiple_scattering and len(species) > 1:
        raise QpiError(f"multiple scattering is known for one species, not for {len(species)}")
    measurement = Measurement(temperature_K, modulation_mV, setpoint_bias_mV, tip_nm)
    scan = find_nuisance(nuisance)
    pixel_nm = float(size_nm) / pixels
    rng = np.random.default_rng(seed)
    axis = (np.arange(pixels) + 0.5) * pixel_nm
    if isinstance(scatterers, Scatterers):
        points = scatterers
        if points.species.min() < 0 or points.species.max() >= len(species):
            raise QpiError(
                f"species {points.species.max()} of the scatterers is none of the {len(species)}"
                " that are simulated, which count from 0"
            )
    else:
        points = draw_scatterers(rng, scatterers, size_nm, pixel_nm, weight_spread)
        placing = np.random.default_rng([seed, *b"placing"])
        points = of_species(placing, points, weights)
        if lattice_sites:
            lattice_nm, sites_nm = _sites(chosen, defects)
            points = on_lattice(placing, points, lattice_nm, sites_nm)

    # The kernel reaches across the whole map: its window is twice as wide.
    reach = np.arange(-pixels, pixels + 1.0) * pixel_nm
    # Beside the kernels all else takes no time.
    parts = np.linspace(0.0, 0.9, len(defects) + multiple_scattering + 1)
    kernels = []
    for defect, start, stop in zip(defects, parts, parts[1:], strict=False):
        steps = iter_measured_kernel(defect.kernel, reach, reach, biases, measurement)
        kernels.append((yield from scaled(steps, start, stop)))
    path, ghost = tip_path(scan, pixels), second_tip(scan, pixel_nm, seed)
    margin = path.margin_px + (int(np.ceil(np.abs(ghost).max())) + 3 if any(ghost) else 0)
    places = ((points.xy_nm - axis[0]) / pixel_nm)[:, ::-1].copy()
    # The canvas is periodic: what stands beyond the reach of the kernel would come in elsewhere.
    near = np.all((places > -pixels) & (places < 2 * pixels), axis=1)
    if multiple_scattering and chosen.band is not None:
        wide_axis = (np.arange(float(-margin), pixels + margin) + 0.5) * pixel_nm
        together = partial(
            foldy_lax, band=chosen.band, xy_nm=points.xy_nm[near], weight=points.weight[near]
        )
        steps = iter_measured_kernel(together, wide_axis, wide_axis, biases, measurement)
        wide = yield from scaled(steps, parts[-2], parts[-1])
    else:
        yield Progress(0.9, "adding up the scatterers")
        wide = np.sum(
            [
                _add_up(
                    kernel, places + margin, points.weight * near * (points.species == number),
                    pixels + 2 * margin,
                )
                for number, kernel in enumerate(kernels)
            ],
            axis=0,
        )  # fmt: skip
    clean = path.sample(wide, margin)
    if path.margin_px:
        places = path.as_scanned(places)
        xy_nm = axis[0] + places[:, ::-1] * pixel_nm
        points = Scatterers(xy_nm, points.weight, points.species, points.confidence)

    scale = _ripple_scale(clean, places) if near.any() else np.zeros((1, 1, 1))
    if not scale.all():
        raise QpiError("the scatterers leave no ripples in the map; move them closer")
    clean = clean / scale
    ring_q = np.array([chosen.ring_q(bias / 1e3) for bias in biases])
    noise = np.full(len(clean), snr**-0.5)
    seen = clean
    if any(ghost):
        seen = clean + scan.double_tip * path.sample(wide, margin, ghost) / scale
    noisy = spoiled(scan, seen, pixel_nm, seed, places=places, ring_q=ring_q)
    noisy = noisy + noise[:, None, None] * rng.normal(size=clean.shape)
    settings = {
        "material": chosen.name, "species": list(species), "mean_weights": weights,
        "size_nm": size_nm, "pixels": pixels, "snr": snr, "weight_spread": weight_spread,
        "seed": seed, "multiple_scattering": multiple_scattering, "lattice_sites": lattice_sites,
        "measurement": asdict(measurement), "nuisance": to_dict(scan),
    }  # fmt: skip
    attrs = {
        "material": chosen.name, "source": f"simulated {chosen.name}", "seed": seed,
        "simulation": json.dumps(settings),
    }  # fmt: skip

    def as_map(values: Floats, name: str, along: npt.ArrayLike = axis) -> xr.DataArray:
        return make_map(
            values, bias_mV=biases, y_nm=along, x_nm=along, units="a.u.", name=name, attrs=attrs
        )

    return SimulatedMap(
        as_map(noisy, "dI/dV"),
        as_map(clean, "dI/dV without noise"),
        tuple(as_map(kernel / scale, "kernel", reach) for kernel in kernels),
        points,
        noise,
        ring_q,
    )


simulate_map = drained(iter_simulate_map)


def _check_biases(material: Material, biases: Sequence[float]) -> None:
    if not biases:
        raise QpiError("a map needs at least one bias")
    for bias in biases:
        low, high = material.energies_eV
        if not material.holds_at(bias / 1e3):
            raise QpiError(
                f"{material.name} is known from {1e3 * low:g} to {1e3 * high:g} mV;"
                f" {bias:g} mV lies outside"
            )


def _sites(material: Material, defects: Sequence[Defect]) -> tuple[Floats, list[Floats]]:
    """Return the lattice of a material and where in its cell its scatterers have their origin."""
    if material.crystal is None:
        raise QpiError(f"{material.name} has no lattice for its scatterers to stand on")
    model, sites = material.crystal.model, []
    for defect in defects:
        on = [(0, 0, 0)] if defect.impurity is None else defect.impurity.sites
        places = [np.array(site[:2]) @ model.lattice_nm + model.orbitals_nm[site[2]] for site in on]
        sites.append(np.asarray(np.mean(places, axis=0)))
    return model.lattice_nm, sites


def _ripple_scale(clean: Floats, places: Floats) -> Floats:
    """Return the standard deviation of each slice outside the cores, (bias, 1, 1)."""
    rows, columns = np.indices(clean.shape[1:])
    distance, _ = cKDTree(places).query(np.column_stack([rows.ravel(), columns.ravel()]))
    ripples = clean.reshape(len(clean), -1)[:, distance > CORE_PX]
    if ripples.shape[1] < 16:
        raise QpiError("the scatterers leave no pixel without a core; ask for fewer")
    return np.asarray(ripples.std(axis=1)[:, None, None])


def _add_up(kernel: Floats, places: Floats, weight: Floats, pixels: int) -> Floats:
    geometry = Geometry(pixels, pixels, kernel.shape[-1])
    spectrum = activation_spectrum(geometry, torch.as_tensor(places), torch.as_tensor(weight))
    added = convolve(geometry, spectrum, torch.as_tensor(kernel))
    return np.asarray(added.numpy())
