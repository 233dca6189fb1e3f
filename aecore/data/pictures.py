"""Pictures from outside: an upload, a photo, a drawing or a zip of them, fitted to the shape of a run's images.

No byte from outside is decoded in the program itself: a separate process does it, with Pillow alone and with limits on
memory and time. Run as a script, this file is that process.
"""

import contextlib
import io
import json
import stat
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
SUFFIXES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")
LARGEST_BYTES = 20_000_000
LARGEST_SIDE = 8192
LARGEST_AREA = 16_000_000
MEMORY = 512 * 2**20
"""Bytes of address space that a decoding process may use."""
SECONDS = 10.0
"""How long one picture may take."""
ENTRIES = 20_000
UNPACKED = 300_000_000
"""Bytes that a zip may unpack to, all pictures together."""

Shape = tuple[int, int, int]
"""Channels (1 or 3), height, width."""


class InputRejected(ValueError):
    """Rejected input from outside; the message is a sentence that says why, and what would be accepted."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture from outside as a network sees it.

    pixels (c, h, w) uint8; width and height of the original, upright; edge: mean brightness of its border, 0 to 255,
    before any inversion; notes: what was done to it.
    """

    pixels: "np.ndarray"
    width: int
    height: int
    edge: float
    notes: tuple[str, ...] = ()


class Reader:
    """Decodes pictures to one shape in a separate process, which starts with the first and ends with the `with`.

    >>> with Reader((1, 28, 28)) as reader:
    ...     reader.read(b"no picture")
    Traceback (most recent call last):
    aecore.data.pictures.InputRejected: This is not a readable picture: ...
    """

    def __init__(self, shape: Shape, invert: bool = False) -> None:
        self.shape, self.invert = shape, invert
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def read(self, content: bytes) -> Picture:
        """One picture file -> a picture of the reader's shape. Raises InputRejected with a sentence.

        The first frame of an animation, upright, transparency on white, 16 bits reduced to 8; scaled without stretching
        and padded with the mean color of its border. `invert` swaps black and white last.
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
        pixels = np.frombuffer(body, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)
        return Picture(pixels, answer["width"], answer["height"], answer["edge"], tuple(answer["notes"]))

    def _ask(self, content: bytes) -> tuple[dict[str, Any], bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        process, (channels, height, width) = self._process, self.shape
        question = {"bytes": len(content), "shape": self.shape, "invert": self.invert}
        watchdog = threading.Timer(SECONDS, process.kill)
        watchdog.start()
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n" + content)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or "null")
            body = process.stdout.read(channels * height * width) if answer and "problem" not in answer else b""
        except BrokenPipeError:
            answer = None
        finally:
            watchdog.cancel()
        if answer is None or ("problem" not in answer and len(body) != channels * height * width):
            self._stop()
            raise InputRejected("This picture needs too much memory or time; save it again, or at a smaller size.")
        return answer, body

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


def read_picture(content: bytes, shape: Shape, invert: bool = False) -> Picture:
    """Read one picture file in a separate process; see `Reader.read`. Raises InputRejected."""
    with Reader(shape, invert) as reader:
        return reader.read(content)


def count_files(file: IO[bytes]) -> int:
    """How many files a zip holds. Raises InputRejected for one that cannot be read."""
    with _opened(file) as archive:
        return sum(not entry.is_dir() for entry in archive.infolist())


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputRejected("This is not a readable zip file; zip the pictures again.") from error


def unpack(file: IO[bytes], reader: Reader) -> Iterator[tuple[str, Picture | InputRejected]]:
    """Yield (name, picture) for every file of a zip, one at a time, or the reason why it was skipped.

    Nothing is written to disk. Raises InputRejected when the zip as a whole is rejected.
    """
    with _opened(file) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > ENTRIES:
            raise InputRejected(f"This zip has {len(entries):,} files; the limit is {ENTRIES:,}.")
        spans = sorted((entry.header_offset, entry.header_offset + entry.compress_size) for entry in entries)
        if any(end > start for (_, end), (start, _) in pairwise(spans)):
            raise InputRejected("The files in this zip overlap; zip the pictures again.")
        seen: set[str] = set()
        left = UNPACKED
        for entry in entries:
            if (problem := _entry_problem(entry)) or entry.filename in seen:
                yield entry.filename, InputRejected(problem or "Another file has the same name.")
                continue
            seen.add(entry.filename)
            try:
                with archive.open(entry) as packed:
                    content = packed.read(min(LARGEST_BYTES, left) + 1)
            except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, zlib.error):
                yield entry.filename, InputRejected("The file is damaged.")
                continue
            left -= len(content)
            if left < 0:
                raise InputRejected(f"This zip unpacks to more than {UNPACKED // 10**6} MB; split it.")
            try:
                yield entry.filename, reader.read(content)
            except InputRejected as error:
                yield entry.filename, error


def read_all(files: Iterable[tuple[str, IO[bytes]]], reader: Reader) -> Iterator[tuple[str, Picture | InputRejected]]:
    """Yield (name, picture) for every named file, one at a time, or the reason why it was skipped."""
    for name, file in files:
        try:
            yield name, reader.read(file.read(LARGEST_BYTES + 1))
        except InputRejected as error:
            yield name, error


def _entry_problem(entry: zipfile.ZipInfo) -> str | None:
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


def png(image: "np.ndarray") -> bytes:
    """An image (c, h, w), uint8 or float in [0, 1], as a PNG file."""
    import numpy as np
    from PIL import Image

    from aecore.pixels import to_bytes

    image, buffer = to_bytes(image), io.BytesIO()
    Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, "PNG")
    return buffer.getvalue()


# From here on: what runs in the process of its own. It knows Pillow and the standard library alone.


class _NotTaken(Exception):
    """The sentence that goes back."""


def _serve() -> None:
    """Answer question after question: a line of JSON and the file; back comes a line of JSON and the pixels."""
    from PIL import (  # noqa: F401 - the plugins, which are not looked for when formats are named
        BmpImagePlugin,
        GifImagePlugin,
        Image,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    with contextlib.suppress(ImportError):  # where the system knows no limits, only the time is limited
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    Image.MAX_IMAGE_PIXELS = None  # `_open` has limits of its own, lower ones
    while line := sys.stdin.buffer.readline():
        question = json.loads(line)
        content, body = sys.stdin.buffer.read(question["bytes"]), b""
        try:
            answer, body = _fit(content, question["shape"], question["invert"])
        except _NotTaken as problem:
            answer = {"problem": str(problem)}
        except MemoryError:
            answer = {"problem": "This picture needs too much memory; save it at a smaller size."}
        except Exception:  # Pillow's readers raise whatever a damaged file leads them to
            answer = {"problem": "This picture is incomplete or damaged; save it again."}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + body)
        sys.stdout.buffer.flush()


def _fit(content: bytes, shape: Shape, invert: bool) -> tuple[dict[str, Any], bytes]:
    from PIL import Image, ImageOps

    image, notes = _open(content)
    size, (channels, height, width) = image.size, shape
    edge = _edge(image.convert("L"))[0]
    image = image.convert("L" if channels == 1 else "RGB")
    ground = _edge(image)
    scale = min(width / size[0], height / size[1])
    inner = tuple(max(1, min(side, round(scale * old))) for side, old in zip((width, height), size, strict=True))
    whole = all(old % new == 0 for old, new in zip(size, inner, strict=True))
    image = image.resize(inner, Image.Resampling.BOX if whole else Image.Resampling.LANCZOS)
    if inner != (width, height):
        canvas = Image.new(image.mode, (width, height), ground)
        canvas.paste(image, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        image = canvas
        notes.append("padded to fit")
    if invert:
        image = ImageOps.invert(image)
        notes.append("inverted")
    return {"width": size[0], "height": size[1], "edge": edge, "notes": notes}, image.tobytes()


def _open(content: bytes) -> "tuple[Image.Image, list[str]]":
    """The first frame, upright, as "L" or "RGB"."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise _NotTaken(f"This is not a readable picture: choose a {kinds} file.") from None
    _check(image.size)
    notes = ["first frame only"] if getattr(image, "is_animated", False) else []
    image.seek(0)
    turned = image.getexif().get(0x0112, 1) in range(2, 9)
    image.load()
    _check(image.size)
    image = ImageOps.exif_transpose(image)
    if turned:
        notes.append("turned upright")
    if image.mode.startswith(("I", "F")):
        image = _to_bytes(image, notes)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        notes.append("transparent parts filled with white")
    return image.convert("L" if image.mode in ("1", "L") else "RGB"), notes


