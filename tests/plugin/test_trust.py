import pytest

pytest.importorskip("napari")
from qtpy.QtCore import Qt

from napari_qpi_kernel.layer_choice import ElidedCombo
from napari_qpi_kernel.trust import linked_points, numbers_html, summary, verdict_html
from qpi_kernel.assessment import Assessment
from tests.plugin.test_extract_widget import extract

NUMBERS = {
    "half_agreement": [0.671],
    "half_agreement_chance": [0.043],
    "explained_structure": [0.8234],
    "prior_widening": [1.5],
}


def judged(*reasons, numbers=NUMBERS):
    return Assessment("doubtful", reasons, numbers)


def test_measures_are_told_in_words_and_the_rest_is_kept_for_those_who_ask():
    text = verdict_html(judged("because <it> is"))
    assert "Similarity of the two halves" in text
    assert "0.67 (chance 0.043)" in text
    assert "82 %" in text
    expected = "doubtful, similarity of the two halves 0.67 (chance 0.043)"
    assert summary(judged()) == expected
    assert summary(judged(numbers={})) == "doubtful"
    assert "because &lt;it&gt; is" in text
    assert "prior widening" not in text
    assert "prior widening" in numbers_html(NUMBERS)


def test_of_many_energies_the_median_and_the_range_are_told():
    many = {"explained_structure": [0.1, 0.5, 0.7, 0.9]}
    assert "70 (10 to 90) %" in verdict_html(judged(numbers=many))
    agreement = {f"half_agreement{kind}": [0.1, 0.2, 0.3, 0.4] for kind in ("", "_chance")}
    same = {"share_used": [1.0] * 5}
    assert "100 %" in verdict_html(judged(numbers=same))
    assert "0.3 (0.1 to 0.4) (chance 0.3)" in verdict_html(judged(numbers=agreement))
    assert "nan %" in verdict_html(judged(numbers={"explained_structure": [float("nan")]}))


@pytest.mark.parametrize(
    ("words", "numbers"),
    [("points 7 and 11", [7, 11]), ("points 3", [3]), ("point 2, 5 and 6", [2, 5, 6])],
)
def test_points_in_a_reason_are_links(words, numbers):
    text = verdict_html(judged(f"20% of it lies around {words}"))
    link = text.split("href='")[1].split("'")[0]
    assert linked_points(link) == numbers
    assert f">{words}</a>" in text
    assert "href" not in verdict_html(judged("only 7 points were measured"))


def test_a_link_selects_the_points_that_the_result_used(
    make_napari_viewer, qtbot, add_map, open_dock
):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    points = viewer.add_points([[8.0, 9.0], [15.0, 15.0], [20.0, 8.0]], name="mine")
    dock.scatterers.layers.choose(points)
    extract(qtbot, dock)
    used = viewer.layers["Ag [scatterers]"]
    assert not used.visible
    dock.results.verdict.linkActivated.emit("points:1,3")
    assert used.visible
    assert set(used.selected_data) == {0, 2}
    assert viewer.layers.selection.active == used
    viewer.layers.remove(used)
    dock.results.verdict.linkActivated.emit("points:1,3")
    assert "removed" in dock.job.status.text()


def test_all_numbers_are_folded_away(make_napari_viewer, qtbot, add_map, open_dock):
    viewer = make_napari_viewer()
    add_map(viewer)
    dock = open_dock(viewer)
    extract(qtbot, dock)
    assert not dock.results.all_numbers.isExpanded()
    assert "explained variance" in dock.results.numbers.text()
    assert "explained variance" not in dock.results.verdict.text()


def test_long_names_are_cut_in_the_middle_and_whole_in_the_tooltip(qtbot):
    combo = ElidedCombo("What it is for")
    qtbot.addWidget(combo)
    combo.addItem("a very long name of a measurement [scatterers 2]")
    combo.resize(160, 30)
    with qtbot.waitExposed(combo):
        combo.show()
    assert combo.toolTip() == f"{combo.currentText()}\nWhat it is for"
    assert combo.currentText().endswith("[scatterers 2]")
    assert combo.minimumSizeHint().width() < combo.fontMetrics().horizontalAdvance(
        combo.currentText()
    )
    assert combo.view().textElideMode() == Qt.ElideMiddle
