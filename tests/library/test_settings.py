"""Settings: refused when wrong, the same after a file."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from qpi_kernel.errors import QpiError
from qpi_kernel.settings import from_dict, load, save, settings, to_dict


@settings
class Window:
    """Settings of one stage."""

    window_nm: float | None = Field(default=None, gt=0)
    taper: Literal["none", "hann"] = "none"


@settings
class Recipe:
    """Settings that nest those of a stage."""

    window: Window = Window()
    rounds: int = Field(default=3, ge=1)
    region_nm: tuple[float, float, float, float] | None = None


lengths = st.floats(1e-3, 1e3)
recipes = st.builds(
    Recipe,
    window=st.builds(
        Window, window_nm=st.none() | lengths, taper=st.sampled_from(["none", "hann"])
    ),
    rounds=st.integers(1, 9),
    region_nm=st.none() | st.tuples(lengths, lengths, lengths, lengths),
)


@given(recipe=recipes, suffix=st.sampled_from([".toml", ".json", ".TOML"]))
def test_a_file_gives_back_what_was_saved(tmp_path_factory, recipe, suffix):
    path = tmp_path_factory.mktemp("settings") / f"recipe{suffix}"
    save(recipe, path)
    assert load(Recipe, path) == recipe


def test_settings_are_plain_values():
    assert to_dict(Recipe(region_nm=(0, 1, 2, 3))) == {
        "window": {"window_nm": None, "taper": "none"},
        "rounds": 3,
        "region_nm": [0.0, 1.0, 2.0, 3.0],
    }


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Recipe().rounds = 5


def test_wrong_values_are_refused_at_once():
    with pytest.raises(ValidationError):
        Window(window_nm=-1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rounds": 0}, "setting rounds: .*greater than or equal to 1.*got 0"),
        ({"window": {"window_nm": -2}}, r"setting window\.window_nm: "),
        ({"window": {"taper": "hamming"}}, r"setting window\.taper: .*'none' or 'hann'"),
        ({"windows": {}}, "setting windows: "),
        ({"rounds": "many"}, "setting rounds: .*got 'many'"),
    ],
)
def test_the_message_names_the_field(values, message):
    with pytest.raises(QpiError, match=message):
        from_dict(Recipe, values)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("recipe.json", "{", "cannot be read"),
        ("recipe.toml", "rounds = ", "cannot be read"),
        ("recipe.json", "[1, 2]", "expected a table of settings, found list"),
        ("recipe.json", '{"rounds": -1}', "setting rounds"),
    ],
)
def test_files_that_hold_no_settings(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(QpiError, match=message):
        load(Recipe, tmp_path / name)


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(QpiError, match="cannot be read"):
        load(Recipe, tmp_path / "absent.toml")
    with pytest.raises(QpiError, match="cannot be written"):
        save(Recipe(), tmp_path / "absent" / "recipe.toml")
