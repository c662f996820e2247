"""What every format reader returns: the channels of a file as a Dataset on calibrated axes.

A map has one variable per channel on one grid: (bias, y, x) for channels measured along a bias
sweep and for scan images (one bias, the set point), (y, x) for the maps that a grid records beside
its sweeps. Row 0 has the smallest y. Spectra at single points are (bias, point). Values are float32
in pm, pA, nS or the unit of the file, NaN where nothing was measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from qpi_kernel.maps import COORDINATE_UNITS, DIMS, check_map, make_map
from qpi_kernel.read.recording import Channel, Source
from qpi_kernel.read.units import displayed


def build_dataset(
    source: Source,
    channels: Sequence[Channel],
    *,
    bias_mV: npt.ArrayLike | None,
    size_nm: tuple[float, float] | None,
    facts: Mapping[str, Any],
    axes_nm: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    unit_of_progress: str = "points",
    notes: Sequence[str] = (),
    measured: npt.NDArray[np.bool_] | None = None,
) -> xr.Dataset:
    """Put the channels of a map on calibrated axes.

    Parameters
    ----------
    source : Source
        The file; its `size_nm` is used where the file states no size.
    channels : sequence of Channel
        Values (bias, y, x) or (y, x), row 0 at the smallest y, in any unit; m, A and S become pm,
        pA and nS. Values that stay on disk are dask arrays in the unit shown, their axes rising.
    bias_mV : array_like, shape (bias,), or None
        Sweep, or set point of an image [mV]; None: not stated, 0 stands in with a note.
    size_nm : (width, height) or None
        Size of the frame as the file states it [nm].
    facts : mapping
        Further facts of the file; None means that the file does not say.
    axes_nm : (x, y), optional
        Positions of the columns and rows [nm]; from 0 in steps of size / points if not given.
    unit_of_progress : {"points", "rows"}
        What the banner of an unfinished measurement counts.
    notes : sequence of str
        Banners for the user.
    measured : array, shape (y, x), optional
        Which points were measured, where the reader knows it without a look at the values.

    Raises
    ------
    ReadError
        If there is no channel, no size, or not a single measured point.
    """
    notes = list(notes)
    if not channels:
        raise source.error("at least one channel", "none", "record a channel or check the file")
    ny, nx = channels[0].values.shape[-2:]
    if min(ny, nx) < 2:
        raise source.error(
            "a map of at least 2 x 2 points", f"{nx} x {ny} points (a line)", "choose a map"
        )
    calibrated = size_nm is not None
    size = size_nm if size_nm is not None else source.size_nm
    if size is None:
        raise source.error(
            "a calibrated map", "no size in nm", "give the size (--size W,H on the command line)"
        )
    if not all(np.isfinite(edge) and 0 < edge < 1e9 for edge in size):
        raise source.error(
            "a size of more than 0 nm", f"{size[0]:g} x {size[1]:g} nm", "give the true size"
        )
    if not calibrated:
        notes.append(f"size given by hand: {size[0]:g} x {size[1]:g} nm")
    elif source.size_nm is not None:
        notes.append("the size given by hand was not used: the file states its own")
    if bias_mV is None:
        bias_mV = [0.0]
        notes.append("the file states no bias: 0 mV stands in")
    bias = np.atleast_1d(np.asarray(bias_mV, dtype=np.float64))
    x, y = axes_nm or (np.arange(nx) * (size[0] / nx), np.arange(ny) * (size[1] / ny))

    variables: dict[str, xr.DataArray] = {}
    found = np.zeros((ny, nx), dtype=bool)
    for channel in channels:
        swept = channel.values.ndim == 3 or bias.size == 1
        if isinstance(channel.values, np.ndarray):
            values, units = _shown(channel)
            if measured is None and not found.all():
                found |= np.isfinite(values).any(axis=tuple(range(values.ndim - 2)))
            variable = make_map(
                values,
                bias_mV=bias if swept else bias[:1],
                y_nm=y,
                x_nm=x,
                units=units,
                name=channel.name,
                copy=False,
            )
        else:
            variable = _on_disk(channel, bias, y, x)
        variables[distinct(channel.name, variables)] = (
            variable if swept else variable.isel(bias=0, drop=True)
        )
    found = found if measured is None else measured
    if not found.any():
        raise source.error(
            "at least one measured point", "none", "the measurement was aborted at its start"
        )
    done, total = int(found.sum()), int(found.size)
    if done < total:
        if unit_of_progress == "rows":
            notes.insert(0, f"scan unfinished: {int(found.any(axis=1).sum())} of {ny} rows")
        else:
            notes.insert(0, f"grid unfinished: {done} of {total} points")
    attrs = {
        **_facts(source, facts),
        "size_nm": (float(size[0]), float(size[1])),
        "points_measured": done,
        "points_total": total,
        "calibrated": calibrated,
        "notes": notes,
    }
    return xr.Dataset(variables, attrs=attrs)


def build_spectra(
    source: Source,
    channels: Sequence[Channel],
    *,
    bias_mV: npt.ArrayLike,
    xy_nm: npt.NDArray[np.float64] | None,
    facts: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> xr.Dataset:
    """Return spectra at single points: (bias, point), with the positions x and y [nm] if known.

    Parameters
    ----------
    source : Source
        The file.
    channels : sequence of Channel
        Values (bias, point) in any unit; m, A and S become pm, pA and nS.
    bias_mV : array_like, shape (bias,)
        Sweep [mV], rising or falling.
    xy_nm : array, shape (point, 2), or None
        Where the spectra were taken [nm].
    facts : mapping
        Further facts of the file; None means that the file does not say.
    notes : sequence of str
        Banners for the user.

    Raises
    ------
    ReadError
        If there is no channel, the sweep is not one of finite biases, or nothing was measured.
    """
    bias = np.atleast_1d(np.asarray(bias_mV, dtype=np.float64))
    if not channels or not bias.size or not np.isfinite(bias).all():
        raise source.error(
            "spectra along a bias", f"{len(channels)} channels, {bias.size} biases", "copy it again"
        )
    order = np.argsort(bias, kind="stable")
    coords: dict[str, Any] = {"bias": ("bias", bias[order], {"units": "mV"})}
    if xy_nm is not None:
        coords |= {
            name: ("point", column, {"units": "nm"})
            for name, column in zip(("x", "y"), xy_nm.T, strict=True)
        }
    variables: dict[str, xr.DataArray] = {}
    for channel in channels:
        values, units = _shown(channel)
        variables[distinct(channel.name, variables)] = xr.DataArray(
            values[order],
            dims=("bias", "point"),
            coords=coords,
            name=channel.name,
            attrs={"units": units},
        )
    found = np.any([np.isfinite(v.values).any(axis=0) for v in variables.values()], axis=0)
    if not found.any():
        raise source.error("at least one spectrum", "no values", "the measurement was aborted")
    done, total = int(found.sum()), int(found.size)
    unfinished = [f"spectra unfinished: {done} of {total}"] if done < total else []
    attrs = {
        **_facts(source, facts),
        "points_measured": done,
        "points_total": total,
        "notes": [*unfinished, *notes],
    }
    return xr.Dataset(variables, attrs=attrs)


def _facts(source: Source, facts: Mapping[str, Any]) -> dict[str, Any]:
    stated = {name: fact for name, fact in facts.items() if fact is not None}
    return {"format": source.format, "source": source.name, **stated}


def _shown(channel: Channel) -> tuple[npt.NDArray[np.float32], str]:
    """Return values in the unit in which they are shown, as float32, NaN for what is no number.

    The values may stay where they are, unless they belong to the bytes of the file.
    """
    factor, units = displayed(channel.units)
    values: npt.NDArray[np.float32] = channel.values
    if factor != 1.0 or values.dtype != np.float32 or not values.flags.writeable:
        values = np.empty(channel.values.shape, dtype=np.float32)
        # In double precision, but piece by piece: a double copy of a grid is twice the file.
        np.multiply(channel.values, factor, out=values, dtype=np.float64, casting="unsafe")
    if not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, np.float32(np.nan))
    return values, units


def _on_disk(
    channel: Channel, bias_mV: npt.NDArray[np.float64], y_nm: npt.ArrayLike, x_nm: npt.ArrayLike
) -> xr.DataArray:
    order = np.argsort(bias_mV, kind="stable")
    coords = {
        dim: (dim, np.asarray(axis, dtype=np.float64), {"units": COORDINATE_UNITS[dim]})
        for dim, axis in zip(DIMS, (bias_mV[order], y_nm, x_nm), strict=True)
    }
    variable = xr.DataArray(
        channel.values if np.all(np.diff(order) == 1) else channel.values[order],
        dims=DIMS,
        coords=coords,
        name=channel.name,
        attrs={"units": displayed(channel.units)[1]},
    )
    check_map(variable)
    return variable


def covered(axis: npt.ArrayLike) -> float:
    """Return the length that the points of an axis cover, half a pitch beyond both ends."""
    points = np.asarray(axis, dtype=np.float64)
    return round(abs(float(points[-1] - points[0])) * points.size / max(points.size - 1, 1), 9)


def distinct(name: str, taken: Mapping[str, object]) -> str:
    """Return `name`, numbered if it is taken: two channels may never become one."""
    candidate, count = name or "channel", 1
    while candidate in taken or candidate in ("bias", "y", "x", "point"):
        count += 1
        candidate = f"{name or 'channel'} ({count})"
    return candidate
