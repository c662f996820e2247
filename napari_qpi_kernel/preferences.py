"""What the user prefers for every map: the page "QPI Kernel" of napari's Preferences."""

from typing import Any, cast

from napari.settings import get_plugin_settings

PLUGIN = "napari-qpi-kernel"


def preferences() -> Any:
    """Return device, model and colormap, as the manifest describes them; `events` tell of changes.

    ``model`` is "" for the model shipped with the library.
    """
    return cast(Any, get_plugin_settings(PLUGIN)).extraction


def preferred_model() -> str | None:
    """Return the file of the model; None for the one shipped with the library."""
    return preferences().model or None
