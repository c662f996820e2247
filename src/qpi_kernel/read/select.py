"""Which channel is the dI/dV map, and why."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.signal import savgol_filter

from qpi_kernel.maps import GRID_TOLERANCE, make_map
from qpi_kernel.read.recording import ReadError

LOCK_IN = r"\b(lia?|li demod \d+|lock-?in|sr)[ -]?"
# In this order; a channel of the second harmonic (n omega, 2 omega) measures d2I/dV2.
PREFERENCES = (
    (r"^di ?/?dv|^ldos", "named dI/dV"),
    (rf"{LOCK_IN}x\b", "lock-in X"),
    (rf"{LOCK_IN}r\b", "lock-in R"),
    (rf"{LOCK_IN}y\b", "lock-in Y (no X or R in the file)"),
    (r"^lia|lock-?in", "lock-in"),
    (r"^(input|aux|adc) ?\d", "external input (no lock-in channel in the file)"),
)
SECOND_HARMONIC = r"[n2-9] ?omega|d2i"
DERIVATIVE = "derivative of the current (no lock-in channel in the file)"
TOPOGRAPHY = r"^(topography|topo|z|height)$"
CURRENT = r"^(current|i)$"
# Of one measurement: the way back, what Nanonis filtered, single sweeps, frames scanned downwards.
OTHER_TRACES = r"\[(bwd|filt|down|retrace|\d+)\]"
# The shortest window that averages noise; wider ones would blur the features of the bands.
WINDOW_POINTS, DEGREE = 5, 2


def select_didv(dataset: xr.Dataset, channel: str | None = None) -> xr.DataArray:
    """Return the dI/dV map of a file.

    A lock-in signal in pA over a modulation amplitude in mV gives nS; without the amplitude it
    stays in pA, and signals in V or % are "a.u.". If a grid has no lock-in channel, dI/dV is the
    derivative of the current I(V): the slope of the parabola through five neighbouring points
    (Savitzky and Golay, doi:10.1021/ac60214a047), or central differences where the biases are not
    evenly spaced or fewer; ``attrs["derivative"]`` says which.

    Parameters
    ----------
    dataset : xarray.Dataset
        What `read_file` returns.
    channel : str, optional
        Name of a channel, also in other case, without its unit, or only its beginning if that is
        unique; by default X of the lock-in, else R, else Y, else an external input, else the
        derivative of the current, else the topography.

    Returns
    -------
    xarray.DataArray, (bias, y, x)
        A map; ``attrs["channel"]`` and ``attrs["channel_reason"]`` say what was chosen and why.

    Raises
    ------
    ReadError
        If there is no such channel, or its name stands for several; the message lists them. Also
        if the file holds spectra at single points, which are no map.
    """
    if "point" in dataset.dims:
        raise ReadError(
            f"{dataset.attrs.get('source', 'the dataset')}: expected a map, found point spectra of"
            f" {', '.join(map(str, dataset.data_vars))}; choose a grid or an image"
        )
    if channel is not None:
        name, reason = find_channel(dataset, channel), "chosen by name"
    else:
        name, reason = _preselect(dataset)
    if channel is None and reason == DERIVATIVE:
        return _derivative(dataset, name, reason)
    return _as_map(dataset, name, reason)


def select_topography(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the topography (forward trace) as a map with one bias [pm], None if there is none."""
    name = _first(_forward(dataset), TOPOGRAPHY)
    if name is None or "y" not in dataset[name].dims:
        return None
    topography = _as_map(dataset, name, "topography")
    return topography.isel(bias=slice(0, 1))


def find_channel(dataset: xr.Dataset, wanted: str) -> str:
    """Return the full name of the channel that `wanted` means."""
    names = [str(name) for name in dataset.data_vars]
    if wanted in names:
        return wanted
    key = _plain(wanted)
    matches = [name for name in names if _plain(name) == key]
    if not matches and key:
        matches = [name for name in names if _plain(name).startswith(key)]
        # The beginning of a name means the forward trace and the average of the sweeps.
        for simpler in (r"\[(?!avg)", r"\["):
            kept = [name for name in matches if not re.search(simpler, name.lower())]
            matches = kept if len(matches) > 1 and kept else matches
    if len(matches) == 1:
        return matches[0]
    raise ReadError(
        f"{dataset.attrs.get('source', 'the dataset')}: expected one channel called {wanted!r},"
        f" found {'several' if matches else 'none'}; choose one of {', '.join(matches or names)}"
    )


def _plain(name: str) -> str:
    """Return a name without unit, case and underscores."""
    without_unit = re.sub(r"\s*\([^)]*\)", "", name.replace("_", " "))
    return " ".join(without_unit.lower().split())


