"""Recipes as files: written with a result, read again, told apart, compared in words."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qpi_kernel.errors import QpiError
from qpi_kernel.export import export_result
from qpi_kernel.export.plain_values import to_json
from qpi_kernel.pipeline import PipelineResult, PipelineSettings, settings_of
from qpi_kernel.settings import load

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


def identity(recipe: Mapping[str, Any]) -> str:
    """Return one sha256 over what determines a result: bytes, settings, positions and model.

    Names, places and the version of the library do not count.
    """
    facts = (
        _entry(recipe, "input", "sha256"),
        recipe.get("settings"),
        recipe.get("scatterers"),
        _entry(recipe, "model", "sha256"),
    )
    # Through JSON, so that a recipe and its copy on disk agree.
    plain = json.dumps(json.loads(to_json(facts)), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return what differs between two recipes, one sentence each; none if results must agree.

    Examples
    --------
    >>> differences({"settings": {"bias_mV": -20.0}}, {"settings": {"bias_mV": 5.0}})
    ['bias_mV: -20.0 in the first, 5.0 in the second']
    """
    return [
        *_of_files(first, second, "input", "file", "measurement"),
        *_of_settings(first, second),
        *_of_scatterers(first.get("scatterers"), second.get("scatterers")),
        *_of_files(first, second, "model", "name", "model"),
        *(
            _sentence(words, a, b)
            for words, *path in (
                ("version of qpi-kernel", "version"),
                ("computed on", "provenance", "device"),
                ("width of the kernel [nm]", "provenance", "window_nm"),
            )
            if (a := _entry(first, *path)) != (b := _entry(second, *path))
        ),
    ]


def _of_files(
    first: Mapping[str, Any], second: Mapping[str, Any], key: str, name: str, words: str
) -> list[str]:
    names = [_entry(recipe, key, name) for recipe in (first, second)]
    hashes = [str(_entry(recipe, key, "sha256"))[:12] for recipe in (first, second)]
    if hashes[0] == hashes[1]:
        if names[0] == names[1]:
            return []
        return [f"the same {words} under two names: {names[0]} and {names[1]}"]
    told = [
        f"{a} (sha256 {b}...)" if a is not None else "none"
        for a, b in zip(names, hashes, strict=True)
    ]
    return [_sentence(words, *told)]


def _of_settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[str]:
    a, b = (dict(_leaves(recipe.get("settings"))) for recipe in (first, second))
    for name in sorted(a.keys() | b.keys()):
        if a.get(name) != b.get(name):
            yield _sentence(name, a.get(name), b.get(name))


def _of_scatterers(first: Any, second: Any) -> list[str]:
    if first == second:
        return []
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        counts = [
            f"{len(points['xy_nm'])} given positions" if isinstance(points, Mapping) else "found"
            for points in (first, second)
        ]
        return [_sentence("scatterers", *counts)]
    a, b = (np.asarray(points["xy_nm"], float).reshape(-1, 2) for points in (first, second))
    if len(a) != len(b):
        return [_sentence("scatterers", f"{len(a)} given positions", f"{len(b)} given positions")]
    if a.size and (moved := np.hypot(*(a - b).T).max()) > 0:
        return [f"scatterers: the {len(a)} given positions differ by up to {moved:.3g} nm"]
    return ["scatterers: the same positions, of other weight or species"]


def _sentence(what: str, first: Any, second: Any) -> str:
    told = ["not set" if value is None else value for value in (first, second)]
    return f"{what}: {told[0]} in the first, {told[1]} in the second"


def _leaves(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every setting."""
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            if isinstance(value, Mapping):
                yield from _leaves(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value


def _entry(recipe: Mapping[str, Any], *path: str) -> Any:
    """Return what stands at the end of a path of keys, None if there is no such path."""
    value: Any = recipe
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
