"""Generators of Progress: run to the end, nested, closed half way."""

from dataclasses import dataclass

import pytest

from qpi_kernel.progress import Progress, drain, drained, scaled


def work(log=None):
    try:
        for fraction in (0.0, 0.5, 1.0):
            yield Progress(fraction, "counting")
        return "result"
    finally:
        if log is not None:
            log.append("closed")


def test_drain_returns_the_result():
    assert drain(work()) == "result"


def iter_work():
    return work()


def test_what_runs_to_the_end_bears_the_name_that_it_is_found_by():
    assert drained(iter_work)() == "result"
    assert drained(iter_work).__qualname__ == "work"
    assert drained(iter_work, "run_work").__qualname__ == "run_work"


def test_scaled_maps_the_fractions_and_passes_the_result_on():
    results = []

    def whole():
        results.append((yield from scaled(work(), 0.2, 0.6)))

    seen = list(whole())
    assert results == ["result"]
    assert [step.fraction for step in seen] == pytest.approx([0.2, 0.4, 0.6])
    assert {step.message for step in seen} == {"counting"}


def test_what_else_a_step_tells_passes_through_the_scale():
    @dataclass(frozen=True)
    class Counted(Progress):
        count: int = 0

    def steps():
        yield Counted(0.5, "half", 3)

    assert list(scaled(steps(), 0.0, 0.5)) == [Counted(0.25, "half", 3)]


def test_closing_the_outer_generator_closes_the_inner_one():
    log = []
    steps = scaled(work(log), 0.0, 1.0)
    next(steps)
    steps.close()
    assert log == ["closed"]


def test_an_error_inside_reaches_the_caller():
    def broken():
        yield Progress(0.0, "starting")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        drain(scaled(broken(), 0.0, 1.0))
