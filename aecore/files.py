"""Files that survive a crash: written completely or not at all, removed in one step."""

import errno
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def home() -> Path:
    """The folder for everything that is saved: AECORE_HOME, or ~/.aecore."""
    return Path(os.environ.get("AECORE_HOME") or Path.home() / ".aecore")


class Unwritable(OSError, ValueError):
    """Nothing can be saved: the disk is full, or may not be written. The message is a sentence that says so."""


_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def saving() -> Iterator[None]:
    """Around what writes: raises Unwritable where the system refuses for want of space or of the right to write."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Unwritable("the disk is full; free some space and try again") from error
        if error.errno in _FORBIDDEN:
            raise Unwritable(
                "the folder for all that is saved cannot be written; the owner of this server can set AECORE_HOME to "
                "another one"
            ) from error
        raise


@saving()
def write_file(path: Path, content: bytes, durable: bool = True) -> None:
    """Replace a file so that a reader sees the old or the new content, never a part; `durable` waits for the disk."""
    aside = path.with_name(f".{path.name}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        _write(aside, content, durable)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@saving()
def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files that appears completely or not at all, and is on disk when this returns.

    Leftovers of a process that died here are deleted, so only one process may write below a parent at a time.
    """
    path.parent.mkdir(exist_ok=True)
    for stump in path.parent.glob(".*"):
        shutil.rmtree(stump, ignore_errors=True)
    if path.exists():
        return
    with arriving(path) as aside:
        for name, content in files.items():
            _write(aside / name, content, durable=False)


@contextmanager
def arriving(path: Path) -> Iterator[Path]:
    """A new folder to write into; it becomes `path` when the block ends well, and is deleted when it does not.

    Nothing else beside it is touched, so path may lie anywhere. Raises FileExistsError unless there is nothing at path,
    or an empty folder; FileNotFoundError when the folder around it is missing.
    """
    path = Path(os.path.abspath(path))
    if os.path.lexists(path) and not (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
        raise FileExistsError(f"{path} is there already and not empty; name a new folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write into; create it first")
    aside = path.parent / f".{path.name[:80]}.unfinished-{os.getpid()}-{time.monotonic_ns()}"
    aside.mkdir()
    try:
        yield aside
        for entry in [*aside.rglob("*"), aside]:
            _flush(entry)
        aside.rename(path)
        _flush(path.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


@saving()
def remove(folder: Path) -> None:
    """Rename a folder out of the way in one step, then delete it."""
    aside = folder.with_name(f".removed-{folder.name}-{time.monotonic_ns()}")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, content: bytes, durable: bool = True) -> None:
    with path.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
