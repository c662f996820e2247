"""Maps and scatterers as napari layers, and back.

A layer's world coordinates are the physical ones: nm along y and x, mV along an evenly spaced bias
axis. Row 0 of a map has the smallest y, so a viewer that shows only our layers gets y upwards
(`show_y_up`). A kernel is centred on 0 and would lie on top of its map; its layer is moved aside
by ``offset_nm``, which the layer's metadata keeps and the way back subtracts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qpi_kernel.errors import QpiError

if TYPE_CHECKING:
    from napari.layers import Image, Layer, Points
    from napari.viewer import ViewerModel

    from qpi_kernel.scatterers import Scatterers

Map = Any  # an xarray.DataArray: the plugin hands maps over and never computes with them
LayerData = tuple[Any, dict[str, Any], str]
Floats = npt.NDArray[np.float64]

KEY = "qpi_kernel"
# Among the facts of a transform: how far in q to look [1/nm].
REACH = "reach_per_nm"
IN_NM = {"nanometer": 1.0, "angstrom": 0.1, "picometer": 1e-3, "micrometer": 1e3, "meter": 1e9}
SHORT = {"nm": "nanometer", "Å": "angstrom", "pm": "picometer", "µm": "micrometer", "m": "meter"}
SPECIES = ("yellow", "cyan", "magenta", "lime")  # rings around the scatterers of each
EVEN = 1e-3  # a bias axis whose steps differ by less than this share counts as evenly spaced


def plain(value: Any) -> Any:
    """Return `value` as JSON values: what is none (a path, a numpy number) becomes one."""

    def convert(item: Any) -> Any:
        return item.tolist() if hasattr(item, "tolist") else str(item)

    return json.loads(json.dumps(value, default=convert))


def map_to_layer(
    didv: Map,
    name: str,
    *,
    kind: str = "map",
    offset_nm: tuple[float, float] = (0.0, 0.0),
    facts: Mapping[str, Any] | None = None,
    **look: Any,
) -> LayerData:
    """Turn a map into the data of an image layer.

    Parameters
    ----------
    didv : xarray.DataArray, dims (bias, y, x) or (bias, qy, qx), real
        A map; one bias gives a 2-D layer, several a stack.
    name : str
        Name of the layer.
    kind : str
        What the map is: "map", "topography", "kernel", ...; kept in the metadata.
    offset_nm : (dy, dx)
        How far the layer is moved aside from its physical place [nm].
    facts : mapping, optional
        Further metadata (recipe, assessment).
    **look
        Display settings of the image layer (colormap, contrast_limits, visible).

    Returns
    -------
    tuple
        (values, attributes, "image") with scale, translate, units and axis labels.
    """
    _, y_dim, x_dim = didv.dims
    bias, y, x = (np.asarray(didv[dim].values, dtype=float) for dim in didv.dims)
    scale = [_pitch(y), _pitch(x)]
    translate = [float(y[0]) + offset_nm[0], float(x[0]) + offset_nm[1]]
    units = [str(didv[dim].attrs.get("units", "nm")) for dim in (y_dim, x_dim)]
    labels = [str(y_dim), str(x_dim)]
    values = didv.values
    if bias.size == 1:
        values = values[0]
    else:
        steps = np.diff(bias)
        even = steps.min() > 0 and np.ptp(steps) <= EVEN * steps.mean()
        scale.insert(0, _pitch(bias) if even else 1.0)
        translate.insert(0, float(bias[0]) if even else 0.0)
        # An uneven axis can only count its slices; the text overlay then tells the energy.
        units.insert(0, "mV" if even else "pixel")
        labels.insert(0, "bias" if even else "bias index")
    metadata = {
        "kind": kind,
        "bias_mV": bias,
        "offset_nm": offset_nm,
        "channel": str(didv.name),
        "attrs": dict(didv.attrs),
        **(facts or {}),
    }
    attributes = {
        "name": name,
        "scale": scale,
        "translate": translate,
        "units": units,
        "axis_labels": labels,
        "metadata": {KEY: plain(metadata)},
        **look,
    }
    return values, attributes, "image"


def map_arguments(data: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `qpi_kernel.make_map` that rebuild the map of an image layer.

    Parameters
    ----------
    data : array, shape (y, x) or (bias, y, x)
        Values of the layer.
    attributes : mapping
        Its attributes as napari hands them to writers (`Layer.as_layer_data_tuple`).

    Raises
    ------
    QpiError
        If the layer is no image in nm of known bias, or is rotated or sheared.
    """
    name = attributes.get("name", "layer")
    values = np.asarray(data)
    if values.ndim not in (2, 3) or attributes.get("rgb") or values.dtype.kind not in "fiu":
        raise QpiError(f"layer {name}: a map has real values (y, x) or (bias, y, x)")
    missing = missing_calibration(values.ndim, attributes)
    if missing:
        raise QpiError(f"layer {name}: {missing}")
    for key, still in (("rotate", np.eye(values.ndim)), ("affine", np.eye(values.ndim + 1))):
        matrix = np.asarray(attributes.get(key, still), dtype=float)
        if matrix.shape == still.shape and not np.allclose(matrix, still):
            raise QpiError(f"layer {name}: it is rotated or sheared; reset its transform first")
    facts = attributes.get("metadata", {}).get(KEY, {})
    factors = [IN_NM[_unit(unit)] for unit in attributes["units"][-2:]]
    y, x = (
        factor * (start + step * np.arange(count)) - offset
        for factor, start, step, count, offset in zip(
            factors,
            np.asarray(attributes["translate"], float)[-2:],
            np.asarray(attributes["scale"], float)[-2:],
            values.shape[-2:],
            facts.get("offset_nm", (0.0, 0.0)),
            strict=True,
        )
    )
    attrs = dict(facts.get("attrs", {}))
    return {
        "values": values,
        "bias_mV": layer_bias(values.shape, attributes),
        "y_nm": y,
        "x_nm": x,
        "units": attrs.pop("units", "a.u."),
        "name": facts.get("channel", str(name)),
        "attrs": attrs,
    }


