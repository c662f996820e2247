"""Writing files and folders so that a reader finds the old one or the new one, never a half."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock


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


@contextmanager
def filling(folder: Path, seal: str | None = None) -> Iterator[Path]:
    """Give a temporary folder to write files to, and move them to `folder` at the end, all or none.

    Parameters
    ----------
    folder : Path
        Made if it is not there; files of these names are replaced. One process at a time fills it.
    seal : str, optional
        The file that goes first and comes last: while it is there, all files are of one time.

    Raises
    ------
    OSError
        If the folder cannot be made or written.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with filling(folder) as temporary:
    ...     _ = (temporary / "note.txt").write_text("done")
    >>> [file.name for file in folder.iterdir()]
    ['note.txt']
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        for left in folder.glob(".filling-*"):  # by a process that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".filling-") as temporary:
            yield Path(temporary)
            if seal is not None:
                (folder / seal).unlink(missing_ok=True)
            for file in sorted(Path(temporary).iterdir(), key=lambda file: file.name == seal):
                file.replace(folder / file.name)


@contextmanager
def alone(folder: Path, patience_s: float = 600.0) -> Iterator[None]:
    """Let one process at a time write to a folder; one that was killed does not count.

    Raises
    ------
    OSError
        If the folder cannot be written, or another process writes to it for longer than
        `patience_s`.
    """
    lock = folder / ".writing.lock"
    with FileLock(lock, timeout=patience_s):
        try:
            yield
        finally:
            # While it is held: who waits for it sees that it is gone, and makes a new one. Windows
            # removes it with the lock.
            with suppress(OSError):
                lock.unlink()


def reason_of(error: OSError) -> str:
    """Return why a file cannot be written, for the user."""
    # NumPy and HDF5 count the bytes that did not fit instead of saying why.
    return error.strerror or f"{error}: is the disk full?"
