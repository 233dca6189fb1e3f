"""Images as files that every process opens instead of holding a copy: the server, a training, an evaluation."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from aecore.data.downloads import cache_folder

LARGE = 16 * 2**20
"""Bytes from which on a file is worth it."""
MOST = 10**9
"""Bytes that all these files may take."""


def shared(images: np.ndarray) -> np.ndarray:
    """The same images, read-only, mapped from a file that is named by their SHA-256; as they are where few or no disk.

    The system keeps what is read of a file once for all processes, and takes it back when memory runs short.
    """
    if images.nbytes < LARGE:
        return images
    path = cache_folder("images") / f"{hashlib.sha256(np.ascontiguousarray(images)).hexdigest()}.npy"
    with suppress(OSError, ValueError):
        if (found := _opened(path, images)) is None:
            _write(path, images)
            found = _opened(path, images)
        return images if found is None else found
    return images


def _opened(path: Path, images: np.ndarray) -> np.ndarray | None:
    """The file, if it is there and as long as these images."""
    with suppress(OSError, ValueError, EOFError):
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if (found.shape, found.dtype) == (images.shape, images.dtype):
            os.utime(path)
            return np.asarray(found)
    return None


def _write(path: Path, images: np.ndarray) -> None:
    """Write the file completely or not at all; of the others, those that were opened last stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, aside = tempfile.mkstemp(".tmp", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            np.save(file, images, allow_pickle=False)
        os.replace(aside, path)
    finally:
        Path(aside).unlink(missing_ok=True)
    size = 0
    for other in sorted(path.parent.glob("*.npy"), key=lambda other: -other.stat().st_mtime):
        size += other.stat().st_size
        if size > MOST and other != path:
            other.unlink(missing_ok=True)
