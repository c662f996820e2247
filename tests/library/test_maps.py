"""The data type: what make_map accepts, what check_map refuses, crop and nearest_bias."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_kernel.errors import QpiError
from qpi_kernel.maps import (
    MapError,
    check_map,
    check_same_grid,
    crop,
    make_map,
    nearest_bias,
    odd_pixels,
    pixel_nm,
)

cubes = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(2, 6), st.integers(2, 6)),
    elements=st.floats(-9, 9, width=32),
)


def ramp(bias=3, rows=4, columns=5, pitch=0.5):
    """A map whose every value names its place."""
    return make_map(
        np.arange(bias * rows * columns).reshape(bias, rows, columns),
        bias_mV=np.arange(bias) * 10.0,
        y_nm=np.arange(rows) * pitch,
        x_nm=np.arange(columns) * pitch,
        units="nS",
        attrs={"angle_deg": 30.0},
    )


def test_a_map_has_the_form_that_the_stages_expect():
    didv = ramp()
    assert didv.dims == ("bias", "y", "x")
    assert didv.dtype == np.float32
    assert [didv[dim].attrs["units"] for dim in didv.dims] == ["mV", "nm", "nm"]
    assert didv.attrs == {"angle_deg": 30.0, "units": "nS"}
    assert didv.name == "dI/dV"
    check_map(didv)


@given(values=cubes, flips=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_a_falling_axis_is_turned_round_with_its_values(values, flips):
    axes = [np.arange(size) * 0.25 for size in values.shape]
    rising = make_map(values, bias_mV=axes[0], y_nm=axes[1], x_nm=axes[2])
    turned = [axis for axis, flip in enumerate(flips) if flip]
    given_axes = [axis[::-1] if flip else axis for axis, flip in zip(axes, flips, strict=True)]
    falling = make_map(
        np.flip(values, turned), bias_mV=given_axes[0], y_nm=given_axes[1], x_nm=given_axes[2]
    )
    assert falling.identical(rising)


def test_an_unordered_bias_axis_is_sorted_with_its_slices():
    didv = make_map(
        np.stack([np.full((2, 2), v) for v in (5.0, -5.0, 0.0)]),
        bias_mV=[5.0, -5.0, 0.0],
        y_nm=[0, 1],
        x_nm=[0, 1],
    )
    assert didv[:, 0, 0].values.tolist() == didv["bias"].values.tolist() == [-5.0, 0.0, 5.0]


def test_the_input_array_is_left_alone():
    values = np.zeros((2, 3), np.float32)
    make_map(values, bias_mV=[0], y_nm=[0, 1], x_nm=[0, 1, 2])[...] = 1
    assert not values.any()


def test_an_array_that_nobody_else_uses_becomes_the_map_itself():
    values = np.zeros((2, 3), np.float32)
    didv = make_map(values, bias_mV=[0], y_nm=[0, 1], x_nm=[0, 1, 2], copy=False)
    assert np.shares_memory(didv.values, values)


def test_unmeasured_points_stay_nan():
    values = np.array([[1.0, np.nan], [2.0, 3.0]])
    didv = make_map(values, bias_mV=[0], y_nm=[1, 0], x_nm=[0, 1])
    np.testing.assert_array_equal(didv.values[0], [[2.0, 3.0], [1.0, np.nan]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": np.zeros((2, 4))}, r"shape \(1, 2, 4\).*1, 2 and 3 points"),
        ({"values": np.zeros(3)}, "shape"),
        ({"bias_mV": [np.nan]}, "bias axis has values that are not finite"),
        ({"y_nm": [0, np.inf]}, "y axis has values that are not finite"),
        ({"x_nm": [0, 1, 3]}, "x axis is not evenly spaced"),
        ({"x_nm": [0, 1, 1]}, "x axis must increase"),
        ({"values": np.zeros((1, 2, 0)), "x_nm": []}, "empty"),
    ],
)
def test_wrong_parts_are_refused(changes, message):
    parts = {"values": np.zeros((2, 3)), "bias_mV": [0], "y_nm": [0, 1], "x_nm": [0, 1, 2]}
    with pytest.raises(MapError, match=message):
        make_map(**(parts | changes))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda didv: didv.values, "expected a map"),
        (lambda didv: didv[0], "dimensions"),
        (lambda didv: didv.astype(float), "float64"),
        (lambda didv: didv.drop_attrs(), "unit"),
        (lambda didv: didv.drop_vars("y"), "no y axis"),
        (lambda didv: didv[:, ::-1], "y axis must increase"),
        (lambda didv: didv[::-1], "bias axis must increase"),
        (lambda didv: didv[:, [0, 1, 3]], "y axis is not evenly spaced"),
        (lambda didv: didv[:0], "empty"),
    ],
)
def test_check_map_says_what_is_wrong(spoil, message):
    with pytest.raises(MapError, match=message):
        check_map(spoil(ramp()))


def test_map_errors_are_for_the_user():
    assert issubclass(MapError, QpiError)


def test_pixel_pitch_is_the_mean_step():
    didv = make_map(np.zeros((3, 5)), bias_mV=[0], y_nm=[0, 0.2, 0.4], x_nm=np.linspace(1, 2, 5))
    assert pixel_nm(didv) == (0.2, 0.25)


def test_a_line_has_no_pitch():
    with pytest.raises(MapError, match="at least 2 x 2"):
        pixel_nm(make_map(np.zeros((1, 5)), bias_mV=[0], y_nm=[0], x_nm=np.arange(5)))


def test_same_grid_tolerates_rounding_and_nothing_more():
    didv = ramp()
    check_same_grid(didv, didv.assign_coords(x=didv["x"] + 1e-6))
    with pytest.raises(MapError, match="different x positions"):
        check_same_grid(didv, didv.assign_coords(x=didv["x"] + 0.01))
    with pytest.raises(MapError, match="4 and 3 points along y"):
        check_same_grid(didv, didv[:, :3])


@given(
    corners=st.tuples(*(st.floats(-1, 5, allow_nan=False) for _ in range(4))),
)
def test_crop_keeps_exactly_the_points_inside(corners):
    didv = ramp(bias=1, rows=8, columns=9)
    x0, x1 = sorted((corners[0], corners[2]))
    y0, y1 = sorted((corners[1], corners[3]))
    columns = [x for x in didv["x"].values if x0 <= x <= x1]
    rows = [y for y in didv["y"].values if y0 <= y <= y1]
    if len(columns) < 2 or len(rows) < 2:
        with pytest.raises(MapError, match="fewer than 2 x 2 points"):
            crop(didv, corners)
        return
    part = crop(didv, corners)
    check_map(part)
    assert part["x"].values.tolist() == columns
    assert part["y"].values.tolist() == rows
    assert part.identical(didv.sel(y=rows, x=columns))


def test_nearest_bias_keeps_the_bias_axis():
    didv = nearest_bias(ramp(), 13.0)
    check_map(didv)
    assert didv["bias"].values.tolist() == [10.0]
    assert didv.values[0, 0, 0] == 20


def test_nearest_bias_refuses_what_is_no_number():
    with pytest.raises(MapError, match="nan mV is not a finite number"):
        nearest_bias(ramp(), float("nan"))


@pytest.mark.parametrize(
    ("window_nm", "pixel", "pixels"),
    [(8.0, 20 / 96, 37), (63 * 0.35, 0.35, 63), (15.75, 0.25, 63), (0.1, 0.25, 1), (0.5, 0.25, 1)],
)
def test_a_window_holds_an_odd_number_of_pixels(window_nm, pixel, pixels):
    assert odd_pixels(window_nm, pixel) == pixels
