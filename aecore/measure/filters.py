"""Denoising without a network: the baselines."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

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
    return _denoised_tv(noisy, _tv_weight(dataset, kind, level, clip))


@filter
def linear_filter(noisy: np.ndarray, dataset: Dataset, kind: str, level: float, clip: bool) -> np.ndarray | None:
    """The best linear map from noisy to clean training images; None for images too large for it."""
    if int(np.prod(dataset.shape)) > LARGEST:
        return None
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
    """The best linear filter from noisy to clean on 20,000 training images: means and gain (pixels, pixels)."""
    clean = dataset.train.images[:20_000]
    x, y = flat(corrupt(clean, kind, level, 1, clip)), flat(clean)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x -= x_mean  # in place: a second pair of these would be 125 MB
    y -= y_mean
    ridge = 1e-4 * len(x) * np.eye(x.shape[1], dtype=np.float32)
    return y_mean, np.linalg.solve(x.T @ x + ridge, x.T @ y).astype(np.float32), x_mean
