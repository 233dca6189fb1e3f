"""A cache on disk for arrays that take long to compute: the second time, even after a restart, they are only opened."""

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from aecore.files import home

Arrays = Sequence[np.ndarray]


def kept(name: str, compute: Callable[[], Arrays]) -> list[np.ndarray]:
    """The arrays that `compute` returns, or has returned under this name: read-only, mapped from files in AECORE_HOME.

    The name must change when the result does; it has letters, digits, hyphens and underscores. A file that cannot be
    read is computed again; if the disk cannot be written, nothing is cached.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", name):
        raise ValueError(f"name is {name!r}; use 1 to 200 letters, digits, hyphens and underscores")
    folder = home() / "cache" / name
    with suppress(OSError, ValueError, EOFError):
        if found := _opened(folder):
            return found
    arrays = [np.asarray(array) for array in compute()]
    with suppress(OSError, ValueError, EOFError):
        _write(folder, arrays)
        return _opened(folder)
    for array in arrays:
        array.flags.writeable = False
    return arrays


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
