"""Where scatterers stand in a simulated map: at random, at lattice sites, of several species."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError
from qpi_kernel.scatterers import Scatterers

Floats = npt.NDArray[np.float64]

# Scatterers per pixel; discs of 4 px dropped at random jam at 0.044.
DENSEST = 0.03
APART_PX = 4.0


def draw_scatterers(
    rng: np.random.Generator, count: int, size_nm: float, pixel_nm: float, weight_spread: float
) -> Scatterers:
    """Scatter at random, no two closer than 4 px, on the map and a quarter of it around.

    Raises
    ------
    QpiError
        If so many do not fit.
    """
    if count > DENSEST * (size_nm / pixel_nm) ** 2:
        raise _crowded(count)
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
        if np.any(np.sum((places[:drawn] - place) ** 2, axis=1) < (APART_PX * pixel_nm) ** 2):
            continue
        places[drawn] = place
        inside_left, outside_left = inside_left - inside, outside_left - (not inside)
    if inside_left or outside_left:
        raise _crowded(count)
    weights = np.clip(1 + weight_spread * rng.normal(size=len(places)), 0.2, None)
    return Scatterers(places, weights)


def of_species(
    rng: np.random.Generator, points: Scatterers, mean_weights: Sequence[float]
) -> Scatterers:
    """Give scatterers a species at random, and its mean weight, which may be negative."""
    species = rng.integers(len(mean_weights), size=len(points))
    weight = points.weight * np.asarray(mean_weights, float)[species]
    return Scatterers(points.xy_nm, weight, species)


def on_lattice(
    rng: np.random.Generator, points: Scatterers, lattice_nm: Floats, sites_nm: Sequence[Floats]
) -> Scatterers:
    """Move each scatterer to the nearest site of its species.

    The lattice lies under the map at a random offset; its sites are R + site, so that positions
    are sub-pixel. A site that two scatterers would share goes to one of them: the other is left
    out.

    Parameters
    ----------
    lattice_nm : array, shape (2, 2)
        Lattice vectors as rows, (x, y) [nm].
    sites_nm : sequence of array, shape (2,)
        Where in the cell the scatterers of each species stand, (x, y) [nm].
    """
    offset = rng.uniform(0, 1, 2) @ lattice_nm
    origin = np.asarray(sites_nm)[points.species] + offset
    cells = np.rint((points.xy_nm - origin) @ np.linalg.inv(lattice_nm))
    xy = origin + cells @ lattice_nm
    _, first = np.unique(np.column_stack([cells, points.species]), axis=0, return_index=True)
    kept = np.sort(first)
    return Scatterers(xy[kept], points.weight[kept], points.species[kept], points.confidence[kept])


def _crowded(count: int) -> QpiError:
    return QpiError(f"{count} scatterers do not fit into the map 4 px apart; ask for fewer")
