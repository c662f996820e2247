"""Recipes as files: written with a result, read again, held against what is here now."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qpi_kernel.errors import QpiError
from qpi_kernel.export import export_result
from qpi_kernel.export.plain_values import to_json
from qpi_kernel.pipeline import PipelineResult, PipelineSettings, model_of
from qpi_kernel.read import sha256_of
from qpi_kernel.read.zarr_store import description
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.settings import from_dict, load

# The positions of a million scatterers fit.
LARGEST_BYTES = 2**26


def export_run(
    result: PipelineResult, file: Path, folder: Path, facts: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write the result of a run; its recipe says where the measurement lies, seen from `folder`.

    Parameters
    ----------
    result : PipelineResult
    file : Path
        The measurement.
    folder : Path
        For the files; see `export_result`.
    facts : mapping, optional
        More entries for the recipe, JSON-able.

    Raises
    ------
    ExportError
        If the folder cannot be made or written.
    """
    try:
        path = Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive
        path = file.resolve().as_posix()
    recipe = {**result.recipe, "input": {**result.recipe["input"], "path": path}, **(facts or {})}
    return export_result(result.extraction, folder, result.assessment, recipe)


def load_recipe(path: Path) -> dict[str, Any]:
    """Read a recipe.json.

    Raises
    ------
    QpiError
        If it is not there, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise QpiError(f"{path}: too large for a recipe ({path.stat().st_size} bytes)")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise QpiError(f"{path}: the recipe cannot be read ({error.strerror})") from None
    except RecursionError:
        raise QpiError(f"{path}: expected a recipe, found lists nested without end") from None
    except ValueError as error:
        if isinstance(error, QpiError):
            raise
        raise QpiError(f"{path}: expected a recipe in JSON ({error})") from None
    if not isinstance(content, dict):
        raise QpiError(f"{path}: expected a recipe, found {type(content).__name__}")
    return content


def load_settings(path: Path) -> PipelineSettings:
    """Read the settings of a run from a recipe.json, or from a .toml or .json of settings.

    The positions that a recipe was given are left out: they belong to its file.

    Raises
    ------
    QpiError
        If the file cannot be read, or holds wrong settings.
    """
    if path.suffix.lower() == ".json":
        content = load_recipe(path)
        if "settings" in content:
            return settings_of({**content, "scatterers": None})[0]
    return load(PipelineSettings, path)


def settings_of(recipe: Mapping[str, Any]) -> tuple[PipelineSettings, Scatterers | None]:
    """Return the settings and the given positions that a recipe holds.

    Raises
    ------
    QpiError
        If the recipe holds no settings, or wrong ones.
    """
    values = recipe.get("settings")
    if not isinstance(values, Mapping):
        raise QpiError("the recipe holds no settings: is it a recipe.json of an exported result?")
    points = recipe.get("scatterers")
    if points is None:
        return from_dict(PipelineSettings, values), None
    if not isinstance(points, Mapping) or not {"xy_nm", "weight", "species"} <= set(points):
        raise QpiError("the scatterers of the recipe need xy_nm, weight and species")
    given = Scatterers(points["xy_nm"], points["weight"], points["species"])
    return from_dict(PipelineSettings, values), given


def check_model(recipe: Mapping[str, Any]) -> None:
    """Make sure that the model that a recipe was made with is the one here.

    Raises
    ------
    QpiError
        If it is another one, or cannot be loaded.
    """
    before, here = recipe.get("model"), model_of(*settings_of(recipe))
    if not isinstance(before, Mapping) or here is None or before.get("sha256") == here["sha256"]:
        return
    raise QpiError(
        f"the recipe was made with the model {before.get('name')}"
        f" (sha256 {str(before.get('sha256'))[:8]}), here is {here['name']}"
        f" ({here['sha256'][:8]}); to use it all the same add --anyway"
    )


def find_input(recipe: Mapping[str, Any], path: Path, *, anyway: bool = False) -> Path:
    """Find the measurement of a recipe, and make sure that it is the same one.

    Parameters
    ----------
    recipe : mapping
        A recipe.
    path : Path
        Its file. The input is looked for at the path kept in the recipe, relative to this folder,
        then in this folder, then in the current one.
    anyway : bool
        Take a file of that name whatever it holds.

    Raises
    ------
    QpiError
        If it is not found, or has another sha256.
    """
    measured = recipe.get("input")
    if not isinstance(measured, Mapping) or not isinstance(measured.get("file"), str):
        raise QpiError(f"{path}: the recipe names no input file; give one with --file")
    name = str(measured["file"])
    places = (path.parent / str(measured.get("path", name)), path.parent / name, Path(name))
    for place in places:
        # Not what never ends, such as a device or a disk.
        if place.is_file() or (place.is_dir() and description(place)):
            if anyway or sha256_of(place) == measured.get("sha256"):
                return place
            raise QpiError(
                f"{place}: not the file of the recipe (its sha256 differs);"
                " to use it all the same give it with --file, or add --anyway"
            )
    raise QpiError(f"{path}: its input {name} was not found; say where with --file")


def identity(recipe: Mapping[str, Any]) -> str:
    """Return one sha256 over what determines a result: bytes, settings, positions and model.

    Names, places and the version of the library do not count.
    """
    facts = (
        entry(recipe, "input", "sha256"),
        recipe.get("settings"),
        recipe.get("scatterers"),
        entry(recipe, "model", "sha256"),
    )
    # Through JSON, so that a recipe and its copy on disk agree.
    plain = json.dumps(json.loads(to_json(facts)), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def entry(recipe: Mapping[str, Any], *path: str) -> Any:
    """Return what stands at the end of a path of keys, None if there is no such path."""
    value: Any = recipe
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
