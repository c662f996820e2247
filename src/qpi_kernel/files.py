"""Writing files and folders so that a reader finds the old one or the new one, never a half."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, and rename it to `path` at the end.

    What is written may be a file or a folder.

    The temporary name keeps the suffix, by which some libraries choose the format. If the block
    fails, `path` stays as it was and nothing is left beside it.

    Raises
    ------
    OSError
        If the folder cannot be written; the caller says what was to be saved there.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "note.txt") as temporary:
    ...     _ = temporary.write_text("done")
    >>> [file.name for file in folder.iterdir()]
    ['note.txt']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        if path.is_dir():
            # A folder cannot be renamed over another one.
            old = path.with_name(f".{path.stem}.{os.getpid()}.old{path.suffix}")
            path.replace(old)
            temporary.replace(path)
            shutil.rmtree(old)
        else:
            temporary.replace(path)
    except BaseException:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        elif temporary.exists():
            temporary.unlink()
        raise
