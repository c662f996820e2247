"""What differs between two recipes, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from qpi_kernel.recipes import entry


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
            if (a := entry(first, *path)) != (b := entry(second, *path))
        ),
    ]


def _of_files(
    first: Mapping[str, Any], second: Mapping[str, Any], key: str, name: str, words: str
) -> list[str]:
    names = [entry(recipe, key, name) for recipe in (first, second)]
    hashes = [str(entry(recipe, key, "sha256"))[:12] for recipe in (first, second)]
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
