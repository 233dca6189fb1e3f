"""The map in bytes, read as the browser reads them, and what is measured on it."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import aecore
from aecore import atlas
from aecore.atlas import packed, resized, sprites, tile_side

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


def test_copies_share_a_picture_and_a_part_of_a_map_says_which_rows_it_has() -> None:
    places, numbers = RNG.normal(size=(3, 2)), np.array([0, 1, 0, 2, 2], np.uint32)
    head, arrays = unpacked(atlas.points("a", np.array([0, 2, 3]), places, numbers, "codes"))
    assert (head["id"], head["of"], head["names"]) == ("a", 3, ["unit 1", "unit 2"])
    np.testing.assert_array_equal(arrays["rows"], [0, 2, 3])
    np.testing.assert_array_equal(arrays["tile"], [0, 0, 2])
    np.testing.assert_array_equal(np.stack([arrays["x"], arrays["y"]], axis=1), places.astype(np.float32))
    head, arrays = unpacked(atlas.points("b", np.arange(3), places, numbers[:3], "tsne"))
    assert "rows" not in arrays
    assert head["names"] == ["", ""]


def test_colors_are_classes_factors_tags_or_nothing(home: object) -> None:
    from aecore.tags import tag, tags

    digits, rows = aecore.load_dataset("digits"), np.array([5, 3, 8])
    head, arrays = unpacked(atlas.colors("a", digits, "test", rows, "class", {}))
    assert head == {"id": "a", "kind": "class", "names": list(digits.classes), "rest": False}
    np.testing.assert_array_equal(arrays["values"], digits.test.labels[rows])
    tag("digits", "odd", "test", digits.test.ids[[3]])
    head, arrays = unpacked(atlas.colors("a", digits, "test", rows, "tag", tags("digits")))
    assert (head["names"], head["rest"]) == (["odd", "no tag"], True)
    assert arrays["values"].tolist() == [1, 0, 1]
    assert unpacked(atlas.colors("a", digits, "test", rows, "none", {})) == ({"id": "a", "kind": "none"}, {})
    blocks = aecore.load_dataset("blocks", count=500)
    head, arrays = unpacked(atlas.colors("a", blocks, "train", rows, "height", {}))
    assert head["title"] == "height"
    np.testing.assert_array_equal(arrays["values"], blocks.train.factors["height"][rows])
    assert head["low"] < head["high"]


def test_one_value_for_all_has_a_scale_too() -> None:
    head, _ = unpacked(atlas.shades("a", "MSE", np.ones(4)))
    assert head["low"] < head["high"]


def test_errors_are_those_of_the_reconstructions(digits_runs: list[aecore.Checkpoint]) -> None:
    checkpoint, images = digits_runs[1], aecore.load_dataset("digits").test.images
    expected = np.square(checkpoint.reconstruct(images) - images / np.float32(255)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(atlas.errors(checkpoint, checkpoint.encode(images), images), expected, rtol=1e-4)


def test_pictures_reconstructions_and_lattice_say_how_to_cut_them(digits_runs: list[aecore.Checkpoint]) -> None:
    checkpoint, digits = digits_runs[0], aecore.load_dataset("digits")
    codes = checkpoint.encode(digits.train.images)
    for part in (atlas.pictures("a", digits.test.images), atlas.reconstructions("a", checkpoint, codes)):
        head, arrays = unpacked(part)
        assert head == {"id": "a", "height": 8, "width": 8, "columns": 32, "per": 2048}
        assert len(arrays["sheets"]) == 1
    head, arrays = unpacked(atlas.lattice("a", checkpoint, codes))
    assert (head["count"], head["height"], head["width"]) == (72, 8, 8)
    with Image.open(io.BytesIO(arrays["sheets"][0].tobytes())) as picture:
        assert picture.size == (72 * 8, 72 * 8)
    assert arrays["far"].shape == (72 * 72,)
    assert atlas.thumbnail(digits.train.images, codes).shape == (160, 160, 4)


def test_a_perfect_map_is_trusted_a_random_one_less_and_copies_as_much_as_their_image() -> None:
    images = RNG.integers(0, 256, (300, 1, 1, 2), np.uint8)
    images = np.concatenate([images, images[:7]])
    _, numbers = aecore.data.distinct(images)
    rows = np.arange(len(images))
    perfect = images.reshape(-1, 2).astype(np.float32)
    assert atlas.trust(images, rows, perfect, numbers).min() > 0.99
    assert atlas.mean_trust(images, rows, perfect, numbers) > 0.99
    off = atlas.trust(images, rows, RNG.normal(size=perfect.shape), numbers)
    assert off.mean() < 0.7
    assert atlas.mean_trust(images, rows[:20], perfect[:20], numbers) is None
    np.testing.assert_array_equal(off[300:], off[:7])


def test_units_are_ordered_by_what_they_do(digits_runs: list[aecore.Checkpoint]) -> None:
    images = aecore.load_dataset("digits").test.images
    for checkpoint in digits_runs:
        found = atlas.units(checkpoint, images)
        assert (np.diff(found["activity"][found["order"]]) <= 0).all()
        assert (found["low"] < found["high"]).all()
        np.testing.assert_allclose(found["variance"], checkpoint.encode(images).var(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(found["activity"], found["variance"])


def test_rows_are_drawn_once_for_all_and_in_order() -> None:
    np.testing.assert_array_equal(atlas.drawn(5, 9), np.arange(5))
    rows = atlas.drawn(1000, 30)
    assert len(np.unique(rows)) == 30
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, atlas.drawn(1000, 30))


def test_examples_are_the_first_test_images_with_their_class() -> None:
    digits, blocks = aecore.load_dataset("digits"), aecore.load_dataset("blocks")
    head, arrays = unpacked(atlas.examples("e", digits, 3))
    assert head["names"][2] == f"test image 2, {digits.classes[digits.test.labels[2]]}"
    np.testing.assert_array_equal(arrays["images"].reshape(3, *head["shape"]), digits.test.images[:3])
    head, arrays = unpacked(atlas.examples("e", blocks, 10**6))
    assert head["names"][-1] == f"test image {len(blocks.test) - 1}"
    assert arrays["images"].size == blocks.test.images.size
