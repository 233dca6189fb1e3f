"""Principal components: the linear autoencoder, and so the baseline of every other."""

from functools import lru_cache

import numpy as np

from aecore.data import Dataset
from aecore.pixels import flat
from aecore.vectors import principal, principal_of_few

LARGEST = 4096
"""Numbers in an image up to which components are computed: the cost grows with the square and the cube."""
FEW = 2**24
"""Numbers in all images together up to which they are computed of larger images, too: the axes take 64 MB then."""


class Pca:
    """Principal components of training images (n, c, h, w) uint8, exact.

    By the covariance of the pixels; of larger images, by their products with one another.
    """

    def __init__(self, images: np.ndarray) -> None:
        rows = images.reshape(len(images), -1)
        mean, variances, axes = (principal if rows.shape[1] <= LARGEST else principal_of_few)(rows)
        self.mean, self.axes = (mean / 255).astype(np.float32), axes.astype(np.float32)
        self.variances = np.maximum(variances / 255**2, 1e-12)

    def codes(self, images: np.ndarray, components: int) -> np.ndarray:
        """images (n, c, h, w) -> (n, components)."""
        return (flat(images) - self.mean) @ self.axes[:, :components]

    def deviations(self, components: int) -> np.ndarray:
        """Standard deviation of each component over the training images, (components,)."""
        return np.sqrt(self.variances[:components]).astype(np.float32)

    def rebuild(self, images: np.ndarray, components: int) -> np.ndarray:
        """images (n, c, h, w) -> their best linear reconstruction from so many numbers, float32."""
        rows = self.codes(images, components) @ self.axes[:, :components].T + self.mean
        return rows.reshape(images.shape)

    def sample(self, count: int, components: int) -> np.ndarray:
        """New flat images (count, c * h * w) in [0, 1], drawn with seed 0 from the Gaussian of the components."""
        spread = self.deviations(components)
        drawn = np.random.default_rng(0).standard_normal((count, len(spread))) * spread
        rows = drawn.astype(np.float32) @ self.axes[:, :components].T + self.mean
        return rows.clip(0, 1)


@lru_cache(2)
def linear(dataset: Dataset) -> Pca | None:
    """The principal components of a dataset; None where its images are too large and too many for them."""
    small, few = int(np.prod(dataset.shape)) <= LARGEST, dataset.train.images.size <= FEW
    return Pca(dataset.train.images) if small or few else None
