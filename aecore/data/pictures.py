"""Pictures from outside: an upload, a photo, a drawing or a zip of them, fitted to the shape of a run's images.

No byte from outside is decoded in the program itself: a separate process does it, with Pillow alone and with limits on
memory and time.
"""

import contextlib
import json
import math
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Self

from aecore.data import decoder

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")
LARGEST_BYTES = 20_000_000
SECONDS = 10.0
"""How long one picture may take."""

Shape = tuple[int, int, int]
"""Channels (1 or 3), height, width."""


class InputRejected(ValueError):
    """Rejected input from outside; the message is a sentence that says why, and what would be accepted."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture from outside as a network sees it.

    pixels (c, h, w) uint8; width and height of the original, upright; edge: mean brightness of its border, 0 to 255,
    before any inversion; notes: what was done to it; colored: whether the original has more than shades of gray;
    thumbnail: the original as a small JPEG, if the reader makes one.
    """

    pixels: "np.ndarray"
    width: int
    height: int
    edge: float
    notes: tuple[str, ...] = ()
    colored: bool = False
    thumbnail: bytes = b""


class Reader:
    """Decodes pictures to one shape in a separate process, which starts with the first and ends with the `with`.

    >>> with Reader((1, 28, 28)) as reader:
    ...     reader.read(b"no picture")
    Traceback (most recent call last):
    aecore.data.pictures.InputRejected: This is not a readable picture: ...
    """

    def __init__(
        self, shape: Shape, invert: bool = False, fit: str = "pad", ground: str = "white", thumbnail: int = 0
    ) -> None:
        """fit: one of decoder.FITS; ground: what shows through, one of decoder.GROUNDS; thumbnail: its longest side."""
        for word, choices in ((fit, decoder.FITS), (ground, decoder.GROUNDS)):
            if word not in choices:
                raise ValueError(f"{word!r} is not known; choose one of {', '.join(choices)}")
        self.shape = shape
        self._wishes = {"shape": shape, "invert": invert, "fit": fit, "ground": ground, "thumbnail": thumbnail}
        self._process: subprocess.Popen | None = None
        self._deadline = math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def read(self, content: bytes) -> Picture:
        """One picture file -> a picture of the reader's shape. Raises InputRejected with a sentence.

        The first frame of an animation, upright, transparency on the ground, 16 bits reduced to 8. To pad is to scale
        it without stretching and add the mean color of its border. `invert` swaps black and white last.
        """
        import numpy as np

        if not content:
            raise InputRejected("This file is empty.")
        if len(content) > LARGEST_BYTES:
            raise InputRejected(f"This file is larger than {LARGEST_BYTES // 10**6} MB; choose a smaller picture.")
        answer, body = self._ask(content)
        if "problem" in answer:
            raise InputRejected(answer["problem"])
        channels, height, width = self.shape
        size = channels * height * width
        pixels = np.frombuffer(body, np.uint8, size).reshape(height, width, channels).transpose(2, 0, 1)
        known = {name: answer[name] for name in ("width", "height", "edge", "colored")}
        return Picture(pixels, notes=tuple(answer["notes"]), thumbnail=body[size:], **known)

    def _ask(self, content: bytes) -> tuple[dict[str, Any], bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", decoder.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            threading.Thread(target=self._watch, args=(self._process,), daemon=True).start()
        process, answer, body = self._process, None, b""
        self._deadline = time.monotonic() + SECONDS
        try:
            process.stdin.write(json.dumps(self._wishes | {"bytes": len(content)}).encode() + b"\n" + content)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or "null")
            body = process.stdout.read(answer["bytes"]) if answer else b""
        except BrokenPipeError:
            answer = None
        finally:
            self._deadline = math.inf
        if answer is None or len(body) != answer["bytes"]:
            self._stop()
            raise InputRejected("This picture needs too much memory or time; save it again, or at a smaller size.")
        return answer, body

    def _watch(self, process: subprocess.Popen) -> None:
        """End a process that takes too long; one thread for all its pictures, since to start one takes as long."""
        while process.poll() is None:
            if time.monotonic() > self._deadline:
                process.kill()
            time.sleep(0.25)

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


_one_at_a_time = threading.Lock()


def read_picture(content: bytes, shape: Shape, invert: bool = False) -> Picture:
    """Read one picture file in a separate process, one at a time; see `Reader.read`. Raises InputRejected."""
    with _one_at_a_time, Reader(shape, invert) as reader:
        return reader.read(content)


@contextlib.contextmanager
def zip_entries(file: IO[bytes], most: float) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """A zip and the files in it, at most so many, which do not overlap. Raises InputRejected."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputRejected("This is not a readable zip file; zip the pictures again.") from error
    with archive:
        entries = [entry for entry in archive.infolist() if entry.filename and not entry.is_dir()]
        if len(entries) > most:
            raise InputRejected(f"This zip has {len(entries):,} files; the limit is {most:,.0f}.")
        spans = sorted((entry.header_offset, entry.header_offset + entry.compress_size) for entry in entries)
        if any(end > start for (_, end), (start, _) in pairwise(spans)):
            raise InputRejected("The files in this zip overlap; zip the pictures again.")
        yield archive, entries


def entry_problem(entry: zipfile.ZipInfo) -> str | None:
    """Why a file in a zip is not taken as a picture, in a sentence; None if it is."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in entry.filename or not path.name:
        return "Its name points outside the zip."
    if path.name.startswith(".") or path.parts[0] == "__MACOSX" or path.suffix[1:].lower() not in SUFFIXES:
        return "Not a picture file, judging by its name."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "A link, not a file."
    if entry.flag_bits & 0x1:
        return "The file is encrypted."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "Its compression is not supported; use a standard zip."
    return f"Larger than {LARGEST_BYTES // 10**6} MB." if entry.file_size > LARGEST_BYTES else None


def border(images: "np.ndarray") -> float:
    """The mean brightness of the borders of images (n, c, h, w), 0 to 255: is the ground dark or light?"""
    sides = [images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]]
    return float(sum(side.mean() for side in sides)) / 4
