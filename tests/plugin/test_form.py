from dataclasses import fields
from typing import Annotated, Literal

import pytest

pytest.importorskip("napari")
from pydantic import Field

from napari_qpi_kernel.form import SettingsForm, parameter_notes
from napari_qpi_kernel.prepare_panel import FIELDS as PREPARE_FIELDS
from qpi_kernel.preprocess.settings import DistortionSettings, PrepareSettings
from qpi_kernel.settings import settings


@settings
class Example:
    """An example.

    Parameters
    ----------
    method : {"good", "better"}
        How it is done,
        told over two lines.
    window_nm : float or None
        Side of the window; None takes the best one.
    degree : int or None
        Degree; None subtracts nothing.
    count, most : int
        Numbers.
    refine : bool
        Whether to refine.
    hidden : float
        Not on the form.
    """

    method: Literal["good", "better"] = "good"
    window_nm: Annotated[float, Field(gt=0, le=50)] | None = None
    degree: Annotated[int, Field(ge=0, le=3)] | None = 1
    count: int = Field(3, ge=1, le=10)
    most: int = 4
    refine: bool = True
    hidden: float = 2.5


NAMES = ("method", "window_nm", "degree", "count", "refine")


@pytest.fixture
def form(qtbot):
    form = SettingsForm(Example, NAMES)
    qtbot.addWidget(form)
    return form


def test_a_fresh_form_shows_the_defaults(form):
    assert form.value() == Example()


def test_what_is_typed_arrives_in_the_settings(form):
    typed = {"method": "better", "window_nm": 8.5, "degree": 3, "count": 7, "refine": False}
    for name, value in typed.items():
        form.widgets[name].value = value
    assert form.value() == Example(**typed)


def test_none_has_a_word_of_its_own(form):
    assert form.widgets["window_nm"].native.text() == "automatic"
    form.widgets["window_nm"].value = 8.5
    assert form.widgets["window_nm"].native.text() == "8.50 nm"
    form.widgets["window_nm"].value = 0
    form.widgets["degree"].value = None
    assert form.value().window_nm is None
    assert form.value().degree is None
    form.widgets["degree"].value = 0
    assert form.value().degree == 0


def test_limits_come_from_the_settings(form):
    assert (form.widgets["count"].min, form.widgets["count"].max) == (1, 10)
    assert form.widgets["window_nm"].max == 50
    assert form.widgets["method"].choices == ("good", "better")


def test_tooltips_come_from_the_docstring(form):
    assert form.widgets["method"].tooltip == "How it is done, told over two lines."
    assert form.widgets["window_nm"].tooltip.endswith("[nm]")
    assert parameter_notes(Example)["most"] == "Numbers."


@settings
class Whole:
    """Settings that hold others.

    Parameters
    ----------
    count : int
        A number.
    example : Example
        More of them.
    """

    count: int = 1
    example: Example = Field(default_factory=Example)


def test_settings_within_settings_are_shown_and_read(qtbot):
    form = SettingsForm(Whole, ("count", "example"))
    qtbot.addWidget(form)
    assert form.value() == Whole()
    with qtbot.waitSignal(form.changed):
        form.widgets["example"].widgets["method"].value = "better"
    assert form.value() == Whole(example=Example(method="better"))


def test_every_step_of_the_preparation_that_a_layer_allows_is_on_the_form(qtbot):
    form = SettingsForm(PrepareSettings, PREPARE_FIELDS)
    qtbot.addWidget(form)
    assert form.value() == PrepareSettings()
    assert {field.name for field in fields(PrepareSettings)} - set(PREPARE_FIELDS) == {
        "average_traces",
        "normalise",
    }
    form.widgets["hum_px"].value = 2.6
    form.widgets["distortion"].widgets["lawler_fujita"].value = True
    expected = PrepareSettings(hum_px=2.6, distortion=DistortionSettings(lawler_fujita=True))
    assert form.value() == expected