def missing_calibration(ndim: int, attributes: Mapping[str, Any]) -> str:
    """Return what keeps an image layer from being a map, in words; "" if nothing does."""
    units = [_unit(unit) for unit in attributes.get("units") or ("pixel",) * ndim]
    if any(unit not in IN_NM for unit in units[-2:]):
        return "it has no size in nm: give its width and height"
    recorded = attributes.get("metadata", {}).get(KEY, {}).get("bias_mV")
    if recorded is None and not (ndim == 3 and units[0] == "millivolt"):
        return "its bias is not known: give it in mV"
    return ""


def layer_bias(shape: Sequence[int], attributes: Mapping[str, Any]) -> Floats:
    """Return the bias axis [mV] of an image layer, one value per slice; empty if unknown."""
    slices = shape[0] if len(shape) == 3 else 1
    recorded = attributes.get("metadata", {}).get(KEY, {}).get("bias_mV")
    if recorded is not None and len(recorded) == slices:
        return np.asarray(recorded, dtype=float)
    units = attributes.get("units") or ("pixel",)
    if len(shape) == 3 and _unit(units[0]) == "millivolt":
        start, step = float(attributes["translate"][0]), float(attributes["scale"][0])
        return np.asarray(start + step * np.arange(slices), dtype=float)
    return np.empty(0)


def layer_map(layer: "Image") -> dict[str, Any]:
    """Return the arguments of `qpi_kernel.make_map` that rebuild the map of a layer in a viewer."""
    return map_arguments(layer.data, layer_attributes(layer))


def bias_of(layer: "Image") -> Floats:
    """Return the bias axis [mV] of a layer in a viewer; empty if unknown."""
    return layer_bias(layer.data.shape, layer_attributes(layer))


