"""Images as files that every process opens instead of holding a copy: the server, a training, an evaluation."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from aecore.data.downloads import cache_folder
from aecore.data.idx import read_idx
from aecore.kept import kept

LARGE = 4 * 2**20
"""Bytes from which on a file is worth it."""


def shared(images: np.ndarray) -> np.ndarray:
    """The same images, read-only, mapped from a file that their SHA-256 names; few images, or without a disk, as given.

    The system keeps what is read of a file once for all processes, and takes it back when memory runs short.
    """
    if images.nbytes < LARGE or _is_mapped(images):
        return images
    return _mapped(hashlib.sha256(np.ascontiguousarray(images)).hexdigest(), lambda: images)


def unpacked(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The same as `read_idx`; where that is much, mapped from the second time on, unless the file changed."""
    if math.prod(shape) < LARGE:
        return read_idx(path, shape)
    about = path.stat()
    name = f"{path.resolve()} {about.st_size} {about.st_mtime_ns} {about.st_ino} {shape}"
    return _mapped(hashlib.sha256(name.encode()).hexdigest(), lambda: read_idx(path, shape))


def _mapped(name: str, find: Callable[[], np.ndarray]) -> np.ndarray:
    return np.asarray(kept(name, lambda: [find()], cache_folder("images"))[0])


def _is_mapped(array: np.ndarray | None) -> bool:
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)
