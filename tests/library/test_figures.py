from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from qpi_kernel.assessment import Assessment
from qpi_kernel.errors import QpiError
from qpi_kernel.figures import result_figure, save_figure, transform_figure
from qpi_kernel.panels import map_panel
from qpi_kernel.qspace import TransformSettings, transformed
from qpi_kernel.scatterers import Scatterers

VERDICT = Assessment("doubtful", ("residual 1.6 times the noise",), {})


def texts(figure):
    """Collect all words of a figure."""
    return " | ".join(text.get_text() for text in figure.findobj(Text))


def images(figure):
    return [axes.get_images()[0] for axes in figure.axes if axes.get_images()]


def test_the_figure_names_source_bias_units_and_verdict(make_extraction):
    figure = result_figure(make_extraction(), VERDICT)
    words = texts(figure)
    for word in (
        "made.3ds, -20 mV, 9 scatterers",
        "Verdict: doubtful; residual 1.6 times the noise",
        "5 nm",
        "2/nm",
        "q (1/nm)",
    ):
        assert word in words
    bars = [axes.get_ylabel() for panel in figure.axes for axes in panel.child_axes]
    assert "dI/dV (nS)" in bars
    assert "log$_{10}$ |F| (nS nm²)" in bars


def test_pictures_show_y_upwards_in_the_coordinates_of_the_map(make_extraction):
    result = make_extraction()
    measured = images(result_figure(result))[0]
    left, right, bottom, top = measured.get_extent()
    assert (left, bottom) == pytest.approx((-3.1, 4.9))
    assert (right, top) == pytest.approx((20.9, 24.1))
    assert measured.origin == "lower"
    assert measured.axes.get_xlim() == (left, right)
    np.testing.assert_array_equal(measured.get_array().filled(np.nan), result.didv.values[0])


def test_residual_and_reconstruction_keep_the_contrast_of_the_map(make_extraction):
    measured, reconstruction, residual, *_ = images(result_figure(make_extraction()))
    assert reconstruction.get_clim() == measured.get_clim()
    low, high = measured.get_clim()
    assert np.diff(residual.get_clim())[0] == pytest.approx(high - low)


def test_each_species_has_a_row_of_its_own(make_extraction):
    result = make_extraction()
    points = result.scatterers
    parts = tuple(
        replace(
            result,
            kernel=(scale * result.kernel).assign_attrs(result.kernel.attrs),
            scatterers=Scatterers(points.xy_nm[chosen], species=np.full(count, label)),
        )
        for label, chosen, count, scale in ((1, slice(0, 4), 4, 1.0), (2, slice(4, 9), 5, -2.0))
    )
    figure = result_figure(replace(result, parts=parts), VERDICT)
    assert "9 scatterers" in figure.get_suptitle()
    pictures = images(figure)
    assert len(pictures) == 3 + 2 * len(parts)
    for picture, part in zip((pictures[3], pictures[5]), parts, strict=True):
        np.testing.assert_array_equal(picture.get_array(), part.kernel.values[0])
    rings = [each.get_offsets() for each in figure.axes[0].collections]
    np.testing.assert_allclose(np.concatenate(rings), points.xy_nm)
    colours = {tuple(each.get_edgecolor()[0]) for each in figure.axes[0].collections}
    assert len(colours) == len(parts)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles.index("Kernel of one scatterer, species 1") == 3
    assert titles.index("Kernel of one scatterer, species 2") == 6


@pytest.mark.parametrize("side", [1.2, 4.0])
def test_the_label_of_a_scale_bar_stands_above_its_bar(make_extraction, side):
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    result = make_extraction()
    map_panel(axes, result.didv, "", "nS", "gray", (0.0, 1.0), colour_bar=False)
    figure.draw_without_rendering()
    (label,) = [text for text in axes.findobj(Text) if text.get_text().endswith(" nm")]
    plate = next(each for each in axes.artists if isinstance(each, AnchoredOffsetbox))
    (bar,) = [each for each in plate.findobj(Rectangle) if each.get_width() == 5.0]
    assert label.get_window_extent().y0 >= bar.get_window_extent().y1


def test_the_clearest_bias_is_drawn_unless_one_is_asked_for(make_extraction):
    result = make_extraction(biases=(-20.0, 10.0))
    result.kernel.values[1] *= 3
    assert "10 mV" in result_figure(result).get_suptitle()
    assert "-20 mV" in result_figure(result, bias_mV=-18.0).get_suptitle()


def test_a_long_verdict_is_cut_and_a_flat_kernel_drawn(make_extraction):
    result = make_extraction()
    result.kernel.values[:] = 0
    figure = result_figure(result, Assessment("untrusted", ("much too long a reason",) * 20, {}))
    line = figure.texts[-1].get_text()
    assert len(line.splitlines()) == 2
    assert line.endswith("…")
    figure.draw_without_rendering()


def test_a_transform_stands_beside_its_kernel_and_that_of_the_raw_map_below(make_extraction):
    result = make_extraction(biases=(-20.0, 10.0))
    chosen = TransformSettings(window="hann", symmetry="C4")
    fft = transformed(result.kernel, chosen, centred=True)
    raw = transformed(result.didv, chosen, centred=False)
    figure = transform_figure(
        result.kernel, fft, bias_mV=8.0, title="made", beside=(result.didv, raw)
    )
    words = texts(figure)
    for word in ("made, 10 mV, C4, hann", "Kernel of one scatterer", "Map", "2 nm", "2/nm"):
        assert word in words
    kernel, transform, didv, raw_transform = images(figure)
    np.testing.assert_array_equal(kernel.get_array(), result.kernel.values[1])
    np.testing.assert_array_equal(didv.get_array().filled(np.nan), result.didv.values[1])
    assert kernel.get_clim()[0] == -kernel.get_clim()[1]
    edges = [image.get_extent()[1] for image in (transform, raw_transform)]
    assert edges[0] == pytest.approx(edges[1], rel=0.1)


def test_figures_are_saved_by_their_suffix(make_extraction, tmp_path):
    figure = result_figure(make_extraction(), VERDICT)
    starts = {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}
    for suffix, start in starts.items():
        path = save_figure(figure, tmp_path / f"figure{suffix}")
        assert path.read_bytes().startswith(start)
    assert save_figure(figure, tmp_path / "bare").name == "bare.svg"
    for path in ("figure.doc", "absent/figure.png"):
        with pytest.raises(QpiError, match="figure"):
            save_figure(figure, tmp_path / path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".pdf", ".png", ".svg", ".svg"]
