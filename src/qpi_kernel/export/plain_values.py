"""Attributes and numbers as every program reads them."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as netCDF can hold them: numbers and text, the rest as JSON."""
    return {_text(key): _plain(value) for key, value in attrs.items() if value is not None}


def _plain(value: Any) -> str | int | float:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return to_json(value)


def _text(value: str) -> str:
    # HDF5 ends a text at NUL and refuses what follows.
    return str(value).replace("\0", " ")


def to_json(content: Any, indent: int | None = None) -> str:
    """Write JSON that every parser reads: numbers that are not finite become null."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [_finite(value) for value in content]
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, float) and not np.isfinite(content):
        return None
    return content
