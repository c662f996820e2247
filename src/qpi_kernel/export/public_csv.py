"""Writing simulated maps in the layout of the public QPI data set, one kernel per file.

The layout is described in `read.qpi_csv`, which reads the files back. `iter_write_public_set`
simulates a whole set of the same field, resolution and density, so that a method that was made for
the public set can be trained and judged on other kernels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from pydantic import Field

from qpi_kernel.convolution import Geometry, activation_spectrum, convolve
from qpi_kernel.export.formats import ExportError, writing
from qpi_kernel.maps import make_map
from qpi_kernel.progress import Progress, Steps
from qpi_kernel.read.qpi_csv import ABSENT, PublicSample
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.settings import settings
from qpi_kernel.simulate.families import FAMILIES, draw_kernel

Floats = npt.NDArray[np.float64]

ANGSTROM_PER_NM = 10.0
# Kernels reach twice as far as the field, so that ripples leave it.
REACH = 2


@settings
class PublicSetSettings:
    """A recipe for a data set in the public layout; the defaults are the size of the public one.

    Parameters
    ----------
    families : tuple of str
        Families to draw from in turn, see `simulate.families`.
    kernels, observations : int
        Number of files, and of maps in each.
    pixels : int
        Pixels along each side of a map.
    half_field_nm : float
        The outermost pixels lie this far from the middle [nm].
    scatterers : int
        Largest number in a map; each has 1 to so many, anywhere in it.
    seed : int
    """

    families: Annotated[tuple[str, ...], Field(min_length=1)] = tuple(FAMILIES)
    kernels: Annotated[int, Field(ge=1)] = 100
    observations: Annotated[int, Field(ge=1)] = 500
    pixels: Annotated[int, Field(ge=16, le=1024)] = 64
    half_field_nm: Annotated[float, Field(gt=0, lt=ABSENT / ANGSTROM_PER_NM)] = 20.0
    scatterers: Annotated[int, Field(ge=1, le=9999)] = 20
    seed: Annotated[int, Field(ge=0)] = 1


def write_public_samples(
    samples: Sequence[PublicSample], path: Path | str, *, scatterers: int | None = None
) -> Path:
    """Write maps of one kernel to a file of the public layout.

    Parameters
    ----------
    samples : sequence of PublicSample
        Maps with their truth: one bias, square, on one grid, all with the kernel of the first.
        Weights of scatterers have no place in the layout and should be 1.
    path : path
        The .csv file.
    scatterers : int, optional
        Columns for the positions of so many; by default as many as the fullest map needs.

    Raises
    ------
    ExportError
        If the maps do not fit the layout or the file cannot be written.
    """
    path = Path(path)
    if not samples:
        raise ExportError(f"{path.name}: there is no map to write")
    first = samples[0]
    axis = first.didv["x"].values.astype(float)
    most = max(len(sample.scatterers) for sample in samples) if scatterers is None else scatterers
    rows = [_row(first.kernel.values, Scatterers(np.zeros((1, 2))), most)]
    for number, sample in enumerate(samples, 1):
        didv, xy = sample.didv, sample.scatterers.xy_nm
        if didv.shape != (1, axis.size, axis.size) or not all(
            np.array_equal(didv[name].values, axis) for name in ("x", "y")
        ):
            raise ExportError(
                f"{path.name}: map {number} has not one bias on the square grid of the first; the"
                " layout knows no other"
            )
        if not np.isfinite(didv.values).all():
            raise ExportError(f"{path.name}: map {number} has points that were not measured")
        if len(xy) > most or np.any(np.abs(xy) >= ABSENT / ANGSTROM_PER_NM):
            raise ExportError(
                f"{path.name}: map {number} has {len(xy)} scatterers; the layout has room for"
                f" {most}, nearer than {ABSENT / ANGSTROM_PER_NM:g} nm to the origin"
            )
        rows.append(_row(didv.values, sample.scatterers, most))
    lines = [f"{axis.size},{most}", _numbers(axis * ANGSTROM_PER_NM), *rows]
    with writing(path, "the maps") as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def iter_write_public_set(recipe: PublicSetSettings, folder: Path | str) -> Steps[list[Path]]:
    """Simulate a data set and write it; files that are there already are kept.

    File n holds a kernel of family n modulo their number, drawn from (seed, n) alone, and its maps:
    sums of the kernel at random sub-pixel positions, without noise. As in the public set the
    origin of the kernel lies between the four pixels in the middle. Ripples of scatterers outside
    the field do not reach in.

    Raises
    ------
    ExportError
        If a family is unknown or a file cannot be written.
    """
    unknown = [name for name in recipe.families if name not in FAMILIES]
    if unknown:
        raise ExportError(f"unknown families {', '.join(unknown)}; known: {', '.join(FAMILIES)}")
    paths = []
    for index in range(recipe.kernels):
        family = recipe.families[index % len(recipe.families)]
        path = Path(folder) / f"kernel_{index + 1:03d}_{family}.csv"
        if not path.exists():
            samples = _simulated(recipe, family, np.random.default_rng([recipe.seed, index]))
            write_public_samples(samples, path, scatterers=recipe.scatterers)
        paths.append(path)
        yield Progress((index + 1) / recipe.kernels, f"kernel {index + 1} of {recipe.kernels}")
    return paths


def _simulated(
    recipe: PublicSetSettings, family: str, rng: np.random.Generator
) -> list[PublicSample]:
    n, half = recipe.pixels, recipe.half_field_nm
    axis = np.linspace(-half, half, n)
    wide = torch.as_tensor(draw_kernel(family, rng, REACH * n)[None])
    geometry = Geometry(n, n, REACH * n)

    def as_map(xy_nm: Floats, name: str) -> xr.DataArray:
        rows_columns = (xy_nm[:, ::-1] + half) / (2 * half) * (n - 1)
        spectrum = activation_spectrum(
            geometry, torch.as_tensor(rows_columns.copy()), torch.ones(len(xy_nm))
        )
        values = convolve(geometry, spectrum, wide).numpy()
        return make_map(values, bias_mV=[0.0], y_nm=axis, x_nm=axis, units="a.u.", name=name)

    kernel = as_map(np.zeros((1, 2)), "kernel")
    samples = []
    for _ in range(recipe.observations):
        count = int(rng.integers(1, recipe.scatterers + 1))
        xy_nm = rng.uniform(-half, half, (count, 2))
        samples.append(PublicSample(as_map(xy_nm, "dI/dV"), kernel, Scatterers(xy_nm)))
    return samples


def _row(values: npt.NDArray[np.floating], scatterers: Scatterers, most: int) -> str:
    pairs = np.full((most, 2), ABSENT)
    pairs[: len(scatterers)] = scatterers.xy_nm * ANGSTROM_PER_NM
    # The first index runs along x.
    return f"{_numbers(values[0].T.ravel())},{_numbers(pairs.ravel())}"


def _numbers(values: npt.NDArray[np.floating]) -> str:
    # The shortest digits that give the same number again.
    return ",".join(map(str, values.tolist() if values.dtype == float else values))
