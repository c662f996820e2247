"""Progress of long work: a generator yields `Progress` records and returns its result.

A caller that wants a bar iterates, one that wants to cancel closes the generator, and one that only
wants the result calls `drain`.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """One step of a long computation.

    Parameters
    ----------
    fraction : float
        Share of the whole work that is done, 0 to 1.
    message : str
        What is being done, in the words of the user's field.
    """

    fraction: float
    message: str


Steps = Generator[Progress, None, T]


def drain(steps: Steps[T]) -> T:
    """Run a generator of `Progress` to its end and return its result.

    Examples
    --------
    >>> def work():
    ...     yield Progress(0.5, "half way")
    ...     return 42
    >>> drain(work())
    42
    """
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


def scaled(steps: Steps[T], start: float, stop: float) -> Steps[T]:
    """Run `steps` as the part from `start` to `stop` of a longer computation."""
    with closing(steps):  # a cancelled outer generator must stop the inner one at once
        while True:
            try:
                step = next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            yield Progress(start + (stop - start) * step.fraction, step.message)
