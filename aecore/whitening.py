"""Whitening: codes rotated to their principal axes, with the strong axes damped."""

from dataclasses import dataclass

import numpy as np

from aecore.vectors import principal


@dataclass(frozen=True, eq=False)
class Whitening:
    """A linear map of codes, fitted without labels; between such codes, weaker axes count in the cosine too.

    A few strong axes dominate the cosine of plain codes. Each principal axis is divided by variance ** power: 0 only
    rotates, 0.5 makes all axes equally strong, noise included, as in Su et al. 2021
    (https://arxiv.org/abs/2103.15316); halfway, 0.25, worked best on held-out training images.
    """

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, codes: np.ndarray, power: float = 0.25, keep: int | None = None) -> "Whitening":
        """codes (n, latent), of the gallery or of training images; `keep`: how many of the strongest axes to keep."""
        mean, variances, axes = principal(codes)
        variances, axes = variances[:keep], axes[:, :keep]
        floor = max(variances.max() * 1e-6, 1e-12)  # an axis without variance says nothing
        return cls(mean.astype(np.float32), (axes * np.maximum(variances, floor) ** -power).astype(np.float32))

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """codes (n, latent) -> (n, axes) float32, the strongest axis first."""
        return (np.asarray(codes, np.float32) - self.mean) @ self.axes
