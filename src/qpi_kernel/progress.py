"""Progress of long work: a generator yields `Progress` records and returns its result.

A caller that wants to cancel iterates and closes the generator; one that wants the result calls
`drain`, with a function to tell if it shows a bar or writes a log.
"""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import wraps
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


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


def drain(steps: Steps[T], tell: Callable[[Progress], object] | None = None) -> T:
    """Run a generator of `Progress` to its end and return its result.

    Parameters
    ----------
    steps : generator of Progress
        The work.
    tell : callable, optional
        Called with every step.

    Examples
    --------
    >>> def work():
    ...     yield Progress(0.5, "half way")
    ...     return 42
    >>> drain(work())
    42
    >>> drain(work(), tell=lambda step: print(f"{step.fraction:.0%} {step.message}"))
    50% half way
    42
    """
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if tell is not None:
            tell(step)


def drained(steps: Callable[P, Steps[T]], name: str | None = None) -> Callable[P, T]:
    """Return the function that runs ``iter_<name>`` to its end, under the name ``<name>``.

    Parameters
    ----------
    steps : callable
    name : str, optional
        Where the name is another.

    Examples
    --------
    >>> def iter_answer(question: str) -> Steps[int]:
    ...     yield Progress(0.5, question)
    ...     return 42
    >>> answer = drained(iter_answer)
    >>> answer("half way"), answer.__name__
    (42, 'answer')
    """

    @wraps(steps)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return drain(steps(*args, **kwargs))

    # Processes send functions to each other by these names.
    run.__name__ = run.__qualname__ = name or run.__name__.removeprefix("iter_")
    return run


def scaled(steps: Steps[T], start: float, stop: float) -> Steps[T]:
    """Run `steps` as the part from `start` to `stop` of a longer computation."""
    with closing(steps):  # a cancelled outer generator must stop the inner one at once
        while True:
            try:
                step = next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            # What else a step tells stays with it.
            yield replace(step, fraction=start + (stop - start) * step.fraction)
