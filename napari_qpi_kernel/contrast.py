"""Contrast limits of layers; those of a long stack take a second, and belong in the thread."""

from typing import Any

import numpy as np

Limits = tuple[float, float]

PERCENTILES = (0.5, 99.5)  # the brightest half percent is the core of the scatterers
# Below three decades |F| is noise and the edge of the window.
DECADES = 3.0


def spanning(values: Any) -> Limits:
    """Return limits that hold nearly all of the values."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, PERCENTILES))
    return low, high if high > low else low + 1.0


def from_zero(values: Any) -> Limits:
    """Return limits from 0 that do not drown the waves beside the core."""
    finite = np.abs(values[np.isfinite(values)])
    return 0.0, (float(np.percentile(finite, PERCENTILES[1])) if finite.size else 0.0) or 1.0


def about_zero(values: Any) -> Limits:
    """Return limits on both sides of 0 that do not drown the waves beside the core."""
    _, reach = from_zero(values)
    return -reach, reach


def as_wide_about_zero(limits: Limits) -> Limits:
    """Return limits on both sides of 0 that span as much as others do."""
    half = 0.5 * (limits[1] - limits[0])
    return -half, half


def top_decades(log10_values: Any) -> Limits:
    """Return limits of the highest decades of log10 |F|."""
    # The ring fills a few pixels of a large q plane: a percentile would saturate it.
    top = float(np.max(log10_values[np.isfinite(log10_values)], initial=-30.0))
    return top - DECADES, top
