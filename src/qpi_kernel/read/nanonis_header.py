"""What the headers of all Nanonis files have in common."""

import re
from collections.abc import Mapping
from datetime import datetime

from qpi_kernel.read.recording import in_milli, number

# Nanonis writes this temperature where no thermometer is set up.
NO_THERMOMETER_K = 290.0


def unit_in(name: str) -> str:
    """Return the unit in the name of a channel, "LIX 1 omega [bwd] (A)"."""
    units = re.findall(r"\(([^()]*)\)", name)
    return units[-1].strip() if units else "a.u."


def module_facts(header: Mapping[str, str]) -> dict[str, float | None]:
    """Return what the modules "Bias", "Z-Controller", "Lock-in" and thermometers state."""
    current = number(header.get("Z-Controller>Setpoint") or header.get("Setpoint"))
    in_ampere = header.get("Z-Controller>Setpoint unit", "").strip() == "A"
    modulated = "bias" in header.get("Lock-in>Modulated signal", "").lower()
    lock_in_on = header.get("Lock-in>Lock-in status", "ON").strip() != "OFF"
    return {
        "setpoint_bias_mV": in_milli(number(header.get("Bias>Bias (V)"))),
        "setpoint_current_pA": round(current * 1e12, 6)
        if current is not None and in_ampere
        else None,
        "modulation_mV": in_milli(number(header.get("Lock-in>Amplitude")))
        if modulated and lock_in_on
        else None,
        "temperature_K": _temperature_K(header),
    }


def date_of(text: str) -> str | None:
    """Return "20.03.2025 14:02:20" in ISO form, None if it is no such date."""
    try:
        return datetime.strptime(text.strip(), "%d.%m.%Y %H:%M:%S").isoformat()
    except ValueError:
        return None


def _temperature_K(header: Mapping[str, str]) -> float | None:
    for key, value in header.items():
        in_kelvin = "(K)" in key or value.rstrip().endswith(" K")
        if in_kelvin and "temperature" in key.rpartition(">")[2].lower():
            temperature = number(value)
            if temperature:
                return temperature
    recorded = number(header.get("REC_TEMP"))
    return recorded if recorded and recorded != NO_THERMOMETER_K else None
