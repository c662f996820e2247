"""A result read back from the folder that `export_result` wrote."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qpi_kernel.assessment import Assessment
from qpi_kernel.errors import QpiError
from qpi_kernel.extract.result import Extraction
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.maps import make_map
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.settings import from_dict

KERNEL_AXES = ("kernel_y", "kernel_x")
COLUMNS = ("weight", "species", "confidence")


def load_result(folder: Path | str) -> tuple[Extraction, Assessment, dict[str, Any]]:
    """Read the result of an extraction, its verdict and its recipe.

    Parameters
    ----------
    folder : path
        What `export_result` wrote, or its ``result.nc``.

    Returns
    -------
    Extraction
        As it was exported. Of several species, each of its parts shows the whole map, not the map
        less the waves of the others.
    Assessment
    dict
        The recipe.

    Raises
    ------
    QpiError
        If there is no whole result.
    """
    path = _file_of(folder)
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as stored:
            stored.load()
        recipe, judged, numbers = (
            json.loads(stored.attrs[name]) for name in ("recipe", "assessment", "numbers")
        )
        result = _extraction(stored, recipe, numbers)
        assessment = Assessment(
            judged["verdict"],
            tuple(judged["reasons"]),
            _numbers(judged["numbers"]),
            tuple(judged["slices"].values()),
        )
        return result, assessment, recipe
    except OSError as error:
        raise QpiError(f"{path}: the result cannot be read ({error})") from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        # HDF5 and JSON raise many kinds on damaged bytes, and a missing entry is a KeyError.
        raise QpiError(
            f"{path}: not a whole result of qpi-kernel ({error}); export it again"
        ) from None


def load_kernel(
    path: Path | str, species: int | None = None
) -> tuple[xr.DataArray, xr.DataArray] | None:
    """Read a kernel and its standard deviation, and nothing else, from an exported result.

    Parameters
    ----------
    path : path
        What `export_result` wrote, or its ``result.nc``.
    species : int, optional
        The label of the scatterers whose kernel it is; needed where there are several.

    Returns
    -------
    (xarray.DataArray, xarray.DataArray) or None
        Kernel and standard deviation, dimensions (bias, y, x), in the unit of the map; None if this
        is not a result of an extraction.

    Raises
    ------
    QpiError
        If the result holds no kernel of this species, or several and `species` names none.
    """
    path = _file_of(path)
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as stored:
            endings = _endings(stored)
            ending = "" if species is None else f"_species_{species}"
            if ending in endings:
                kernel, spread = (
                    _map(stored, f"{name}{ending}", KERNEL_AXES)
                    for name in ("kernel", "kernel_spread")
                )
                return kernel, spread
    except (OSError, ValueError, KeyError):
        return None
    if not endings:
        return None
    labels = ", ".join(each.removeprefix("_species_") for each in endings if each)
    raise QpiError(
        f"{path}: holds the kernels of species {labels}: choose one of them"
        if labels
        else f"{path}: holds the kernel of one species alone: leave out the species"
    )


def _file_of(result: Path | str) -> Path:
    path = Path(result)
    return path / "result.nc" if path.is_dir() else path


def _endings(stored: xr.Dataset) -> list[str]:
    """Return what tells the kernels of several species apart; that of one has no ending."""
    names = sorted(str(name) for name in stored)
    start = "kernel_spread"
    return [name.removeprefix(start) for name in names if name.startswith(start)]


def _extraction(
    stored: xr.Dataset, recipe: Mapping[str, Any], numbers: Mapping[str, Any]
) -> Extraction:
    scatterers = Scatterers(
        np.stack([stored["scatterer_x_nm"].values, stored["scatterer_y_nm"].values], axis=1),
        **{name: stored[f"scatterer_{name}"].values for name in COLUMNS},
    )
    wholes = [
        Extraction(
            didv=_map(stored, "didv"),
            kernel=_map(stored, f"kernel{ending}", KERNEL_AXES),
            spread=_map(stored, f"kernel_spread{ending}", KERNEL_AXES),
            prior=_map(stored, f"kernel_prior{ending}", KERNEL_AXES)
            if f"kernel_prior{ending}" in stored
            else None,
            background=_map(stored, "background"),
            reconstruction=_map(stored, "reconstruction"),
            scatterers=scatterers,
            noise=stored["noise"].values,
            settings=from_dict(ExtractSettings, _settings(recipe)),
            numbers={name: tuple(values) for name, values in _numbers(numbers).items()},
            provenance=recipe.get("provenance", {}),
            used=stored["used"].values.astype(bool),
        )
        for ending in _endings(stored)
    ]
    if len(wholes) == 1:
        return wholes[0]
    labels = scatterers.species
    parts = tuple(
        replace(whole, scatterers=scatterers.select(labels == label))
        for whole, label in zip(wholes, scatterers.labels, strict=True)
    )
    return replace(wholes[0], parts=parts)


def _numbers(stored: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return numbers from JSON, which has no NaN."""
    return {
        name: [float("nan") if value is None else float(value) for value in values]
        for name, values in stored.items()
    }


def _settings(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of the extraction, alone in the recipe or among those of a run."""
    settings: Mapping[str, Any] = recipe["settings"]
    extract: Mapping[str, Any] = settings.get("extract", settings)
    return extract


def _map(stored: xr.Dataset, name: str, axes: tuple[str, str] = ("y", "x")) -> xr.DataArray:
    field = stored[name]
    y, x = (stored[axis].values for axis in axes)
    return make_map(
        field.values,
        bias_mV=stored["bias"].values,
        y_nm=y,
        x_nm=x,
        units=str(field.attrs["units"]),
        name=name,
        attrs={
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in field.attrs.items()
        },
    )
