"""Units as files spell them, in terms of the units that the library shows: nm, mV, pm, pA, nS."""

# "\\u00B5m" is how ImageJ escapes the micro sign.
NANOMETRES = {
    "m": 1e9,
    "meter": 1e9,
    "metre": 1e9,
    "mm": 1e6,
    "µm": 1e3,
    "μm": 1e3,
    "\\u00b5m": 1e3,
    "um": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "å": 0.1,
    "a": 0.1,
    "ang": 0.1,
    "angstrom": 0.1,
    "pm": 1e-3,
}
MILLIVOLTS = {
    "v": 1e3,
    "volt": 1e3,
    "ev": 1e3,
    "mv": 1.0,
    "millivolt": 1.0,
    "mev": 1.0,
}
# Values of a channel; "A" is an ampere here, and an Ångström where lengths are read.
DISPLAYED = {
    "m": (1e12, "pm"),
    "meter": (1e12, "pm"),
    "metre": (1e12, "pm"),
    "nm": (1e3, "pm"),
    "Å": (1e2, "pm"),
    "pm": (1.0, "pm"),
    "A": (1e12, "pA"),
    "ampere": (1e12, "pA"),
    "nA": (1e3, "pA"),
    "pA": (1.0, "pA"),
    "S": (1e9, "nS"),
    "siemens": (1e9, "nS"),
    "A/V": (1e9, "nS"),
    "ampere / volt": (1e9, "nS"),
    "nS": (1.0, "nS"),
    "pS": (1e-3, "nS"),
    "volt": (1.0, "V"),
    "Volt": (1.0, "V"),
    "Ampere": (1e12, "pA"),
    "Meter": (1e12, "pm"),
}


def nanometres(unit: str) -> float | None:
    """Return how many nm a unit of length is, None if it is none."""
    return NANOMETRES.get(unit.strip().lower())


def millivolts(unit: str) -> float | None:
    """Return how many mV a unit of bias or energy is, None if it is none."""
    return MILLIVOLTS.get(unit.strip().lower())


def displayed(unit: str) -> tuple[float, str]:
    """Return the factor and the unit in which values of `unit` are shown."""
    unit = unit.strip()
    return DISPLAYED.get(unit, (1.0, unit or "a.u."))
