"""A form made from a settings class: one field, one labelled widget with limits and a tooltip."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from magicgui.widgets import create_widget
from pydantic import TypeAdapter
from qtpy.QtWidgets import QFormLayout, QWidget

from qpi_kernel.settings import from_dict

T = TypeVar("T")
AUTOMATIC = "automatic"
UNITS = ("nm", "mV", "meV", "px")
LARGEST = 1e6


class SettingsForm(QWidget, Generic[T]):
    """Fields of a settings class as a form.

    An optional number (``float | None``) stands at its lower end for None and reads "automatic".

    Parameters
    ----------
    cls : type
        A class made by `qpi_kernel.settings.settings`.
    names : sequence of str
        The fields to show, in this order; the others keep their defaults.
    """

    def __init__(self, cls: type[T], names: Sequence[str]) -> None:
        super().__init__()
        self._cls = cls
        schema = TypeAdapter(cls).json_schema()["properties"]
        notes = parameter_notes(cls)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.widgets: dict[str, Any] = {}
        for name in names:
            label, unit = _label(name)
            widget = _field_widget(schema[name], unit)
            widget.tooltip = notes.get(name, "") + (f" [{unit}]" if unit else "")
            layout.addRow(label, widget.native)
            self.widgets[name] = widget

    def value(self) -> T:
        """Return the settings the form shows."""
        return from_dict(self._cls, {name: _read(w) for name, w in self.widgets.items()})

    def set_value(self, values: Mapping[str, Any]) -> None:
        """Show these values; names the form does not have are left alone."""
        for name, value in values.items():
            if name in self.widgets:
                widget = self.widgets[name]
                widget.value = widget.min if value is None else value


def parameter_notes(cls: type) -> dict[str, str]:
    """Return what the docstring of a class says about each of its parameters, in one line each."""
    notes: dict[str, str] = {}
    text = inspect.getdoc(cls) or ""
    for match in re.finditer(r"^(\w[\w, ]*) : .*\n((?: {4}.*\n?|\n(?= {4}))+)", text, re.M):
        for name in match[1].split(","):
            notes[name.strip()] = " ".join(match[2].split())
    return notes


def _label(name: str) -> tuple[str, str]:
    words = name.split("_")
    unit = words.pop() if words[-1] in UNITS else ""
    return " ".join(words).capitalize(), unit


def _field_widget(schema: Mapping[str, Any], unit: str) -> Any:
    """Make the magicgui widget of one field from its JSON schema: it states limits and choices."""
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    facts, optional = kinds[0], len(kinds) < len(schema.get("anyOf", kinds))
    default = schema.get("default")
    if "enum" in facts:
        return create_widget(value=default, options={"choices": facts["enum"]})
    if facts["type"] not in ("number", "integer"):
        return create_widget(value=default, annotation={"boolean": bool}.get(facts["type"], str))
    options = {
        "min": facts.get("minimum", facts.get("exclusiveMinimum", 0 if optional else -LARGEST)),
        "max": facts.get("maximum", facts.get("exclusiveMaximum", LARGEST)),
    }
    whole = facts["type"] == "integer"
    if not whole:
        options["step"] = 0.1 if options["max"] > 1 else 0.01
    widget: Any = create_widget(
        value=options["min"] if default is None else default,
        annotation=int if whole else float,
        options=options,
    )
    if not whole:
        widget.native.setSuffix(f" {unit}" if unit else "")
    if optional:
        widget.native.setSpecialValueText(AUTOMATIC)
    return widget


def _read(widget: Any) -> Any:
    special = getattr(widget.native, "specialValueText", str)()
    return None if special and widget.value == widget.min else widget.value