def bias_at(layer: "Image", point: Sequence[float]) -> float | None:
    """Return the bias [mV] that a viewer at `point` (world coordinates) shows of `layer`."""
    bias = bias_of(layer)
    if not bias.size:
        return None
    # While a stack is being removed the viewer may have lost the dimension already.
    if layer.ndim < 3 or len(point) < 3:
        return float(bias[0])
    index = round((float(point[-3]) - float(layer.translate[0])) / float(layer.scale[0]))
    return float(bias[min(max(index, 0), bias.size - 1)])


def layer_attributes(layer: "Layer") -> dict[str, Any]:
    """Return the attributes of a layer as napari hands them to writers."""
    attributes: dict[str, Any] = layer.as_layer_data_tuple()[1]
    return attributes


def scatterers_to_layer(scatterers: "Scatterers", name: str, size_nm: float) -> LayerData:
    """Turn scatterers into the data of a points layer with rings of `size_nm` across."""
    features = {
        "confidence": scatterers.confidence,
        "weight": scatterers.weight,
        "species": scatterers.species,
    }
    attributes = {
        "name": name,
        "units": ["nm", "nm"],
        "axis_labels": ["y", "x"],
        "features": {key: np.array(values) for key, values in features.items()},
        "feature_defaults": {"confidence": 1.0, "weight": 1.0, "species": 0},
        "symbol": "disc",
        "face_color": "transparent",
        "border_width": 0.12,
        "border_color": species_colours(scatterers.species),
        "size": size_nm,
        "metadata": {KEY: {"kind": "scatterers"}},
        "ndim": 2,
    }
    return np.array(scatterers.xy_nm[:, ::-1]), attributes, "points"


def species_colours(species: Iterable[Any]) -> list[str]:
    """Return the colour of the ring around each scatterer."""
    return [SPECIES[int(kind) % len(SPECIES)] for kind in species]


def tag_species(layer: "Points", places: Iterable[int], species: int) -> None:
    """Give some points of a layer a species, and their rings its colour."""
    features = layer.features.copy()
    kinds = features["species"] if "species" in features else np.zeros(len(layer.data), np.int64)
    features["species"] = np.array(kinds)
    features.loc[list(places), "species"] = species
    layer.features = features
    layer.border_color = species_colours(np.nan_to_num(features["species"]))


def layer_to_scatterers(layer: "Points") -> "Scatterers":
    """Return the points of a layer as scatterers; what the user added by hand counts fully."""
    from qpi_kernel.scatterers import Scatterers

    world = [layer.data_to_world(point)[-2:] for point in layer.data]
    columns = {}
    for name, default in (("weight", 1.0), ("species", 0.0), ("confidence", 1.0)):
        if name in layer.features:
            values = np.asarray(layer.features[name], dtype=float)
            columns[name] = np.where(np.isfinite(values), values, default)
    if "species" in columns:
        columns["species"] = columns["species"].astype(np.int64)
    return Scatterers(np.array(world, dtype=float).reshape(-1, 2)[:, ::-1], **columns)


def show_y_up(viewer: "ViewerModel") -> None:
    """Let y point upwards, as on the instrument, if the viewer shows nothing but our layers."""
    if all(KEY in layer.metadata for layer in viewer.layers):
        viewer.scene.camera.orientation2d = ("up", "right")


def show_energy(viewer: "ViewerModel", bias_mV: float | None) -> str:
    """Write the energy [mV] over the picture, where napari's notifications do not cover it."""
    text = "" if bias_mV is None else f"E = {bias_mV:.1f} mV"
    overlay = viewer.canvas.overlays.text
    overlay.text, overlay.visible, overlay.position = text, bool(text), "top_left"
    return text


def _pitch(axis: Floats) -> float:
    """Step of an even axis, rounded to hide the float noise of first and last value."""
    return round(float(axis[-1] - axis[0]) / max(axis.size - 1, 1), 12) or 1.0


def _unit(unit: object) -> str:
    text = str(unit)
    return SHORT.get(text, "millivolt" if text == "mV" else text)
