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
    path = Path(folder)
    path = path / "result.nc" if path.is_dir() else path
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


def _extraction(
    stored: xr.Dataset, recipe: Mapping[str, Any], numbers: Mapping[str, Any]
) -> Extraction:
    endings = sorted(
        str(name).removeprefix("kernel_spread")
        for name in stored
        if str(name).startswith("kernel_spread")
    )
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
        for ending in endings
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
