"""Pictures from outside: right to 1/255 in every mode and orientation, or one sentence."""

import contextlib
import io
import os
import re
import signal
import struct
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from forms import zipped
from PIL import Image

from aecore.data import decoder, pictures
from aecore.data.pictures import InputRejected, Reader, read_picture
from aecore.data.sources import Bounds, opened
from aecore.pixels import png

GRAY = np.array([[0, 51, 102, 153], [255, 204, 10, 20], [30, 40, 50, 60]], np.uint8)
RGB = np.stack([GRAY, 255 - GRAY, GRAY[::-1]], axis=2)
ALPHA = np.array([[255, 0, 128, 255], [0, 255, 64, 192], [255, 255, 0, 1]], np.uint8)


def packed(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


def palette(**options: object) -> bytes:
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4), "L").convert("P")
    image.putpalette(RGB.reshape(-1).tolist())
    return packed(image, **options)


def cmyk() -> tuple[bytes, np.ndarray]:
    inks = np.dstack([RGB, GRAY // 2])
    return packed(Image.fromarray(inks, "CMYK"), "TIFF"), (255 - inks[..., :3].astype(float)) * (
        1 - inks[..., 3:] / 255
    )


def animated() -> bytes:
    frames = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    return packed(frames[0], "GIF", save_all=True, append_images=frames[1:])


SIXTEEN = GRAY.astype(np.uint16) * 257
HIDDEN = np.dstack([RGB, np.zeros_like(GRAY)])  # wholly transparent, colors below

GOLDEN: dict[str, tuple[bytes, np.ndarray]] = {
    "gray PNG": (packed(GRAY), GRAY),
    "gray BMP": (packed(GRAY, "BMP"), GRAY),
    "gray GIF": (packed(GRAY, "GIF"), GRAY),
    "gray TIFF": (packed(GRAY, "TIFF"), GRAY),
    "gray TIFF, LZW": (packed(GRAY, "TIFF", compression="tiff_lzw"), GRAY),
    "gray lossless WEBP": (packed(Image.fromarray(GRAY).convert("RGB"), "WEBP", lossless=True), GRAY),
    "one bit": (packed(Image.fromarray(GRAY > 100)), (GRAY > 100) * 255.0),
    "16-bit PNG": (packed(SIXTEEN), GRAY),
    "16-bit PNG, between": (packed(SIXTEEN + np.uint16(100) * (GRAY < 255)), GRAY + 100 / 257 * (GRAY < 255)),
    "16-bit TIFF": (packed(SIXTEEN, "TIFF"), GRAY),
    "16-bit TIFF, other end first": (packed(Image.fromarray(SIXTEEN.astype(">u2")), "TIFF"), GRAY),
    "32-bit TIFF": (packed(SIXTEEN.astype(np.int32), "TIFF"), GRAY),
    "float TIFF to 1": (packed(GRAY.astype(np.float32) / 255, "TIFF"), GRAY),
    "float TIFF to 255": (packed(GRAY.astype(np.float32), "TIFF"), GRAY),
    "float TIFF to 65,535": (packed(SIXTEEN.astype(np.float32), "TIFF"), GRAY),
    "RGB": (packed(RGB), RGB),
    "RGB with a transparent color": (
        packed(RGB, transparency=(0, 255, 30)),
        np.where((RGB == (0, 255, 30)).all(2)[..., None], 255, RGB),
    ),
    "RGBA": (packed(np.dstack([RGB, ALPHA])), on_white(RGB, ALPHA)),
    "RGBA TIFF": (packed(np.dstack([RGB, ALPHA]), "TIFF"), on_white(RGB, ALPHA)),
    "RGBA, wholly clear": (packed(HIDDEN), np.full((3, 4, 3), 255.0)),
    "gray with alpha": (
        packed(Image.fromarray(np.dstack([GRAY, ALPHA]), "LA")),
        on_white(GRAY[..., None], ALPHA)[..., 0],
    ),
    "palette": (palette(), RGB),
    "palette GIF": (palette(kind="GIF"), RGB),
    "palette with a clear entry": (
        palette(transparency=5),
        on_white(RGB, np.where(np.arange(12) == 5, 0, 255).reshape(3, 4)),
    ),
    "CMYK": cmyk(),
    "animated": (animated(), GRAY),
}


@pytest.fixture(scope="module")
def readers() -> dict[int, Reader]:
    with Reader((1, 3, 4)) as gray, Reader((3, 3, 4)) as color:
        yield {1: gray, 3: color}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", GOLDEN)
def test_every_mode_is_right_to_one_step(name: str, channels: int, readers: dict[int, Reader]) -> None:
    content, expected = GOLDEN[name]
    if expected.ndim == 2:
        expected = np.stack([expected] * 3, axis=2)
    expected = luma(expected)[None] if channels == 1 else expected.transpose(2, 0, 1)
    picture = readers[channels].read(content)
    assert picture.pixels.dtype == np.uint8
    assert np.abs(picture.pixels - expected).max() <= 1.01


TURNS = {
    1: GRAY, 2: GRAY[:, ::-1], 3: GRAY[::-1, ::-1], 4: GRAY[::-1], 5: GRAY.T, 6: GRAY[::-1].T, 7: GRAY[::-1, ::-1].T,
    8: GRAY[:, ::-1].T,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", TURNS)
def test_every_orientation_stands_upright(turn: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.fromarray(GRAY).convert("RGB" if kind == "WEBP" else "L")
    options = {"lossless": True} if kind == "WEBP" else {}
    upright = TURNS[turn]
    picture = read_picture(packed(image, kind, exif=exif, **options), (1, *upright.shape))
    assert np.abs(picture.pixels[0].astype(int) - upright).max() <= 1
    assert (picture.height, picture.width) == upright.shape
    assert ("turned upright" in picture.notes) == (turn > 1)


def test_a_jpeg_is_what_pillow_makes_of_it() -> None:
    content = packed(RGB, "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_picture(content, (3, 3, 4)).pixels, expected)


def test_whole_factors_are_means_of_blocks() -> None:
    large = np.random.default_rng(0).integers(0, 256, (24, 32), np.uint8)
    expected = large.reshape(3, 8, 4, 8).mean(axis=(1, 3))
    assert np.abs(read_picture(packed(large), (1, 3, 4)).pixels[0] - expected).max() <= 1


def test_what_is_not_square_is_padded_with_its_border_and_never_stretched() -> None:
    wide = np.full((4, 8), 200, np.uint8)
    wide[1:3, 2:6] = 0
    picture = read_picture(packed(wide), (1, 8, 8))
    np.testing.assert_array_equal(picture.pixels[0, 2:6], wide)
    assert (picture.pixels[0, [0, 1, 6, 7]] == 200).all()
    assert "padded to fit" in picture.notes
    assert picture.edge == 200


def test_invert_swaps_black_and_white_last() -> None:
    plain, inverted = (read_picture(packed(RGB), (3, 3, 4), invert) for invert in (False, True))
    np.testing.assert_array_equal(inverted.pixels, 255 - plain.pixels)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (8192, 1), (1, 8192), (4000, 4000)])
def test_tiny_and_huge_pictures_are_taken(size: tuple[int, int]) -> None:
    assert (read_picture(packed(Image.new("L", size, 77)), (1, 28, 28)).pixels == 77).all()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises this size."""
    content = bytearray(packed(GRAY))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zipfile.crc32(bytes(content[12:29])))
    return bytes(content)


ANY = packed(RGB)
HOSTILE = {
    "nothing": (b"", "empty"),
    "text": (b"hello", "not a readable picture"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a readable picture"),
    "PDF": (b"%PDF-1.7 %EOF", "not a readable picture"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a readable picture"),
    "PPM": (packed(RGB, "PPM"), "not a readable picture"),
    "half a PNG": (ANY[: len(ANY) // 2], "incomplete or damaged"),
    "half a JPEG": (packed(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "JPEG")[:2000], "damaged"),
    "wide": (packed(Image.new("1", (8193, 2))), "8193 x 2 pixels"),
    "large": (packed(Image.new("1", (8000, 8000))), "8000 x 8000 pixels"),
    "promises much": (bomb(2**31 - 1, 2**31 - 1), "million pixels|damaged|not a readable"),
    "promises 30 million": (bomb(1, 30_000_000), "million pixels"),
    "floats below 0": (packed(-np.ones((3, 4), np.float32), "TIFF"), "must lie between 0 and 1"),
    "floats without end": (packed(np.full((3, 4), np.inf, np.float32), "TIFF"), "must lie between 0 and 1"),
    "no numbers": (packed(np.full((3, 4), np.nan, np.float32), "TIFF"), "must lie between 0 and 1"),
    "too many bytes": (b"\x89PNG" + bytes(pictures.LARGEST_BYTES), "larger than 20 MB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_one_sentence(name: str) -> None:
    content, words = HOSTILE[name]
    with pytest.raises(InputRejected, match=words) as caught:
        read_picture(content, (1, 28, 28))
    assert str(caught.value).endswith(".")


def test_mutated_files_give_a_picture_or_a_sentence_and_the_reader_lives_on() -> None:
    rng = np.random.default_rng(0)
    seeds = [content for content, _ in GOLDEN.values()]
    with Reader((1, 28, 28)) as reader:
        for number in range(300):
            content = bytearray(seeds[number % len(seeds)])
            for place in rng.integers(0, len(content), 3):
                content[place] = rng.integers(256)
            with contextlib.suppress(InputRejected):
                assert reader.read(bytes(content)).pixels.shape == (1, 28, 28)
        np.testing.assert_array_equal(reader.read(GOLDEN["gray PNG"][0]).pixels.shape, (1, 28, 28))


def test_a_reader_that_takes_too_long_is_killed_and_the_next_picture_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SECONDS", 0.5)
    with Reader((1, 3, 4)) as reader:
        reader.read(packed(GRAY))
        os.kill(reader._process.pid, signal.SIGSTOP)
        with pytest.raises(InputRejected, match="too much memory or time"):
            reader.read(packed(GRAY))
        monkeypatch.setattr(pictures, "SECONDS", 10.0)
        np.testing.assert_array_equal(reader.read(packed(GRAY)).pixels[0], GRAY)


def test_the_reading_process_may_not_have_all_memory() -> None:
    content = packed(Image.new("L", (4000, 4000)))
    with Reader((1, 28, 28)) as reader:
        reader.read(content)
        limits = Path(f"/proc/{reader._process.pid}/limits").read_text()
    assert re.search(rf"Max address space +{decoder.MEMORY} ", limits)


def test_the_reading_process_knows_pillow_alone() -> None:
    with Reader((1, 28, 28)) as reader:
        reader.read(packed(GRAY))
        maps = Path(f"/proc/{reader._process.pid}/maps").read_text()
    assert "PIL" in maps
    assert not any(name in maps for name in ("numpy", "torch", "streamlit"))


@pytest.mark.parametrize("fit", decoder.FITS)
def test_no_shape_is_too_odd_to_fit(fit: str) -> None:
    rng = np.random.default_rng(0)
    with Reader((1, 28, 28), fit=fit) as reader:
        for width, height in [(246, 649), (865, 450), (1, 999), *rng.integers(1, 900, (60, 2)).tolist()]:
            assert reader.read(packed(Image.new("L", (width, height), 99))).pixels.max() == 99


WIDE = np.repeat(np.arange(0, 160, 20, dtype=np.uint8)[None], 4, 0)
"""8 pixels wide, 4 high: a ramp from left to right."""


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("crop", WIDE[:, 2:6]),
        ("stretch", WIDE.reshape(4, 4, 2).mean(axis=2)),
        ("pad", np.stack([WIDE.reshape(2, 2, 4, 2).mean(axis=(1, 3))[0]] * 2)),
    ],
)
def test_a_picture_of_another_shape_is_made_to_fit_as_asked(fit: str, expected: np.ndarray) -> None:
    with Reader((1, 4, 4), fit=fit) as reader:
        pixels = reader.read(packed(WIDE)).pixels[0]
    if fit == "pad":
        assert np.ptp(pixels[[0, 3]]) == 0, "a border of one color above and below"
        pixels = pixels[1:3]
    assert np.abs(pixels.astype(float) - expected).max() <= 8  # the filter reaches beyond the pixel


def test_what_shows_through_is_white_or_black_as_asked() -> None:
    clear = Image.fromarray(np.zeros((4, 4, 4), np.uint8))
    for ground, level in (("white", 255), ("black", 0)):
        with Reader((1, 4, 4), ground=ground) as reader:
            assert (reader.read(packed(clear)).pixels == level).all()
    with pytest.raises(ValueError, match="choose one of white, black"):
        Reader((1, 4, 4), ground="green")


def test_a_thumbnail_is_the_original_made_small_and_color_is_noticed() -> None:
    tall = np.zeros((500, 100, 3), np.uint8)
    tall[:250] = 200, 30, 30
    with Reader((3, 8, 8), thumbnail=100) as reader:
        picture = reader.read(packed(tall))
        gray = reader.read(packed(GRAY))
    small = Image.open(io.BytesIO(picture.thumbnail))
    assert (small.format, small.size, picture.colored, gray.colored) == ("JPEG", (20, 100), True, False)
    assert np.abs(np.array(small, int)[10, 10] - (200, 30, 30)).max() < 12


def brought(content: bytes, folder: Path, bounds: Bounds | None = None) -> list[tuple[str, str]]:
    """(name, "picture" or the reason) for everything in a zip."""
    (folder / "in.zip").write_bytes(content)
    told = []
    with opened(folder / "in.zip", bounds) as source, Reader((1, 3, 4)) as reader:
        for item in source.items():
            try:
                told.append((item.id, item.problem or (reader.read(item.content) and "picture")))
            except InputRejected as error:
                told.append((item.id, str(error)))
    return told


def test_a_zip_gives_its_pictures_one_by_one_and_says_what_it_skips(tmp_path: Path) -> None:
    files = {"a.png": packed(GRAY), "sub/b.PNG": packed(RGB), "notes.txt": b"hi", "c.png": b"no", "e.jpg": b""}
    told = dict(brought(zipped(files), tmp_path))
    assert told["a.png"] == told["sub/b.PNG"] == "picture"
    assert told["notes.txt"] == "Not a picture file, judging by its name."
    assert "not a readable picture" in told["c.png"]
    assert told["e.jpg"] == "This file is empty."


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png", "..\\a.png", "C:\\a.png"])
def test_a_name_that_leaves_the_zip_is_skipped(name: str, tmp_path: Path) -> None:
    told = [reason for _, reason in brought(zipped({"fine.png": packed(GRAY), name: packed(GRAY)}), tmp_path)]
    assert sorted(told) == ["Its name points outside the zip.", "picture"]


def test_links_second_names_and_other_packings_are_skipped(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO(zipped({"a.png": packed(GRAY)}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/hosts")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", packed(RGB))
    assert brought(buffer.getvalue(), tmp_path)[1:] == [
        ("a.png", "Another file has the same name."),
        ("link.png", "A link, not a file."),
    ]
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("b.png", packed(GRAY), zipfile.ZIP_BZIP2)
    assert "compression is not supported" in dict(brought(buffer.getvalue(), tmp_path))["b.png"]


def test_a_zip_that_lies_is_refused(tmp_path: Path) -> None:
    def refused(content: bytes, words: str, bounds: Bounds | None = None) -> None:
        with pytest.raises(InputRejected, match=words):
            brought(content, tmp_path, bounds)

    refused(b"PK no zip", "not a readable zip file")
    refused(b"", "not a readable zip file")
    two = zipped({"a.png": packed(GRAY), "b.png": packed(GRAY)})
    at = two.rindex(b"PK\x01\x02")  # the second entry of the directory, made to point at the first file
    refused(two[: at + 42] + bytes(4) + two[at + 46 :], "overlap")
    refused(two, "unpacks to more than", Bounds(bytes=100))
    refused(two, "has 2 files; the limit is 1", Bounds(images=1))


@pytest.mark.parametrize("image", [GRAY[None], RGB.transpose(2, 0, 1)])
def test_png_and_back_is_the_same(image: np.ndarray) -> None:
    np.testing.assert_array_equal(read_picture(png(image), image.shape).pixels, image)
    np.testing.assert_array_equal(read_picture(png(image / np.float32(255)), image.shape).pixels, image)


def test_however_many_bring_a_picture_one_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take half a gigabyte."""
    under_way, most = [], []

    def read(reader: Reader, content: bytes) -> None:
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.01)
        under_way.pop()

    monkeypatch.setattr(Reader, "read", read)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: read_picture(b"", (1, 8, 8)), range(10)))
    assert max(most) == 1
    assert len(most) == 10


def test_reading_starts_no_process_that_stays() -> None:
    reader = Reader((1, 3, 4))
    with reader:
        reader.read(packed(GRAY))
        process = reader._process
    deadline = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.returncode is not None
