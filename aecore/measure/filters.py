"""Repairs without a network, the baselines of denoising: median, total variation, and a learned linear filter."""

from functools import lru_cache

import numpy as np

from aecore.data import Dataset
from aecore.measure.metrics import psnr
from aecore.measure.pca import LARGEST, flat
from aecore.noise import corrupt


def filters(noisy: np.ndarray, dataset: Dataset, kind: str, level: float, clip: bool = True) -> dict[str, np.ndarray]:
    """Images (n, c, h, w) float repaired without a network: name -> repaired.

    What is fitted is fitted to this kind and level of noise, clipped or not, on training images.
    """
    from scipy.ndimage import median_filter
    from skimage.restoration import denoise_tv_chambolle

    weight = _tv_weight(dataset, kind, level, clip)
    found = {
        "median": median_filter(noisy, size=(1, 1, 3, 3)),
        "total variation": np.stack([denoise_tv_chambolle(x, weight, channel_axis=0) for x in noisy]),
    }
    if int(np.prod(dataset.shape)) <= LARGEST:
        mean, gain, noisy_mean = _wiener(dataset, kind, level, clip)
        restored = (flat(noisy) - noisy_mean) @ gain + mean
        found["linear filter"] = restored.reshape(noisy.shape).clip(0, 1)
    return found


@lru_cache(32)
def _tv_weight(dataset: Dataset, kind: str, level: float, clip: bool) -> float:
    """The strength of total variation that does best on the first 100 training images."""
    from skimage.restoration import denoise_tv_chambolle

    clean = dataset.train.images[:100]
    noisy = corrupt(clean, kind, level, 1, clip)

    def score(weight: float) -> float:
        restored = np.stack([denoise_tv_chambolle(x, weight, channel_axis=0) for x in noisy])
        return float(psnr(clean, restored).mean())

    return max((0.05, 0.1, 0.2, 0.3, 0.5, 0.8), key=score)


@lru_cache(16)
def _wiener(dataset: Dataset, kind: str, level: float, clip: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best linear filter from noisy to clean on 20,000 training images: means and gain (pixels, pixels)."""
    clean = dataset.train.images[:20_000]
    x, y = flat(corrupt(clean, kind, level, 1, clip)), flat(clean)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    ridge = 1e-4 * len(x) * np.eye(x.shape[1], dtype=np.float32)
    return y_mean, np.linalg.solve(x.T @ x + ridge, x.T @ y).astype(np.float32), x_mean
