"""The command `info`: what a file holds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from qpi_kernel.cli.arguments import Size
from qpi_kernel.cli.running import say

# Facts of the measurement, in the order in which they are told.
FACTS = {
    "setpoint_bias_mV": ("set point", "mV"),
    "setpoint_current_pA": ("set point", "pA"),
    "modulation_mV": ("lock-in", "mV"),
    "temperature_K": ("temperature", "K"),
    "date": ("date", ""),
}


def info(
    file: Path, /, *, json_output: Annotated[bool, Parameter("--json")] = False, size: Size = None
) -> None:
    """Say what a file holds: size, biases, channels, and which channel is taken for dI/dV.

    Parameters
    ----------
    file
        A measurement.
    json_output
        Write JSON.
    """
    facts = _facts(file, size)
    if json_output:
        say(json.dumps(facts, indent=2))
        return
    say(f"{facts['file']}: {facts['format']}")
    for label, words in _lines(facts):
        say(f"  {label:<11} {words}")


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield label and words of each line for people."""
    low, high = facts["bias_range_mV"]
    if facts["kind"] == "map":
        (width, height), (columns, rows) = facts["size_nm"], facts["points"]
        angle = "" if facts["angle_deg"] is None else f", angle {facts['angle_deg']:g} deg"
        yield "size", f"{width:.4g} x {height:.4g} nm, {columns} x {rows} points{angle}"
    else:
        yield "spectra", f"{facts['points'][0]}, not a map"
    one = facts["biases"] == 1
    yield "bias", f"{low:g} mV" if one else f"{low:g} to {high:g} mV, {facts['biases']} values"
    for name, (label, unit) in FACTS.items():
        value = facts[name]
        if value is not None:
            yield label, f"{value:g} {unit}" if isinstance(value, float | int) else str(value)
    yield "channels", ", ".join(f"{c['name']} [{c['units']}]" for c in facts["channels"])
    if facts["didv"]:
        yield "dI/dV", f"{facts['didv']['channel']} ({facts['didv']['reason']})"
    if facts["unfinished_points"]:
        total = facts["unfinished_points"] + facts["measured_points"]
        yield "unfinished:", f"{facts['unfinished_points']} of {total} points not measured"
    for note in facts["notes"]:
        yield "note", note


def _facts(file: Path, size: tuple[float, float] | None) -> dict[str, Any]:
    from qpi_kernel.read import read_file, select_didv

    dataset = read_file(file, size_nm=size)
    attrs = dataset.attrs
    spectra = "point" in dataset.dims
    didv = None if spectra else select_didv(dataset)
    biases = (dataset if didv is None else didv)["bias"].values
    measured = int(attrs["points_measured"])
    return {
        "file": file.name,
        "format": attrs["format"],
        "kind": "spectra" if didv is None else "map",
        "points": [dataset.sizes["point"]] if didv is None else [didv.sizes["x"], didv.sizes["y"]],
        "size_nm": None if didv is None else [float(edge) for edge in attrs["size_nm"]],
        "angle_deg": attrs.get("angle_deg"),
        "biases": int(biases.size),
        "bias_range_mV": [float(biases[0]), float(biases[-1])],
        **{name: attrs.get(name) for name in FACTS},
        "channels": [
            {"name": str(name), "units": channel.attrs["units"]}
            for name, channel in dataset.data_vars.items()
        ],
        "didv": None
        if didv is None
        else {
            "channel": didv.attrs.get("channel"),
            "units": didv.attrs["units"],
            "reason": didv.attrs.get("channel_reason"),
        },
        "measured_points": measured,
        "unfinished_points": int(attrs["points_total"]) - measured,
        "notes": [str(note) for note in attrs["notes"]],
        "sha256": attrs["sha256"],
    }
