"""Principal components: the linear autoencoder, and so the baseline of every other."""

from functools import lru_cache

import numpy as np

from aecore.data import Dataset
from aecore.measure.metrics import unit

LARGEST = 4096
"""Numbers in an image up to which components are computed: the cost grows with the square and the cube."""


class Pca:
    """Principal components of the training images, exact, by the covariance of the pixels."""

    def __init__(self, images: np.ndarray) -> None:
        rows = images.reshape(len(images), -1)
        self.mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32) / 255
        covariance = np.zeros((rows.shape[1], rows.shape[1]))
        for start in range(0, len(rows), 8192):
            centered = unit(rows[start : start + 8192]) - self.mean
            covariance += centered.T @ centered
        values, vectors = np.linalg.eigh(covariance / len(rows))
        self.variances, self.axes = np.maximum(values[::-1], 1e-12), vectors[:, ::-1].astype(np.float32)

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
        drawn = np.random.default_rng(0).standard_normal((count, components)) * self.deviations(components)
        rows = drawn.astype(np.float32) @ self.axes[:, :components].T + self.mean
        return rows.clip(0, 1)


@lru_cache(2)
def linear(dataset: Dataset) -> Pca | None:
    """The principal components of a dataset; None where its images are too large for them."""
    return Pca(dataset.train.images) if int(np.prod(dataset.shape)) <= LARGEST else None


def flat(images: np.ndarray) -> np.ndarray:
    """images (n, c, h, w), uint8 or float in [0, 1] -> (n, c * h * w) float32 in [0, 1]."""
    return unit(images).reshape(len(images), -1)
