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
    source = "Generated; no rights reserved."
    return Dataset("blocks", split(drawn), split(held_out, test_ids), source=source)
