"""Two viewers are open: what goes in one of them is freed in its own OpenGL context."""

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtGui import QOpenGLContext
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QLabel

from napari_qpi_kernel.own_canvas import free_in_own_context, main_window


@pytest.fixture
def pair(make_napari_viewer, qtbot):
    """Return two viewers, each with its canvas, drawn once."""
    both = []
    for _ in range(2):
        viewer = make_napari_viewer(show=True)
        label = QLabel("docked")
        viewer.window.add_dock_widget(label, name="label")
        for size in (32, 48):
            viewer.add_image(np.random.default_rng(size).normal(size=(size, size)))
        free_in_own_context(viewer, label, label)
        canvas = main_window(label).findChild(QOpenGLWidget)
        qtbot.waitUntil(canvas.isValid, timeout=20_000)
        both.append((viewer, canvas))
    qtbot.wait(200)
    return both


def contexts_at_removal(viewer):
    """Return a list that grows by the context that is current whenever a layer has gone."""
    seen = []
    viewer.layers.events.removed.connect(lambda _: seen.append(QOpenGLContext.currentContext()))
    return seen


@pytest.mark.parametrize("way", ["one", "all"])
def test_layers_go_in_the_context_of_their_own_viewer(pair, way):
    for (viewer, canvas), (_, other) in (pair, pair[::-1]):
        seen = contexts_at_removal(viewer)
        other.makeCurrent()
        if way == "one":
            del viewer.layers[0]
        else:
            viewer.layers.clear()
        assert seen
        assert all(context is not None and context == canvas.context() for context in seen)


def test_a_viewer_draws_again_after_the_other_was_closed(pair, qtbot):
    (kept, canvas), (closed, _) = pair
    canvas.makeCurrent()
    closed.close()
    for layer in kept.layers:
        layer.visible = False
        layer.visible = True
    qtbot.wait(200)
    assert kept.screenshot(canvas_only=True, flash=False)[..., :3].max() > 0
