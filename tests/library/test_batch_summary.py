from dataclasses import astuple

import numpy as np
import pytest

from qpi_kernel.batch import Batch, _iter_make
from qpi_kernel.batch_summary import (
    WAITING,
    BatchItem,
    BatchProgress,
    load_summary,
    write_summary,
)
from qpi_kernel.errors import QpiError
from qpi_kernel.pipeline import PipelineSettings

MADE = BatchItem("a.3ds", "-20 to 20", "good", 7, 0.9, 0.8, 0.05, 1.5, "", "a-0123")
FAILED = BatchItem("b, c.sxm", error='it said "no"')


def test_a_summary_is_read_back_as_it_was_written(tmp_path):
    write_summary([MADE, FAILED], tmp_path)
    for read, item in zip(load_summary(tmp_path), (MADE, FAILED), strict=True):
        np.testing.assert_equal(astuple(read), astuple(item))


@pytest.mark.parametrize("content", [None, "verdict\ngood\n", "file,seconds\na,soon\n"])
def test_what_is_no_summary_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "summary.csv").write_text(content)
    with pytest.raises(QpiError, match="batch"):
        load_summary(tmp_path)


def test_every_step_tells_what_became_of_each_item(tmp_path, monkeypatch):
    def answers(_client, _function, asked):
        assert list(asked) == ["one", "two"]
        yield None
        yield "two", MADE
        yield "one", "the tip is gone"

    monkeypatch.setattr("qpi_kernel.batch.answers", answers)
    own = PipelineSettings(bias_mV=5.0)
    plans = {"a": [(own, "one"), (own, "two")], "bad": "not a map"}
    batch = Batch(["a", "bad"], own, None, tmp_path, per_energy=True)
    steps = list(_iter_make(batch, plans, None))
    assert all(isinstance(step, BatchProgress) for step in steps)
    told = [[item.error for item in step.items] for step in steps]
    assert told == [
        [WAITING, WAITING, "not a map"],
        [WAITING, "", "not a map"],
        ["the tip is gone", "", "not a map"],
    ]
    assert [item.bias_mV for item in steps[0].items] == ["5", "5", ""]
    assert {item.file for item in steps[-1].items} == {"a", "bad"}
