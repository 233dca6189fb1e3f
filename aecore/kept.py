"""A cache on disk for arrays that take long to compute: the second time, even after a restart, they are only opened."""

import math
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from aecore.files import home, remove

Arrays = Sequence[np.ndarray]

MOST = 2 * 10**9
"""Bytes that the cache may take on disk."""
LARGE = 2**25
"""Bytes from which on a new array lies on disk."""


def room(shape: tuple[int, ...]) -> np.ndarray:
    """A new float32 array of zeros for results; a LARGE one is mapped from a file, which goes when it goes.

    So computing the codes of a million images takes no more memory than those of a few.
    """
    size = math.prod(shape) * 4
    if size >= LARGE:
        with suppress(OSError):
            folder = home() / "cache"
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                for start in range(0, size, 2**20):  # if the disk is full, it says so here, and not in the middle
                    file.write(bytes(min(2**20, size - start)))
                file.flush()
                return np.memmap(file, np.float32, "r+", shape=shape)
    return np.zeros(shape, np.float32)


def kept(name: str, compute: Callable[[], Arrays], cache: Path | None = None) -> list[np.ndarray]:
    """The arrays that `compute` returns, or has returned under this name: read-only, mapped from files in a cache.

    That is a folder in AECORE_HOME, unless another one is given.

    The name must change when the result does; it has letters, digits, hyphens and underscores. A file that cannot be
    read is computed again; if the disk cannot be written, nothing is cached.
    """
    if found := find(name, cache):
        return found
    folder = _folder(name, cache)
    arrays = [np.asarray(array) for array in compute()]
    with suppress(OSError, ValueError, EOFError):
        _write(folder, arrays)
        _make_room(folder.parent)
        return _opened(folder)
    for array in arrays:
        array.flags.writeable = False
    return arrays


def find(name: str, cache: Path | None = None) -> list[np.ndarray] | None:
    """What is cached under this name; None if nothing is, or it cannot be read."""
    folder = _folder(name, cache)
    with suppress(OSError, ValueError, EOFError):
        if found := _opened(folder):
            os.utime(folder)  # what nobody asks for any more makes room first
            return found
    return None


def _folder(name: str, cache: Path | None) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", name):
        raise ValueError(f"name is {name!r}; use 1 to 200 letters, digits, hyphens and underscores")
    return (cache or home() / "cache") / name


def _make_room(cache: Path) -> None:
    """Delete what nobody asked for the longest time until the cache is no larger than MOST; open arrays stay valid."""
    folders = sorted(cache.iterdir(), key=lambda path: -path.stat().st_mtime)  # what died while it wrote, too
    size = 0
    for folder in folders:
        size += sum(path.stat().st_size for path in folder.iterdir())
        if size > MOST and folder != folders[0]:
            remove(folder)


def _opened(folder: Path) -> list[np.ndarray]:
    return [np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(folder.glob("*.npy"))]


def _write(folder: Path, arrays: Arrays) -> None:
    """The files of a result; they appear together or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".keeping-", dir=folder.parent))
    try:
        for number, array in enumerate(arrays):
            np.save(aside / f"{number}.npy", array, allow_pickle=False)
        with suppress(OSError):  # damaged files under this name make way
            for path in folder.glob("*.npy"):
                path.unlink()
            folder.rmdir()
        os.rename(aside, folder)
    finally:
        for path in aside.glob("*"):
            path.unlink()
        with suppress(OSError):
            aside.rmdir()
