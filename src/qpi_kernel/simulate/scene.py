"""Maps of many scatterers with the truth beside them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from scipy.spatial import cKDTree

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.errors import QpiError, QpiWarning
from qpi_kernel.maps import make_map, pixel_nm
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.simulate.materials import MATERIALS, Material, find_material
from qpi_kernel.simulate.measurement import Measurement, measured_kernel
from qpi_kernel.simulate.multiple_scattering import foldy_lax
from qpi_kernel.simulate.nuisance import (
    Nuisance,
    Realism,
    as_scanned,
    distorted,
    find_nuisance,
    margin_px,
    spoiled,
)

Floats = npt.NDArray[np.float64]

# Cores, which outshine the ripples, are left out of the signal-to-noise ratio.
CORE_PX = 3.0
# Scatterers per pixel; discs of 4 px dropped at random jam at 0.044.
DENSEST = 0.03


@dataclass(frozen=True)
class SimulatedMap:
    """A map and everything that made it.

    Parameters
    ----------
    didv, clean : xarray.DataArray, (bias, y, x)
        The map with noise and nuisances, and the ripples alone, as scanned [a.u.]; the ripples
        have variance 1.
    kernel : xarray.DataArray, (bias, y, x)
        True kernel on a window centred on the scatterer, pixels as in the map [a.u.].
    scatterers : Scatterers
        All of them, with weights; some lie outside the map.
    noise : array, shape (bias,)
        Standard deviation of the white noise [a.u.].
    ring_q : array, shape (bias,)
        Wave vector of the ring by the dispersion of the material [1/nm].
    """

    didv: xr.DataArray
    clean: xr.DataArray
    kernel: xr.DataArray
    scatterers: Scatterers
    noise: npt.NDArray[np.float64]
    ring_q: npt.NDArray[np.float64]


def simulate_kernel(
    material: str | Material,
    *,
    scatterer: str | None = None,
    bias_mV: Sequence[float],
    y_nm: npt.ArrayLike,
    x_nm: npt.ArrayLike,
    temperature_K: float = 0.0,
    modulation_mV: float = 0.0,
    setpoint_bias_mV: float | None = None,
    tip_nm: float = 0.0,
) -> xr.DataArray:
    """Return the kernel of one scatterer at the origin, (bias, y, x) [1/(eV nm^2)].

    Temperature and modulation are those of `thermal_broadening` and `lockin_broadening`, computed
    from as many energies as they need; set point and tip are described at `Measurement` and
    `measured_kernel`. A scatterer is one of those in `Material.scatterers`, by default the first.

    Raises
    ------
    QpiError
        If the material or the scatterer is unknown, there is no bias or an axis has fewer than two
        points.

    Warns
    -----
    QpiWarning
        If the material does not reach to a bias: the kernel is zero there.
    """
    chosen = find_material(material) if isinstance(material, str) else material
    y, x = np.asarray(y_nm, float), np.asarray(x_nm, float)
    if y.size < 2 or x.size < 2 or len(bias_mV) == 0:
        raise QpiError(
            f"a kernel needs at least one bias and 2 x 2 points, got {len(bias_mV)} and"
            f" {y.size} x {x.size}"
        )
    measurement = Measurement(temperature_K, modulation_mV, setpoint_bias_mV, tip_nm)
    defect = chosen.scatterer(scatterer)
    biases = np.asarray(bias_mV, float)
    known = np.array([chosen.holds_at(bias / 1e3) for bias in biases])
    planes = np.zeros((biases.size, y.size, x.size))
    if known.any():
        planes[known] = measured_kernel(defect.kernel, y, x, biases[known], measurement)
    if not known.all():
        low, high = chosen.energies_eV
        beyond = ", ".join(f"{bias:g}" for bias in biases[~known])
        warnings.warn(
            f"{chosen.name} is known from {1e3 * low:g} to {1e3 * high:g} mV: its kernel at"
            f" {beyond} mV is zero",
            QpiWarning,
            stacklevel=2,
        )
    return make_map(
        planes, bias_mV=bias_mV, y_nm=y, x_nm=x, units="1/(eV nm^2)", name="kernel",
        attrs={"material": chosen.name},
    )  # fmt: skip


def simulate_map(
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
) -> SimulatedMap:
    """Simulate a square map of many scatterers.

    Kernels add up, as extraction assumes, unless `multiple_scattering` lets waves visit several
    scatterers.

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
        Number in the map (as many again per area stand in a margin outside), or the scatterers.
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

    Raises
    ------
    QpiError
        If a size is not positive, a bias lies where the material has no states, the scatterers do
        not fit into the map, multiple scattering is not known for the material or there is no
        preset of that name.
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
    for bias in biases:
        low, high = chosen.energies_eV
        if not chosen.holds_at(bias / 1e3):
            raise QpiError(
                f"{chosen.name} is known from {1e3 * low:g} to {1e3 * high:g} mV;"
                f" {bias:g} mV lies outside"
            )
    if multiple_scattering and chosen.band is None:
        known = ", ".join(name for name, entry in MATERIALS.items() if entry.band)
        raise QpiError(f"multiple scattering is not known for {chosen.name}; it is for {known}")
    rng = np.random.default_rng(seed)
    axis = (np.arange(pixels) + 0.5) * size_nm / pixels
    points = (
        scatterers
        if isinstance(scatterers, Scatterers)
        else _draw_scatterers(rng, scatterers, size_nm, size_nm / pixels, weight_spread)
    )
    # The kernel reaches across the whole map: its window is twice as wide.
    reach = np.arange(-pixels, pixels + 1) * size_nm / pixels
    kernel = simulate_kernel(chosen, bias_mV=biases, y_nm=reach, x_nm=reach)
    scan = find_nuisance(nuisance)
    margin = margin_px(scan, pixels)
    places = ((points.xy_nm - axis[0]) / (size_nm / pixels))[:, ::-1].copy()
    # The canvas is periodic: what stands beyond the reach of the kernel would come in elsewhere.
    near = np.all((places > -pixels) & (places < 2 * pixels), axis=1)
    if multiple_scattering and chosen.band is not None:
        wide_axis = (np.arange(-margin, pixels + margin) + 0.5) * size_nm / pixels
        wide = np.stack([
            foldy_lax(
                wide_axis, wide_axis, bias / 1e3, band=chosen.band, xy_nm=points.xy_nm[near],
                weight=points.weight[near],
            )
            for bias in biases
        ])  # fmt: skip
    else:
        wide = _add_up(kernel, places + margin, points.weight * near, pixels + 2 * margin)
    clean = distorted(scan, wide, pixels)
    if margin:
        places = as_scanned(scan, places, pixels)
        xy_nm = axis[0] + places[:, ::-1] * size_nm / pixels
        points = Scatterers(xy_nm, points.weight, points.species, points.confidence)

    tree = cKDTree(places)
    rows, columns = np.mgrid[:pixels, :pixels]
    distance, _ = tree.query(np.column_stack([rows.ravel(), columns.ravel()]))
    ripples = clean.reshape(len(clean), -1)[:, distance > CORE_PX]
    if ripples.shape[1] < 16:
        raise QpiError("the scatterers leave no pixel without a core; ask for fewer")
    scale = ripples.std(axis=1)[:, None, None]
    if not near.any() or not scale.all():
        raise QpiError("the scatterers leave no ripples in the map; move them closer")
    clean = clean / scale
    noise = np.full(len(clean), snr**-0.5)
    noisy = spoiled(scan, clean, size_nm / pixels, seed)
    noisy = noisy + noise[:, None, None] * rng.normal(size=clean.shape)
    attrs = {"material": chosen.name, "source": f"simulated {chosen.name}", "seed": seed}

    def as_map(values: npt.NDArray[np.float64], name: str) -> xr.DataArray:
        return make_map(
            values, bias_mV=biases, y_nm=axis, x_nm=axis, units="a.u.", name=name, attrs=attrs
        )

    truth = make_map(
        kernel.values / scale, bias_mV=biases, y_nm=reach, x_nm=reach, units="a.u.", name="kernel",
        attrs=attrs,
    )  # fmt: skip
    return SimulatedMap(
        as_map(noisy, "dI/dV"),
        as_map(clean, "dI/dV without noise"),
        truth,
        points,
        noise,
        np.array([chosen.ring_q(bias / 1e3) for bias in biases]),
    )


