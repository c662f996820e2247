"""The trust panel in words: verdict, reasons, what was measured, and all numbers."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpi_kernel.assessment import Assessment

MANY = 3  # biases whose numbers are written out; of more, the median and the range
COLOURS = {"good": "#2ea043", "doubtful": "#d97706", "untrusted": "#dc2626"}
LINK = "#3b82f6"  # Qt's own dark blue is lost on napari's dark theme
# What a measure is called, and its value; "chance" is another measure.
WORDS = {
    "half_agreement": ("Similarity of the two halves", "{value} (chance {chance})"),
    "explained_structure": ("Structure explained", "{percent} %"),
    "spread_over_kernel": ("Error bars outside the core", "{percent} % of the kernel"),
    "residual_over_noise": ("Residual", "{value} × white noise"),
    "effective_averages": ("Scatterers that carry it", "{value}"),
    "origin_error_nm": ("Origin known to", "± {value} nm"),
    "share_used": ("Measured points used", "{percent} %"),
}
POINTS = re.compile(r"points? \d+(?:(?:, | and )\d+)*")


def verdict_html(assessment: "Assessment") -> str:
    """Return the verdict in its colour, the reasons as a list and the main measures as a table.

    Points that a reason names are links "points:7,11".
    """
    colour = COLOURS.get(assessment.verdict, "gray")
    reasons = "".join(f"<li>{_linked(str(reason))}</li>" for reason in assessment.reasons)
    rows = "".join(_row(words, text) for words, text in _measures(assessment))
    return (
        f"<p style='color:{colour}; font-size:15pt; font-weight:bold; margin:0'>"
        f"{escape(assessment.verdict)}</p>"
        f"<ul style='margin-left:-20px'>{reasons}</ul><table width='100%'>{rows}</table>"
    )


def summary(assessment: "Assessment") -> str:
    """Return the verdict with the first of its measures, in one line of plain text."""
    words, text = next(iter(_measures(assessment)), ("", ""))
    return f"{assessment.verdict}, {words[:1].lower()}{words[1:]} {text}".rstrip(", ")


def numbers_html(numbers: Mapping[str, Any]) -> str:
    """Return every number of an assessment under its own name, as a table."""
    rows = (_row(name.replace("_", " "), _number(value)) for name, value in numbers.items())
    return f"<table width='100%'>{''.join(rows)}</table>"


def linked_points(link: str) -> list[int]:
    """Return the numbers of the points, counted from 1, that a link of `verdict_html` names."""
    return [int(number) for number in re.findall(r"\d+", link)]


def _measures(assessment: "Assessment") -> list[tuple[str, str]]:
    """Return the main measures as (words, value with unit)."""
    numbers = assessment.numbers
    chance = _number(numbers.get("half_agreement_chance", "not known")).split(" (")[0]
    return [
        (
            words,
            form.format(
                value=_number(numbers[name]), percent=_percent(numbers[name]), chance=chance
            ),
        )
        for name, (words, form) in WORDS.items()
        if name in numbers
    ]


def _row(words: str, text: str) -> str:
    return f"<tr><td>{escape(words)}</td><td align='right'>&nbsp;{escape(text)}</td></tr>"


def _linked(reason: str) -> str:
    def link(match: re.Match[str]) -> str:
        numbers = ",".join(re.findall(r"\d+", match[0]))
        return f"<a href='points:{numbers}' style='color:{LINK}'>{match[0]}</a>"

    return POINTS.sub(link, escape(reason))


def _percent(values: Sequence[float]) -> str:
    return _number([float(f"{100 * value:.0f}") for value in values])


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}"
    if isinstance(value, list | tuple) and len(value) > MANY:
        ordered = sorted(value)
        middle, low, high = map(_number, (ordered[len(value) // 2], ordered[0], ordered[-1]))
        return middle if low == high else f"{middle} ({low} to {high})"
    if isinstance(value, list | tuple):
        return ", ".join(_number(item) for item in value)
    return str(value)