def _forward(dataset: xr.Dataset) -> dict[str, str]:
    """Return {plain name: name} of the forward, unfiltered traces, averages first."""
    names = [str(name) for name in dataset.data_vars]
    forward = [name for name in names if not re.search(OTHER_TRACES, name.lower())]
    ordered = sorted(forward or names, key=lambda name: "[avg]" not in name.lower())
    return {name: _plain(re.sub(r"\[.*?\]", "", name)) for name in ordered}


def _first(plain: Mapping[str, str], pattern: str) -> str | None:
    return next((name for name, text in plain.items() if re.search(pattern, text)), None)


def _preselect(dataset: xr.Dataset) -> tuple[str, str]:
    if len(dataset.data_vars) == 1:
        return str(next(iter(dataset.data_vars))), "the only channel of the file"
    plain = _forward(dataset)
    first_harmonic = {
        name: text
        for name, text in plain.items()
        if not re.search(SECOND_HARMONIC, text) and "bias" in dataset[name].dims
    }
    for pattern, reason in PREFERENCES:
        name = _first(first_harmonic, pattern)
        if name is not None:
            return name, reason
    current = _first(plain, CURRENT)
    if current is not None and dataset[current].sizes.get("bias", 0) > 2:
        return current, DERIVATIVE
    topography = _first(plain, TOPOGRAPHY)
    if topography is not None:
        return (
            topography,
            "no lock-in channel in the file: the topography stands in for the map",
        )
    return next(iter(plain)), "no lock-in channel in the file: the first channel stands in"


def _facts(dataset: xr.Dataset, name: str, reason: str) -> dict[str, Any]:
    # netCDF holds neither truth values nor empty lists.
    facts = {
        str(key): value
        for key, value in dataset.attrs.items()
        if not isinstance(value, bool) and value != []
    }
    return {**facts, "channel": name, "channel_reason": reason}


def _as_map(dataset: xr.Dataset, name: str, reason: str) -> xr.DataArray:
    values = dataset[name]
    units = str(values.attrs.get("units", "a.u."))
    facts = _facts(dataset, name, reason)
    data = values.values
    if _is_lock_in(name):
        modulation_mV = dataset.attrs.get("modulation_mV")
        if units == "pA" and modulation_mV:
            data, units = data / np.float32(modulation_mV), "nS"
            facts["conversion"] = f"signal in pA / modulation amplitude {modulation_mV:g} mV"
        elif units == "pA":
            facts["conversion"] = "none: the file states no modulation amplitude"
        elif units in ("V", "%"):
            facts["conversion"] = f"none: the signal in {units} is not calibrated"
            units = "a.u."
    has_bias = "bias" in values.dims
    return make_map(
        data,
        bias_mV=values["bias"].values if has_bias else [_setpoint_mV(dataset)],
        y_nm=values["y"].values,
        x_nm=values["x"].values,
        units=units,
        name=name,
        attrs=facts,
    )


def _is_lock_in(name: str) -> bool:
    text = _plain(name)
    return any(re.search(pattern, text) for pattern, _ in PREFERENCES)


def _setpoint_mV(dataset: xr.Dataset) -> float:
    return float(dataset.attrs.get("setpoint_bias_mV", 0.0))


def _derivative(dataset: xr.Dataset, name: str, reason: str) -> xr.DataArray:
    """Return dI/dV [nS] of a current I(V) [pA] (pA / mV = nS)."""
    current = dataset[name]
    bias = current["bias"].values
    if np.any(np.diff(bias) <= 0):
        raise ReadError(
            f"{dataset.attrs.get('source', 'the dataset')}: expected biases that all differ, found"
            " a bias twice, so that the current has no derivative; choose another channel"
        )
    slopes, derivative = _slopes(current.values, bias)
    calibrated = current.attrs.get("units") == "pA"
    return make_map(
        slopes,
        bias_mV=bias,
        y_nm=current["y"].values,
        x_nm=current["x"].values,
        units="nS" if calibrated else "a.u.",
        name=f"d({name})/dV",
        attrs={**_facts(dataset, name, reason), "derivative": derivative},
        copy=False,
    )


def _slopes(
    values: npt.NDArray[np.float32], bias_mV: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.floating], str]:
    """Return the derivative along the bias, and how it was taken."""
    steps = np.diff(bias_mV)
    even = float(np.ptp(steps)) <= GRID_TOLERANCE * float(np.mean(steps))
    if not even or bias_mV.size < WINDOW_POINTS:
        slopes: npt.NDArray[np.floating] = np.gradient(values, bias_mV, axis=0)
        return slopes, "central differences"
    step = float(np.mean(steps))
    slopes = savgol_filter(values, WINDOW_POINTS, DEGREE, deriv=1, delta=step, axis=0)
    return slopes, f"Savitzky-Golay, {WINDOW_POINTS} points, degree {DEGREE}"
