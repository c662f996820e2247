"""A form made from a settings class: one field, one labelled widget with limits and a tooltip."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar, cast, get_type_hints

from magicgui.widgets import create_widget
from pydantic import TypeAdapter
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from qpi_kernel.settings import from_dict

T = TypeVar("T")
AUTOMATIC = "automatic"
OFF = "none"
UNITS = {"per_nm": "1/nm", "nm": "nm", "mV": "mV", "meV": "meV", "px": "px", "deg": "°", "K": "K"}
LARGEST = 1e6
# Where the name of a field is too short for a label, or is a person's.
LABELS = {
    "hum_px": "Period of hum",
    "clusters_nm": "Clusters from",
    "pixel_nm": "New pixel size",
    "lawler_fujita": "Lawler-Fujita",
}


class SettingsForm(QWidget, Generic[T]):
    """Fields of a settings class as a form.

    An optional length (``float | None``, more than 0) stands at 0 for None and then reads
    "automatic" or "none"; an optional whole number is a list that begins with "none". A field that
    is a settings class itself shows all of its own.

    Parameters
    ----------
    cls : type
        A class made by `qpi_kernel.settings.settings`.
    names : sequence of str
        The fields to show, in this order; the others keep their defaults.
    """

    changed = Signal()

    def __init__(self, cls: type[T], names: Sequence[str]) -> None:
        super().__init__()
        self._cls = cls
        schema = TypeAdapter(cls).json_schema()["properties"]
        notes = parameter_notes(cls)
        kinds = get_type_hints(cls)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.widgets: dict[str, Any] = {}
        for name in names:
            if is_dataclass(kinds[name]):
                group: SettingsForm[Any] = SettingsForm(
                    cast(type, kinds[name]), [field.name for field in fields(kinds[name])]
                )
                group.changed.connect(self.changed)
                layout.addRow(group)
                self.widgets[name] = group
                continue
            label, unit = _label(name)
            note = notes.get(name, "")
            # "None takes ..." has the library choose; any other None switches something off.
            widget = _field_widget(schema[name], unit, AUTOMATIC if "None takes" in note else OFF)
            widget.tooltip = note + (f" [{unit}]" if unit and f"[{unit}]" not in note else "")
            widget.changed.connect(lambda _: self.changed.emit())
            layout.addRow(label, widget.native)
            self.widgets[name] = widget

    def values(self) -> dict[str, Any]:
        """Return the values the form shows, by name."""
        return {name: _read(widget) for name, widget in self.widgets.items()}

    def value(self) -> T:
        """Return the settings the form shows, with defaults for the fields it leaves out."""
        return from_dict(self._cls, self.values())

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show these values; fields that are not among them stay."""
        for name in self.widgets.keys() & values.keys():
            _write(self.widgets[name], values[name])


def parameter_notes(cls: type) -> dict[str, str]:
    """Return what the docstring of a class says about each of its parameters, in one line each."""
    notes: dict[str, str] = {}
    text = inspect.getdoc(cls) or ""
    for match in re.finditer(r"^(\w[\w, ]*) : .*\n((?: {4}.*\n?|\n(?= {4}))+)", text, re.M):
        for name in match[1].split(","):
            notes[name.strip()] = " ".join(match[2].split())
    return notes


def _label(name: str) -> tuple[str, str]:
    suffix = next((each for each in UNITS if name.endswith(f"_{each}")), "")
    words = name.removesuffix(f"_{suffix}").replace("_", " ")
    return LABELS.get(name, words[:1].upper() + words[1:]), UNITS.get(suffix, "")


def _field_widget(schema: Mapping[str, Any], unit: str, none_text: str) -> Any:
    """Make the magicgui widget of one field from its JSON schema: it states limits and choices."""
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    facts, optional = kinds[0], len(kinds) < len(schema.get("anyOf", kinds))
    default = schema.get("default")
    if "enum" in facts:
        return create_widget(value=default, options={"choices": facts["enum"]})
    low = facts.get("minimum", facts.get("exclusiveMinimum", 0 if optional else -LARGEST))
    high = facts.get("maximum", facts.get("exclusiveMaximum", LARGEST))
    if facts["type"] == "integer" and optional:
        numbers = [(str(number), number) for number in range(low, high + 1)]
        return create_widget(value=default, options={"choices": [(none_text, None), *numbers]})
    if facts["type"] == "integer":
        return create_widget(value=default, annotation=int, options={"min": low, "max": high})
    if facts["type"] == "number":
        options = {"min": low, "max": high, "step": 0.1 if high > 1 else 0.01}
        value = low if default is None else default
        widget: Any = create_widget(value=value, annotation=float, options=options)
        widget.native.setSuffix(f" {unit}" if unit else "")
        if optional:
            widget.native.setSpecialValueText(none_text)
        return widget
    return create_widget(value=default, annotation=bool if facts["type"] == "boolean" else str)


def _read(widget: Any) -> Any:
    if isinstance(widget, SettingsForm):
        return widget.values()
    special = getattr(widget.native, "specialValueText", str)()
    return None if special and widget.value == widget.min else widget.value


def _write(widget: Any, value: Any) -> None:
    if isinstance(widget, SettingsForm):
        widget.show_values(value)
    else:
        special = getattr(widget.native, "specialValueText", str)()
        widget.value = widget.min if special and value is None else value
