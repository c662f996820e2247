"""Write the reference pages of the site when it is built: the command line and the public names.

mkdocs calls `on_files`. Both pages come from the docstrings, so that they cannot be out of date and
nobody has to commit them.
"""

from itertools import groupby
from typing import Any

from mkdocs.structure.files import File, Files

import qpi_kernel
from qpi_kernel.cli import app

API_INTRO = """# Python

What scripts may call, `import qpi_kernel as qk`. Units, signs and definitions are those of
[conventions](conventions.md).
"""


def command_line() -> str:
    """Return the page of the command line."""
    page: str = app.generate_docs(output_format="markdown")
    title, rest = page.split("\n", 1)
    return f"{title.replace('qpi-kernel', 'Command line')}\n{rest}"


def api() -> str:
    """Return the page of the public names, one section for each part of the library."""
    modules = {name: getattr(qpi_kernel, name).__module__ for name in qpi_kernel.__all__}
    parts = sorted(qpi_kernel.__all__, key=lambda name: (modules[name].split(".")[1], name))
    page = API_INTRO
    for part, names in groupby(parts, key=lambda name: modules[name].split(".")[1]):
        page += f"\n## {part}\n\n" + "".join(f"::: {modules[name]}.{name}\n\n" for name in names)
    return page


def on_files(files: Files, config: Any) -> Files:
    """Add the two pages to those of the folder docs."""
    for path, content in (("command-line.md", command_line()), ("api.md", api())):
        files.append(File.generated(config, path, content=content))
    return files
