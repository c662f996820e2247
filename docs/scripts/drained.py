"""Show what ``drained(iter_name)`` made on the site as the function that it is.

mkdocstrings reads the code without running it, and would show an assignment without a word.
"""

import re
from copy import copy
from typing import Any

from griffe import Docstring, ExprSubscript, Extension, Function, Module

ASSIGNED = re.compile(r"drained\((iter_\w+)\)")
YIELDS = re.compile(r"\nYields\n-+\n.*?\n(?=\nReturns\n)", re.DOTALL)


class Drained(Extension):
    """Give each such name the parameters and the words of its generator, and its own result."""

    def on_module_members(self, *, mod: Module, **_: Any) -> None:
        """Replace the assignments of a module."""
        for name, member in list(mod.members.items()):
            if member.is_alias or not member.is_attribute:
                continue
            if found := ASSIGNED.fullmatch(str(member.value)):
                mod.set_member(name, _drained(mod.members[found[1]], name))


def _drained(steps: Function, name: str) -> Function:
    function = copy(steps)
    function.name = name
    if isinstance(steps.returns, ExprSubscript):
        function.returns = steps.returns.slice
    if steps.docstring is not None:
        text = YIELDS.sub("", steps.docstring.value)
        function.docstring = Docstring(text, lineno=steps.docstring.lineno, parent=function)
    return function
