"""Open STM files in napari: the topography and the dI/dV map of each, calibrated."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from napari.utils.notifications import show_info, show_warning
from qtpy.QtWidgets import QInputDialog

from napari_qpi_kernel.bridge import KEY, LayerData, map_to_layer, show_y_up
from napari_qpi_kernel.job import report
from qpi_kernel.errors import QpiError

if TYPE_CHECKING:
    from qpi_kernel.read import ReadError

Paths = str | Sequence[str]
# Not .csv: napari would ask at every table of points.
SUFFIXES = (
    ".3ds",
    ".sxm",
    ".dat",
    ".vert",
    "_mtrx",
    ".mtrx",
    ".sm4",
    ".ibw",
    ".pxp",
    ".pxt",
    ".gwy",
    ".gsf",
    ".stp",
    ".top",
    ".cur",
    ".xyz",
    ".nxs",
    ".h5",
    ".hdf5",
    ".mat",
    ".npz",
    ".npy",
    ".nc",
    ".zarr",
    ".zarr.zip",
    ".tif",
    ".tiff",
)


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return the function that opens these files, or None if they are not ours by their suffix."""
    paths = [path] if isinstance(path, str) else list(path)
    if paths and all(Path(item).name.lower().endswith(SUFFIXES) for item in paths):
        return read_layers
    return None


def read_layers(path: Paths) -> list[LayerData]:
    """Read files into layers, topography below dI/dV; banners of the files become notifications.

    Raises
    ------
    QpiError
        If a file cannot be read.
    """
    layers: list[LayerData] = []
    try:
        for item in [path] if isinstance(path, str) else path:
            dataset = _read(Path(item))
            layers += file_layers(dataset, Path(item))
            _tell(Path(item), dataset, layers[-1])
    except QpiError as error:
        # napari itself would only say which plugin failed.
        report(error)
        raise
    viewer = napari.current_viewer()
    if viewer is not None:
        show_y_up(viewer)
    return layers


def file_layers(dataset: Any, path: Path, channel: str | None = None) -> list[LayerData]:
    """Turn the Dataset of one file into layers.

    Parameters
    ----------
    dataset : xarray.Dataset
        What `qpi_kernel.read_file` returned.
    path : Path
        The file; its stem names the layers, and another channel can be read from it later.
    channel : str, optional
        Show this channel as the dI/dV map instead of the preselected one, and no topography.
    """
    from qpi_kernel.read import select_didv, select_topography

    didv = select_didv(dataset, channel)
    chosen = str(didv.attrs.get("channel", didv.name))
    facts = {"channels": [str(name) for name in dataset.data_vars], "path": str(path.resolve())}
    layers = []
    topography = select_topography(dataset) if channel is None else None
    if topography is not None and str(topography.name) != chosen:
        layers.append(
            map_to_layer(topography, f"{path.stem} topography", kind="topography", facts=facts)
        )
    # A channel taken for want of a lock-in signal must not pass for dI/dV.
    stand_in = "stands in" in str(didv.attrs.get("channel_reason", ""))
    name = f"{path.stem} {chosen if channel or stand_in else 'dI/dV'}"
    layers.append(map_to_layer(didv, name, facts=facts))
    return layers


def _tell(path: Path, dataset: Any, layer: LayerData) -> None:
    """Show the banners of a file and which channel was taken; only in the main thread."""
    attrs = layer[1]["metadata"][KEY]["attrs"]
    for note in dataset.attrs.get("notes", ()):
        show_warning(f"{path.name}: {note}")
    chosen, reason = attrs.get("channel", "map"), attrs.get("channel_reason", "the only channel")
    show_info(f"{path.name}: {chosen}, {reason}")


def _read(path: Path) -> Any:
    from qpi_kernel.read import ReadError, read_file

    try:
        return read_file(path)
    except ReadError as error:
        size = _ask_size(path) if _lacks_size(error) else None
        if size is None:
            raise
    return read_file(path, size)


def _lacks_size(error: "ReadError") -> bool:
    return "no size in nm" in str(error)


def _ask_size(path: Path) -> tuple[float, float] | None:
    """Ask for width and height [nm]; None if the user cancels, since no guess would be right."""
    title = f"Size of {path.name}"
    size: list[float] = []
    for edge in ("width", "height"):
        question = f"The file states no size: {edge} [nm]"
        start = size[0] if size else 10.0
        value, accepted = QInputDialog.getDouble(None, title, question, start, 0.01, 1e5, 3)
        if not accepted:
            return None
        size.append(value)
    return size[0], size[1]
