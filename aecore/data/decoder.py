"""What decodes a picture, in a process of its own with limits on memory; it knows Pillow and the standard library.

Run as a script, this file is that process; see `Reader` in pictures.py.
"""

import contextlib
import io
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
LARGEST_SIDE = 8192
LARGEST_AREA = 16_000_000
MEMORY = 512 * 2**20
"""Bytes of address space that the process may use."""
FITS = {"pad": "Pad", "crop": "Crop", "stretch": "Stretch"}
"""How a picture of another shape is made to fit: all of it with borders, its middle, or all of it out of shape."""
GROUNDS = {"white": "White", "black": "Black"}
"""What shows through where a picture is transparent."""
COLORFUL = 6
"""Levels by which the channels of a picture differ on average, from which on it counts as colored."""


class _NotTaken(Exception):
    """The sentence that goes back."""


def serve() -> None:
    """Answer question after question: a line of JSON and the file; back comes a line of JSON, pixels and thumbnail."""
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
        content, body = sys.stdin.buffer.read(question.pop("bytes")), b""
        try:
            answer, body = _fitted(content, **question)
        except _NotTaken as problem:
            answer = {"problem": str(problem)}
        except MemoryError:
            answer = {"problem": "This picture needs too much memory; save it at a smaller size."}
        except Exception:  # Pillow's readers raise whatever a damaged file leads them to
            answer = {"problem": "This picture is incomplete or damaged; save it again."}
        sys.stdout.buffer.write(json.dumps(answer | {"bytes": len(body)}).encode() + b"\n" + body)
        sys.stdout.buffer.flush()


def _fitted(
    content: bytes, shape: tuple[int, int, int], invert: bool, fit: str, ground: str, thumbnail: int
) -> tuple[dict[str, Any], bytes]:
    """What is known of a picture; its pixels (h, w, c) and then a JPEG of at most `thumbnail` pixels a side, if any."""
    from PIL import Image, ImageOps

    original, notes = _open(content, ground)
    size, (channels, height, width) = original.size, shape
    image = original.convert("L" if channels == 1 else "RGB")
    rim = _edge(image)
    edge = rim[0] if channels == 1 else round(0.299 * rim[0] + 0.587 * rim[1] + 0.114 * rim[2])
    box = (0, 0, *size)
    if fit == "crop":
        inner, scale = (width, height), min(size[0] / width, size[1] / height)
        cut = [min(wide, side * scale) for wide, side in zip(size, (width, height), strict=True)]  # but for rounding
        left, top = ((wide - part) / 2 for wide, part in zip(size, cut, strict=True))
        box = (left, top, min(left + cut[0], size[0]), min(top + cut[1], size[1]))
        if tuple(cut) != size:
            notes.append("cropped to fit")
    elif fit == "stretch":
        inner = (width, height)
    else:
        scale = min(width / size[0], height / size[1])
        inner = tuple(max(1, min(side, round(scale * old))) for side, old in zip((width, height), size, strict=True))
    whole = fit == "pad" and all(old % new == 0 for old, new in zip(size, inner, strict=True))
    image = image.resize(inner, Image.Resampling.BOX if whole else Image.Resampling.LANCZOS, box)
    if inner != (width, height):
        canvas = Image.new(image.mode, (width, height), rim)
        canvas.paste(image, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        image = canvas
        notes.append("padded to fit")
    if invert:
        image = ImageOps.invert(image)
        notes.append("inverted")
    about = {"width": size[0], "height": size[1], "edge": edge, "notes": notes, "colored": _colored(original)}
    return about, image.tobytes() + (_thumbnail(original, thumbnail) if thumbnail else b"")


def _colored(image: "Image.Image") -> bool:
    """Whether it has more than shades of gray."""
    from PIL import Image, ImageChops

    if image.mode != "RGB":
        return False
    red, green, blue = image.resize((16, 16), Image.Resampling.BOX).split()
    apart = (
        ImageChops.difference(*pair).resize((1, 1), Image.Resampling.BOX) for pair in ((red, green), (green, blue))
    )
    return max(mean.getpixel((0, 0)) for mean in apart) > COLORFUL


def _thumbnail(image: "Image.Image", most: int) -> bytes:
    image = image.copy()
    image.thumbnail((most, most))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _open(content: bytes, ground: str) -> "tuple[Image.Image, list[str]]":
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
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image).convert("RGB")
        notes.append(f"transparent parts filled with {ground}")
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
    serve()
