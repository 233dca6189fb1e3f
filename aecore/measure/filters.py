"""Denoising without a network: the baselines."""

from collections.abc import Callable
from functools import lru_cache
from threading import Lock

import numpy as np
import torch

from aecore.data import Dataset
from aecore.measure.metrics import psnr
from aecore.measure.pca import LARGEST
from aecore.noise import corrupt
from aecore.pixels import flat

Filter = Callable[[np.ndarray, Dataset, str, float, bool], np.ndarray | None]
"""(noisy images (n, c, h, w) float, dataset, kind, level, clipped or not) -> denoised; None where it cannot be used.

What is fitted is fitted to this noise, on training images.
"""

FILTERS: dict[str, Filter] = {}

BLOCK = 1000
"""Images from which a filter learns at a time."""

_LEARNING = Lock()
"""What several visitors need at the same moment is found by the first, and the others wait for it."""


def filter(function: Filter) -> Filter:
    """Register a filter; its name with spaces is what people read."""
    FILTERS[function.__name__.replace("_", " ")] = function
    return function


def filters(noisy: np.ndarray, dataset: Dataset, kind: str, level: float, clip: bool = True) -> dict[str, np.ndarray]:
    """Images (n, c, h, w) float denoised by every filter that can be used: name -> denoised."""
    found = {name: apply(noisy, dataset, kind, level, clip) for name, apply in FILTERS.items()}
    return {name: images for name, images in found.items() if images is not None}


@filter
def median(noisy: np.ndarray, dataset: Dataset, kind: str, level: float, clip: bool) -> np.ndarray:
    """The median of every 3x3 neighborhood."""
    from scipy.ndimage import median_filter

    return median_filter(noisy, size=(1, 1, 3, 3))


@filter
def total_variation(noisy: np.ndarray, dataset: Dataset, kind: str, level: float, clip: bool) -> np.ndarray:
    """Rudin, Osher and Fatemi 1992 by Chambolle 2004, its weight chosen on training images."""
    with _LEARNING:
        weight = _tv_weight(dataset, kind, level, clip)
    return _denoised_tv(noisy, weight)


@filter
def linear_filter(noisy: np.ndarray, dataset: Dataset, kind: str, level: float, clip: bool) -> np.ndarray | None:
    """The best linear map from noisy to clean training images; None for images too large for it."""
    if int(np.prod(dataset.shape)) > LARGEST:
        return None
    with _LEARNING:
        mean, gain, noisy_mean = _wiener(dataset, kind, level, clip)
    return ((flat(noisy) - noisy_mean) @ gain + mean).reshape(noisy.shape).clip(0, 1)


def _denoised_tv(noisy: np.ndarray, weight: float) -> np.ndarray:
    from skimage.restoration import denoise_tv_chambolle

    return np.stack([denoise_tv_chambolle(x, weight, channel_axis=0) for x in noisy])


@lru_cache(32)
def _tv_weight(dataset: Dataset, kind: str, level: float, clip: bool) -> float:
    """The strength of total variation that does best on the first 100 training images."""
    clean = dataset.train.images[:100]
    noisy = corrupt(clean, kind, level, 1, clip)

    def score(weight: float) -> float:
        return float(psnr(clean, _denoised_tv(noisy, weight)).mean())

    return max((0.05, 0.1, 0.2, 0.3, 0.5, 0.8), key=score)


@lru_cache(16)
def _wiener(dataset: Dataset, kind: str, level: float, clip: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best linear filter from noisy to clean on 20,000 training images: means and gain (pixels, pixels).

    In blocks: all of them, noisy and clean as floats, would be 125 MB and more for everyone who opens a page.
    """
    images, rng = dataset.train.images[:20_000], torch.Generator().manual_seed(1)
    count, pixels = len(images), int(np.prod(dataset.shape))
    sums = np.zeros((2, pixels), np.float64)
    squares, products = (np.zeros((pixels, pixels), np.float32) for _ in range(2))
    for start in range(0, count, BLOCK):
        clean = images[start : start + BLOCK]
        x, y = flat(corrupt(clean, kind, level, rng, clip)), flat(clean)
        if not start:
            around = x.mean(axis=0), y.mean(axis=0)  # near the means, so that little is lost when these are taken away
        x -= around[0]
        y -= around[1]
        sums += x.sum(axis=0), y.sum(axis=0)
        squares += x.T @ x
        products += x.T @ y
    x_mean, y_mean = (sums / count).astype(np.float32)
    squares -= count * np.outer(x_mean, x_mean)
    products -= count * np.outer(x_mean, y_mean)
    squares[np.diag_indices(pixels)] += 1e-4 * count
    return y_mean + around[1], np.linalg.solve(squares, products).astype(np.float32), x_mean + around[0]
