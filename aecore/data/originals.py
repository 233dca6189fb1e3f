"""The pictures of which the images of one's own sets were made: small copies, and the files where they still are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aecore.data.downloads import Unavailable
from aecore.data.own import about, arrays_of
from aecore.data.pictures import LARGEST_BYTES, InputRejected, Reader

THUMBNAIL = 256
"""Pixels of the longest side of an original that is kept."""
LARGE = 1024
"""Pixels of the longest side at which one is shown by itself."""


def thumbnail(name: str, split: str, row: int) -> bytes | None:
    """The original of an image as a JPEG of at most THUMBNAIL pixels a side; None for a set that has none."""
    try:
        folder = arrays_of(name) / split
        ends = np.load(folder / "ends.npy", mmap_mode="r", allow_pickle=False)
        if not 0 <= row < len(ends):
            return None
        start, end = int(ends[row - 1]) if row else 0, int(ends[row])
        with (folder / "originals.bin").open("rb") as file:
            file.seek(start)
            return file.read(min(end - start, 10**6)) or None
    except (Unavailable, OSError, ValueError):
        return None


def file(name: str, split: str, row: int) -> Path | None:
    """The file of which an image was made, in a folder of this machine that its owner named; None if it is not there.

    A file may have been replaced since.
    """
    try:
        folders = about(name).get("folders", [])
        ids = np.load(arrays_of(name) / split / "ids.npy", mmap_mode="r", allow_pickle=False)
        id = str(ids[row])
        for folder in map(Path, folders):
            path = folder / id
            if path.is_file() and path.resolve().is_relative_to(folder) and path.stat().st_size <= LARGEST_BYTES:
                return path
    except (Unavailable, OSError, ValueError, IndexError, TypeError):
        pass
    return None


def large(name: str, split: str, row: int) -> bytes | None:
    """The original as a JPEG of at most LARGE pixels a side where its file is there, else the thumbnail, if any."""
    path = file(name, split, row)
    if path is not None:
        try:
            with Reader((1, 8, 8), thumbnail=LARGE) as reader:
                return reader.read(path.read_bytes()).thumbnail
        except (InputRejected, OSError):
            pass
    return thumbnail(name, split, row)


def packed(name: str, split: str, row: int) -> tuple[bytes, str] | None:
    """The file of which an image was made and its suffix, or the thumbnail and ".jpg"; None for a set without any."""
    path = file(name, split, row)
    if path is not None:
        try:
            return path.read_bytes(), path.suffix.lower()
        except OSError:
            pass
    small = thumbnail(name, split, row)
    return None if small is None else (small, ".jpg")


def tiles(name: str, split: str, rows: Sequence[int], side: int = 96) -> np.ndarray | None:
    """The originals of these images on gray squares, (n, 3, side, side) uint8; None for a set that has none."""
    found = [thumbnail(name, split, row) for row in rows]
    return None if None in found else squares(found, side)


def square(content: bytes, most: int) -> np.ndarray:
    """One original on a gray square just large enough, (h, w, 3) uint8; at most `most` pixels a side."""
    import io

    from PIL import Image

    longest = max(Image.open(io.BytesIO(content), formats=("JPEG",)).size)
    return squares([content], min(most, longest * max(1, most // longest)))[0].transpose(1, 2, 0)


def squares(thumbnails: Sequence[bytes], side: int) -> np.ndarray:
    """Thumbnails, as they are made of pictures that come in, on gray squares: (n, 3, side, side) uint8."""
    import io

    from PIL import Image

    found = np.full((len(thumbnails), side, side, 3), 128, np.uint8)
    for place, content in enumerate(thumbnails):
        image = Image.open(io.BytesIO(content), formats=("JPEG",)).convert("RGB")
        image.thumbnail((side, side))
        scale = side // max(image.size)
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
        left, top = (side - image.width) // 2, (side - image.height) // 2
        found[place, top : top + image.height, left : left + image.width] = np.asarray(image)
    return found.transpose(0, 3, 1, 2)
