"""Pictures and payloads from arrays."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from aecore.figures import packed, resized, sprites, tile_side, unit_bars

RNG = np.random.default_rng(0)


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


def test_bars_of_units_begin_with_the_most_active() -> None:
    values = unit_bars(np.array([0.1, 3.0, 0.5]), "variance")["data"]["values"]
    assert [(bar["rank"], bar["unit"]) for bar in values] == [(1, 1), (2, 2), (3, 0)]
