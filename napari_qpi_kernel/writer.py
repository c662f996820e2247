"""Save an image layer with its values, pixel size and units: napari's own TIFF keeps none of it."""

from collections.abc import Mapping
from typing import Any

from napari_qpi_kernel.bridge import map_arguments


def write_layer(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write a map layer; the suffix of `path` chooses TIFF, .gsf or netCDF.

    Returns
    -------
    list of str
        The files written.

    Raises
    ------
    QpiError
        If the layer is no calibrated map or the file cannot be written.
    """
    from qpi_kernel.export import write_map
    from qpi_kernel.maps import make_map

    write_map(make_map(**map_arguments(data, attributes)), path)
    return [path]
