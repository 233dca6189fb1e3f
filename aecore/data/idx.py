"""IDX, the file format of MNIST and similar datasets."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from aecore.data.downloads import Unavailable


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzip or plain; its header and length must match this shape exactly.

    Raises Unavailable, with the file's name, if they do not; reads at most one byte too many.
    """
    header = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)
    expected = len(header) + math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unavailable(f"{path.name} is unreadable ({error}); replace it with the published file") from error
    if len(content) != expected or not content.startswith(header):
        raise Unavailable(f"{path.name} is not an IDX file of shape {shape}; replace it with the published file")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
