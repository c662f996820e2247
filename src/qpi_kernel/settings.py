"""Settings: frozen, checked dataclasses, one per stage, that read and write JSON and TOML."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, dataclass_transform

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from qpi_kernel.errors import QpiError
from qpi_kernel.files import replacing

T = TypeVar("T")
S = TypeVar("S")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a frozen, keyword-only dataclass that refuses wrong values and unknown names."""
    decorate = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
    return cast(type[T], decorate(cls))


def to_dict(value: Any) -> dict[str, Any]:
    """Return settings as plain JSON values, ready for a recipe."""
    plain: dict[str, Any] = TypeAdapter(type(value)).dump_python(value, mode="json")
    return plain


def from_dict(cls: type[S], values: Mapping[str, Any]) -> S:
    """Build settings of class `cls` from plain values.

    Raises
    ------
    QpiError
        If a name is unknown or a value is out of range; the message names the field.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or cls.__name__
        raise QpiError(f"setting {field}: {first['msg']} (got {first.get('input')!r})") from None


def load(cls: type[S], path: Path | str) -> S:
    """Read settings of class `cls` from a .toml or .json file."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise QpiError(f"{path}: the settings cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise QpiError(f"{path}: expected a table of settings, found {type(values).__name__}")
    return from_dict(cls, values)


def save(value: Any, path: Path | str) -> None:
    """Write settings to a .toml or .json file.

    Raises
    ------
    QpiError
        If the file cannot be written.
    """
    path = Path(path)
    plain = to_dict(value)
    if path.suffix.lower() == ".toml":
        text = tomli_w.dumps(_without_none(plain, to_dict(type(value)())))
    else:
        text = json.dumps(plain, indent=2) + "\n"
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise QpiError(f"{path}: the settings cannot be written ({error})") from None


def _without_none(values: Mapping[str, Any], defaults: Any) -> dict[str, Any]:
    # TOML has no null: what is absent takes its default. A field that may be None but has another
    # default understands the word "none".
    known = defaults if isinstance(defaults, Mapping) else {}
    return {
        name: _without_none(value, known.get(name))
        if isinstance(value, Mapping)
        else ("none" if value is None else value)
        for name, value in values.items()
        if value is not None or known.get(name) is not None
    }