def _add_up(kernel: xr.DataArray, places: Floats, weight: Floats, pixels: int) -> Floats:
    geometry = Geometry(pixels, pixels, kernel.sizes["x"])
    spectrum = activation_spectrum(geometry, torch.as_tensor(places), torch.as_tensor(weight))
    added = convolve(geometry, spectrum, torch.as_tensor(kernel.values.astype(float)))
    return np.asarray(added.numpy())


def crop_kernel(kernel: xr.DataArray, window_nm: float) -> xr.DataArray:
    """Cut a smaller window, still centred on the scatterer, out of a kernel."""
    half = round(window_nm / pixel_nm(kernel)[1] / 2 - 0.5)
    middle = kernel.sizes["x"] // 2
    part = slice(middle - half, middle + half + 1)
    return kernel.isel(y=part, x=part)


def _draw_scatterers(
    rng: np.random.Generator, count: int, size_nm: float, pixel: float, weight_spread: float
) -> Scatterers:
    """Scatter at random, no two closer than 4 px, on the map and a quarter of it around."""
    if count > DENSEST * (size_nm / pixel) ** 2:
        raise QpiError(f"{count} scatterers do not fit into the map 4 px apart; ask for fewer")
    margin = size_nm / 4
    outside = round(count * ((size_nm + 2 * margin) ** 2 / size_nm**2 - 1))
    places = np.empty((count + outside, 2))
    inside_left, outside_left = count, outside
    for _ in range(10000 * (count + outside)):
        if not (inside_left or outside_left):
            break
        place = rng.uniform(-margin, size_nm + margin, 2)
        inside = bool(np.all((place > 0) & (place < size_nm)))
        if not (inside_left if inside else outside_left):
            continue
        drawn = count + outside - inside_left - outside_left
        if np.any(np.sum((places[:drawn] - place) ** 2, axis=1) < (4 * pixel) ** 2):
            continue
        places[drawn] = place
        inside_left, outside_left = inside_left - inside, outside_left - (not inside)
    if inside_left or outside_left:
        raise QpiError(f"{count} scatterers do not fit into the map 4 px apart; ask for fewer")
    weights = np.clip(1 + weight_spread * rng.normal(size=len(places)), 0.2, None)
    return Scatterers(places, weights)
