"""Positions, weights and species, and their CSV files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_kernel.scatterers import Scatterers, ScatterersError, load_scatterers, save_scatterers

finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def any_scatterers(draw):
    count = draw(st.integers(0, 6))

    def column(numbers):
        return draw(st.lists(numbers, min_size=count, max_size=count))

    return Scatterers(
        np.reshape([column(finite), column(finite)], (2, count)).T,
        column(finite),
        column(st.integers(0, 5)),
        column(st.floats(0, 1)),
    )


@given(scatterers=any_scatterers())
def test_csv_gives_back_what_was_saved(tmp_path_factory, scatterers):
    path = tmp_path_factory.mktemp("points") / "points.csv"
    save_scatterers(scatterers, path)
    loaded = load_scatterers(path)
    for name in ("xy_nm", "weight", "species", "confidence"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(scatterers, name))
    assert [file.name for file in path.parent.iterdir()] == ["points.csv"]


def test_what_is_not_given_has_a_default():
    points = Scatterers([[1, 2], [3, 4]])
    assert points.weight.tolist() == points.confidence.tolist() == [1.0, 1.0]
    assert points.species.tolist() == [0, 0]
    assert points.species.dtype == np.int64
    assert len(points) == 2


def test_no_scatterers_is_a_valid_answer():
    assert len(Scatterers([])) == 0
    assert Scatterers([]).xy_nm.shape == (0, 2)


def test_scatterers_cannot_be_changed_and_do_not_share_the_input():
    xy = np.array([[1.0, 2.0]])
    points = Scatterers(xy)
    xy[:] = 9
    assert points.xy_nm.tolist() == [[1.0, 2.0]]
    with pytest.raises(ValueError, match="read-only"):
        points.xy_nm[0, 0] = 5


def test_select_keeps_the_columns_together():
    points = Scatterers([[1, 2], [3, 4], [5, 6]], [1, -2, 3], [0, 1, 0], [0.1, 0.2, 0.3])
    chosen = points.select(np.array([False, True, True]))
    assert chosen.xy_nm.tolist() == [[3, 4], [5, 6]]
    assert chosen.weight.tolist() == [-2, 3]
    assert chosen.species.tolist() == [1, 0]
    assert chosen.confidence.tolist() == [0.2, 0.3]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"xy_nm": np.zeros((2, 4))}, r"xy_nm has shape \(2, 4\), expected \(n, 2\)"),
        ({"xy_nm": [1.0, 2.0]}, r"xy_nm has shape \(2,\)"),
        ({"xy_nm": [["a", "b"]]}, "xy_nm should hold numbers"),
        ({"xy_nm": [[0, np.nan]]}, "xy_nm holds values that are not finite"),
        ({"weight": [1, 2]}, r"weight has shape \(2,\) for 1 scatterers"),
        ({"weight": 1.0}, r"weight has shape \(\) for 1 scatterers"),
        ({"species": [0.5]}, "species holds numbers that are not whole"),
        ({"confidence": [np.inf]}, "confidence holds values that are not finite"),
    ],
)
def test_wrong_columns_are_refused(columns, message):
    with pytest.raises(ScatterersError, match=message):
        Scatterers(**({"xy_nm": [[0.0, 0.0]]} | columns))


def test_csv_of_positions_alone_in_any_order_of_columns(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("\ufeffy_nm, x_nm\r\n2,1\r\n", encoding="utf-8")
    points = load_scatterers(path)
    assert points.xy_nm.tolist() == [[1.0, 2.0]]
    assert points.weight.tolist() == [1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found an empty file"),
        ("x,y\n1,2\n", "expected the columns x_nm,y_nm.*found x,y"),
        ("x_nm,y_nm,colour\n1,2,3\n", "found x_nm,y_nm,colour"),
        ("x_nm,y_nm,x_nm\n1,2,3\n", "found x_nm,y_nm,x_nm"),
        ("x_nm,y_nm\n1,2\n1,two\n", "line 3: y_nm should be a number, found 'two'"),
        ("x_nm,y_nm\n1\n", "line 2: y_nm should be a number, found None"),
        ("x_nm,y_nm\n1,nan\n", "line 2: y_nm should be a number, found 'nan'"),
    ],
)
def test_csv_that_is_no_list_of_scatterers(tmp_path, text, message):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(ScatterersError, match=message) as caught:
        load_scatterers(path)
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(ScatterersError, match="cannot be read"):
        load_scatterers(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00x")
    with pytest.raises(ScatterersError, match="cannot be read"):
        load_scatterers(tmp_path / "binary.csv")
    with pytest.raises(ScatterersError, match="cannot be written"):
        save_scatterers(Scatterers([[0, 0]]), tmp_path / "absent" / "points.csv")