def _check(size: tuple[int, int]) -> None:
    width, height = size
    if max(size) > LARGEST_SIDE or width * height > LARGEST_AREA:
        raise _NotTaken(
            f"This picture has {width} x {height} pixels; the limits are {LARGEST_AREA // 10**6} million pixels and "
            f"{LARGEST_SIDE} pixels per side."
        )


def _to_bytes(image: "Image.Image", notes: list[str]) -> "Image.Image":
    """Gray values of more than 8 bits or with a fraction, from black to white -> "L", rounded."""
    if image.mode.startswith("I;16"):
        white = 65535.0
    else:
        low, high = image.getextrema()
        ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((top for top in ranges if high <= top), 0.0)
        if not (low >= 0 and white):  # also where a value is not a number
            raise _NotTaken("The values of this picture must lie between 0 and 1, 0 and 255, or 0 and 65,535.")
    notes.append(f"values from 0 to {white:,.0f} scaled to 8 bits")
    floats = image.convert("I").convert("F") if image.mode.startswith("I") else image
    return floats.point(lambda value: value * (255 / white) + 0.5).convert("L")


def border(images: "np.ndarray") -> float:
    """The mean brightness of the borders of images (n, c, h, w), 0 to 255: is the ground dark or light?"""
    sides = [images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]]
    return float(sum(side.mean() for side in sides)) / 4


def _edge(image: "Image.Image") -> tuple[int, ...]:
    """The mean of the border, one number for each band."""
    from PIL import Image

    width, height = image.size
    sides = [(0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)]
    total = [0.0] * len(image.getbands())
    for box in sides:
        mean = image.resize((1, 1), Image.Resampling.BOX, box).tobytes()
        total = [
            so_far + value * max(box[2] - box[0], box[3] - box[1]) for so_far, value in zip(total, mean, strict=True)
        ]
    return tuple(round(value / (2 * (width + height))) for value in total)


if __name__ == "__main__":
    _serve()
