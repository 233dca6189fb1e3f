"""Computed datasets: the true factors of every image are known."""

import numpy as np

from aecore.data.datasets import Dataset, Split, dataset


@dataset("Blocks")
def blocks(count: int = 80_000, seed: int = 0) -> Dataset:
    """Centered white blocks on black: height and width determine every image.

    28x28 images of rectangles with sides of 1 to 28 pixels. One in eight of the 784 (height, width) pairs is held
    out: the test split has each of those once, and none of them is among the `count` training images.
    """
    side = 28
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.meshgrid(np.arange(1, side + 1), np.arange(1, side + 1), indexing="ij"), -1).reshape(-1, 2)
    rows = np.arange(side)

    def inside(lengths: np.ndarray) -> np.ndarray:
        start = (side - lengths[:, None]) // 2
        return (rows >= start) & (rows < start + lengths[:, None])

    pictures = (inside(pairs[:, 0])[:, None, :, None] & inside(pairs[:, 1])[:, None, None, :]) * np.uint8(255)
    shuffled = rng.permutation(len(pairs))
    held_out, seen = shuffled[: len(pairs) // 8], np.sort(shuffled[len(pairs) // 8 :])

    def split(chosen: np.ndarray, ids: np.ndarray | None = None) -> Split:
        height, width = pairs[chosen].T.astype(np.float32)
        return Split(pictures[chosen], None, ids, {"height": height, "width": width})

    drawn = seen[rng.integers(len(seen), size=count)]
    test_ids = np.array([f"{height}x{width}" for height, width in pairs[held_out]])
    source = f"{len(seen)} different blocks in training; made by a program, free to use."
    return Dataset("blocks", split(drawn), split(held_out, test_ids), source=source)


CAUSES = {
    "height": (6.0, 14.0, 10.0),
    "width": (6.0, 14.0, 10.0),
    "x": (-3.0, 3.0, 0.0),
    "y": (-3.0, 3.0, 0.0),
    "rotation": (-30.0, 30.0, 0.0),
    "brightness": (0.4, 1.0, 1.0),
}
"""What determines an image of a shape: its lowest and highest value, and the one where it is fixed.

Pixels, degrees, and a share of white. Within these ranges no two combinations give the same image: a rectangle that is
turned by at most 30 degrees is never another one, turned the other way. None reaches the border.
"""

EDGE = 2.0
"""Pixels over which a shape fades to black, so that its image changes smoothly with its causes."""

NOISE = 1.0
"""Standard deviation, in gray levels, of the noise in each pixel of a shape, as every camera adds it.

No code can hold it. So there is an error below which no network gets, however many units it has.
"""

PARTS = 32
"""Parts of each range; which of them an image has decides whether it is held out."""


def drawn(causes: np.ndarray) -> np.ndarray:
    """Causes (n, 6), in the order of CAUSES -> gray levels 0 to 255 of one rectangle each, (n, 1, 28, 28)."""
    height, width, x, y, rotation, brightness = (column[:, None, None] for column in causes.T)
    down, across = np.meshgrid(np.arange(28) - 13.5, np.arange(28) - 13.5, indexing="ij")
    turn = np.deg2rad(rotation)
    along = (across - x) * np.cos(turn) + (down - y) * np.sin(turn)
    upright = (down - y) * np.cos(turn) - (across - x) * np.sin(turn)

    def inside(length: np.ndarray, place: np.ndarray) -> np.ndarray:
        depth = np.clip((length / 2 - abs(place)) / EDGE + 0.5, 0, 1)
        return depth * depth * (3 - 2 * depth)

    return (255 * brightness * inside(width, along) * inside(height, upright))[:, None]


def shapes(number: int, count: int = 4000, seed: int = 0) -> Dataset:
    """Rectangles of which the first `number` of CAUSES vary, evenly over their ranges, and the others are fixed.

    28x28 images with NOISE: `count` for training, and an eighth as many for the test. Each range has 32 parts. Test
    images are those whose parts have numbers that add up to 4 modulo 8: no training image has such a combination,
    though each value by itself occurs in both where more than one cause varies. Raises ValueError unless number is 1
    to 6.
    """
    if number not in range(1, len(CAUSES) + 1):
        raise ValueError(f"number is {number!r}; choose a whole number from 1 to {len(CAUSES)}")
    rng = np.random.default_rng(seed)
    places = rng.uniform(size=(4 * count + 100, number))
    unseen = (places * PARTS).astype(int).sum(axis=1) % 8 == 4
    low, high, fixed = np.array([*CAUSES.values()]).T

    def split(chosen: np.ndarray) -> Split:
        causes = np.tile(fixed, (len(chosen), 1))
        causes[:, :number] = low[:number] + chosen * (high - low)[:number]
        factors = dict(zip(CAUSES, causes.T[:number].astype(np.float32), strict=False))
        light = drawn(causes)
        seen = np.rint(light + rng.normal(scale=NOISE, size=light.shape))
        return Split(np.clip(seen, 0, 255).astype(np.uint8), None, None, factors)

    train, test = split(places[~unseen][:count]), split(places[unseen][: max(1, count // 8)])
    return Dataset(f"shapes_{number}", train, test, source="Made by a program; free to use.")


def _register(number: int) -> None:
    def load(count: int = 4000, seed: int = 0) -> Dataset:
        return shapes(number, count, seed)

    load.__name__, load.__doc__ = f"shapes_{number}", shapes.__doc__
    dataset(f"Shapes, {number} cause{'' if number == 1 else 's'}")(load)


for number in range(1, len(CAUSES) + 1):
    _register(number)
