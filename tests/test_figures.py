"""Pictures and charts made from arrays."""

import io

import numpy as np
import pytest
from PIL import Image

from aecore import figures

HISTORY = [
    {"epoch": 0.0, "test": {"reconstruction": 0.5, "mse": 0.2}},
    {"epoch": 0.5, "reconstruction": 0.3, "test": {"reconstruction": 0.25, "mse": 0.1}},
    {"epoch": 1.0, "reconstruction": 0.2, "test": {"reconstruction": 0.0, "mse": 0.1}},
]


def test_curves_have_a_line_for_each_term_of_training_and_held_out_images() -> None:
    lines, here = figures.curves(HISTORY, cursor=0.5)["layer"]
    rows = {(row["images"], row["epoch"]): row["value"] for row in lines["data"]["values"]}
    assert rows == {
        ("held out", 0.0): 0.5,
        ("training", 0.5): 0.3,
        ("held out", 0.5): 0.25,
        ("training", 1.0): 0.2,
        ("held out", 1.0): 0.0,
    }
    assert here["data"]["values"] == [{"epoch": 0.5}]
    assert figures.curves(HISTORY)["layer"][1]["data"]["values"] == []


def test_a_log_axis_leaves_out_what_it_cannot_show() -> None:
    values = figures.curves(HISTORY, log=True)["layer"][0]["data"]["values"]
    assert min(row["value"] for row in values) > 0


@pytest.mark.parametrize(("groups", "kind"), [(["a", "b", "a"], "nominal"), ([1.0, 2.5, 3.0], "quantitative")])
def test_a_small_map_colors_names_as_kinds_and_numbers_as_amounts(groups: list, kind: str) -> None:
    chart = figures.small_map(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), (0, 4, 1, 5), groups, "what")
    assert chart["encoding"]["color"]["type"] == kind
    assert [row["what"] for row in chart["data"]["values"]] == groups
    assert chart["encoding"]["y"]["scale"]["domain"] == [1, 5]


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
