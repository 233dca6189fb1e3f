"""Pictures made from arrays."""

import io

import numpy as np
import pytest
from PIL import Image

from aecore import figures


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


def test_a_pair_is_the_same_in_bytes_and_in_floats() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 4, 5), np.uint8)
    picture = figures.pair(images, images / np.float32(255))
    np.testing.assert_array_equal(picture, figures.pair(images, images))
    np.testing.assert_array_equal(picture[2 : 2 + 4 * 14 : 14, 2 : 2 + 5 * 14 : 14, 0], images[0, 0])
