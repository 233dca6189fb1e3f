"""Pictures and payloads made from arrays."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from aecore import figures
from aecore.figures import packed, resized, sprites, tile_side

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("groups", [["a", "b"], [0.0, 9.0]])
def test_a_film_shows_every_map_below_its_strip(groups: list) -> None:
    maps = [np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])]
    strips = [np.full((30, 100, 3), shade, np.uint8) for shade in (40, 200)]
    with Image.open(io.BytesIO(figures.film(maps, (0, 1, 0, 1), groups, strips, ["one", "two"]))) as film:
        assert (film.format, film.n_frames, film.size) == ("GIF", 2, (100, 154))
        for number, shade in enumerate((40, 200)):
            film.seek(number)
            frame = np.asarray(film.convert("RGB")).astype(int)
            assert np.abs(frame[40, 50] - shade).max() <= 8
            ground = (frame[54:] < 250).any(axis=2)
            corners = {"low left": ground[90:, :10], "high right": ground[:10, 90:]}
            others = {"high left": ground[:10, :10], "low right": ground[90:, 90:]}
            full, empty = (corners, others) if number == 0 else (others, corners)
            assert all(part.sum() == 25 for part in full.values())
            assert not any(part.any() for part in empty.values())


def unpacked(payload: bytes) -> tuple[dict, dict]:
    """As the browser reads it, written independently."""
    length = int.from_bytes(payload[:4], "little")
    head = json.loads(payload[4 : 4 + length])
    body = payload[4 + length :]

    def read(entry: list) -> np.ndarray:
        kind, offset, count = entry
        assert (4 + length + offset) % 8 == 0, "a typed array in the browser has to start at a multiple of its size"
        return np.frombuffer(body, kind, count, offset)

    arrays = {
        name: [read(item) for item in entry] if isinstance(entry[0], list) else read(entry)
        for name, entry in head.pop("arrays").items()
    }
    return head, arrays


def test_what_is_packed_comes_out_again() -> None:
    given = {
        "x": RNG.normal(size=7).astype(np.float32),
        "rows": np.arange(5, dtype=np.uint32),
        "tile": np.arange(3, dtype=np.uint16),
        "far": np.array([1, 0, 1], np.uint8),
    }
    head, arrays = unpacked(packed({"id": "a ü", "box": (0.0, 1.5)}, {**given, "sheets": [b"abc", b"", b"12345"]}))
    assert head == {"id": "a ü", "box": [0.0, 1.5]}
    for name, array in given.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert [bytes(item) for item in arrays["sheets"]] == [b"abc", b"", b"12345"]


@pytest.mark.parametrize(("count", "sheets"), [(1, 1), (12, 1), (13, 2), (30, 3)])
def test_each_sprite_stands_where_the_browser_looks_for_it(count: int, sheets: int) -> None:
    images = np.repeat(np.repeat(RNG.integers(0, 256, (count, 1, 2, 2), np.uint8), 8, axis=2), 8, axis=3)
    files = sprites(images, columns=4, lines=3, quality=95)
    assert len(files) == sheets
    for number, image in enumerate(images):
        picture = np.asarray(Image.open(io.BytesIO(files[number // 12])).convert("L"))
        top, left = number % 12 // 4 * 16, number % 4 * 16
        assert np.abs(picture[top : top + 16, left : left + 16].astype(int) - image[0]).mean() < 12


def test_tiles_shrink_only_as_much_as_they_have_to() -> None:
    assert tile_side(1000, 28, 28) == (28, 28)
    assert tile_side(80_000, 28, 28) == (28, 28)
    height, width = tile_side(80_000, 128, 64)
    assert height == 2 * width
    assert 0.9 < 80_000 * height * width / 64e6 < 1.1
    assert tile_side(10**9, 128, 128) == (16, 16)
    assert tile_side(10**9, 8, 8) == (8, 8)


def test_smaller_pictures_are_averages() -> None:
    images = RNG.integers(0, 256, (3, 3, 8, 8), np.uint8)
    small = resized(images, 4, 4)
    expected = images.reshape(3, 3, 4, 2, 4, 2).mean(axis=(3, 5))
    assert small.shape == (3, 3, 4, 4)
    assert np.abs(small - expected).max() <= 1
    assert resized(images, 8, 8) is images
    np.testing.assert_array_equal(resized(np.array([[[[0.0, 2.0], [0.5, -1]]]]), 2, 2), [[[[0, 255], [128, 0]]]])
