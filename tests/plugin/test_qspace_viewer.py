"""The q viewer: made before it is needed, seen only with something in it, never left over."""

import pytest

pytest.importorskip("napari")
import napari

from napari_qpi_kernel.qspace_viewer import q_viewer_for, q_viewer_of
from tests.plugin.hands import q_viewers, shown_windows

HANG_MS = 120_000


@pytest.fixture
def opened(make_napari_viewer, add_map, open_dock):
    viewer = make_napari_viewer(show=True)
    add_map(viewer)
    return viewer, open_dock(viewer, method="average")


def test_it_is_made_by_the_click_and_seen_with_the_result(opened, qtbot):
    viewer, dock = opened
    dock.settings.extract.click()
    (made,) = q_viewers()
    dock.job.cancel_button.click()
    dock.settings.extract.click()
    seen = []
    dock.job._job.progressed.connect(lambda *_: seen.append(made in shown_windows()))
    assert q_viewer_of(viewer) is None
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)
    assert seen
    assert not any(seen)
    assert q_viewers() == [made]
    assert q_viewer_of(viewer) is made
    assert made in shown_windows()
    assert [layer.name for layer in made.layers] == ["Ag [kernel FFT]"]


def test_one_that_was_closed_is_made_anew(opened, qtbot):
    viewer, dock = opened
    for _ in range(2):
        dock.settings.extract.click()
        qtbot.waitUntil(lambda: not dock.job.busy, timeout=HANG_MS)
        (made,) = q_viewers()
        assert made in shown_windows()
        made.close()
        qtbot.waitUntil(lambda: not q_viewers())
        assert q_viewer_of(viewer) is None


@pytest.mark.parametrize("seen", [False, True])
def test_it_closes_with_the_viewer_of_the_map(opened, qtbot, seen):
    viewer, dock = opened
    made = q_viewer_for(viewer, dock)
    if seen:
        made.window.show()
    viewer.close()
    qtbot.waitUntil(lambda: not q_viewers())


def test_while_it_is_hidden_napari_talks_to_the_viewer_of_the_map(opened):
    viewer, dock = opened
    q_viewer_for(viewer, dock)
    assert napari.current_viewer() is viewer
