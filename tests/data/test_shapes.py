"""Shapes with chosen causes: the pixels show them, and no combination is in both splits."""

import numpy as np
import pytest

from aecore.data import Dataset, load_dataset
from aecore.data.generated import CAUSES, NOISE, PARTS, drawn, shapes

numbers = pytest.mark.parametrize("number", range(1, 7))


def measured(image: np.ndarray) -> dict[str, float]:
    """The causes of an image (28, 28), from its moments alone: those of a side a are a²/12."""
    light = image / image.sum()
    down, across = np.mgrid[:28, :28] - 13.5
    x, y = (light * across).sum(), (light * down).sum()
    down, across = down - y, across - x
    return {
        "x": x,
        "y": y,
        "across": (light * across**2).sum(),
        "down": (light * down**2).sum(),
        "mixed": (light * across * down).sum(),
        "brightness": image.max() / 255,
    }


def expected(factors: dict[str, float]) -> dict[str, float]:
    """The same from the causes; an edge that fades over 2 pixels adds 0.2 squared pixels to each side's moment."""
    known = {name: fixed for name, (_, _, fixed) in CAUSES.items()} | factors
    turn, fade = np.deg2rad(known["rotation"]), 4 / 20
    a, b = known["width"] ** 2 / 12 + fade, known["height"] ** 2 / 12 + fade
    return {
        "x": known["x"],
        "y": known["y"],
        "across": a * np.cos(turn) ** 2 + b * np.sin(turn) ** 2,
        "down": a * np.sin(turn) ** 2 + b * np.cos(turn) ** 2,
        "mixed": (a - b) * np.sin(turn) * np.cos(turn),
        "brightness": known["brightness"],
    }


@numbers
def test_the_pixels_show_the_causes(number: int) -> None:
    found = load_dataset(f"shapes_{number}", count=80)
    assert list(found.train.factors) == list(CAUSES)[:number]
    for split in (found.train, found.test):
        causes = np.array([split.factors.get(name, np.full(len(split), CAUSES[name][2])) for name in CAUSES])
        light = drawn(causes.T.astype(np.float64))
        noise = split.images - light
        assert abs(noise).max() < 7 * NOISE
        assert noise[(light > 10) & (light < 245)].std() == pytest.approx(np.hypot(NOISE, 12**-0.5), rel=0.1)
        for row, image in enumerate(light[:, 0]):
            here, there = measured(image), expected({name: float(v[row]) for name, v in split.factors.items()})
            for name, tolerance in {"x": 0.05, "y": 0.05, "across": 0.3, "down": 0.3, "mixed": 0.3}.items():
                assert here[name] == pytest.approx(there[name], abs=tolerance), name
            assert here["brightness"] == pytest.approx(there["brightness"], abs=0.5 / 255)


def parts(dataset: Dataset, split: str) -> set[tuple[int, ...]]:
    """Which part of each range every image has."""
    found = []
    for name, values in dataset.split(split).factors.items():
        low, high, _ = CAUSES[name]
        found.append(((values.astype(np.float64) - low) / (high - low) * PARTS).astype(int))
    return set(zip(*(part.tolist() for part in found), strict=True))


@numbers
def test_no_combination_of_the_test_is_trained_on(number: int) -> None:
    shapes_ = load_dataset(f"shapes_{number}")
    train, test = parts(shapes_, "train"), parts(shapes_, "test")
    assert len(shapes_.train) == 4000
    assert len(shapes_.test) == 500
    assert not train & test
    if number > 1:  # each value by itself is known
        for cause in range(number):
            assert {each[cause] for each in train} == {each[cause] for each in test} == set(range(PARTS))


def test_every_cause_fills_its_range_and_no_shape_leaves_the_image() -> None:
    six = load_dataset("shapes_6")
    for name, values in six.train.factors.items():
        low, high, _ = CAUSES[name]
        assert values.min() >= low
        assert values.max() <= high
        assert values.max() - values.min() > 0.99 * (high - low)
    rim = np.concatenate([six.train.images[:, 0, [0, -1]], six.train.images[:, 0, :, [0, -1]].swapaxes(0, 1)], axis=1)
    assert rim.max() < 7 * NOISE


def test_another_seed_draws_other_shapes() -> None:
    one, other = load_dataset("shapes_2", count=80), load_dataset("shapes_2", count=80, seed=1)
    assert (one.train.images != other.train.images).any()


@pytest.mark.parametrize("number", [0, 7, -1])
def test_another_number_of_causes_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=rf"^number is {number}; choose a whole number from 1 to 6$"):
        shapes(number)
