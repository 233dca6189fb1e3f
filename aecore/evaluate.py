"""Honest numbers: each is printed with the baseline that it has to beat."""

import numpy as np

from aecore.datasets import Split
from aecore.runs import Checkpoint


def mse(images: np.ndarray, rebuilt: np.ndarray) -> float:
    """Squared error per pixel on [0, 1], averaged over pixels and images; uint8 or float (n, c, h, w) each."""
    total = 0.0
    for start in range(0, len(images), 1024):
        difference = _unit(images[start : start + 1024]) - _unit(rebuilt[start : start + 1024])
        total += float(np.square(difference, dtype=np.float64).sum())
    return total / images.size


def reconstruction_mse(checkpoint: Checkpoint, split: Split) -> float:
    """MSE per pixel of the clean reconstruction over a whole split."""
    return mse(split.images, checkpoint.reconstruct(split.images))


def pca_mse(train: np.ndarray, test: np.ndarray, components: int) -> float | None:
    """MSE per pixel on the test images of a principal component analysis of the training images: the linear baseline.

    Images (n, c, h, w) uint8. None when an image has more than 4,096 numbers, where the exact analysis takes minutes.
    """
    pixels = int(np.prod(train.shape[1:]))
    if pixels > 4096:
        return None
    flat = train.reshape(len(train), pixels)
    mean = flat.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((pixels, pixels))
    for start in range(0, len(flat), 8192):
        centered = (flat[start : start + 8192] - mean).astype(np.float32)
        covariance += centered.T @ centered
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :components]
    rest = test.reshape(len(test), pixels) - mean
    rest -= rest @ axes @ axes.T
    return float(np.square(rest).mean()) / 255**2


def psnr(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio per image, (n,) in dB; images (n, c, h, w), the other is clipped to [0, 1] first."""
    difference = _unit(clean) - _unit(other).clip(0, 1)
    error = np.square(difference, dtype=np.float64).mean(axis=(1, 2, 3))
    return 10 * np.log10(1 / np.maximum(error, 1e-12))


def precision_at(
    queries: np.ndarray, query_labels: np.ndarray, gallery: np.ndarray, gallery_labels: np.ndarray, k: int = 4
) -> float:
    """Share of the k nearest gallery codes, by cosine, that have the query's class; labels serve for scoring only.

    Exact: one normalized matrix product per block of queries.
    """
    gallery = _normalized(gallery)
    hits = 0
    for start in range(0, len(queries), 512):
        similarity = _normalized(queries[start : start + 512]) @ gallery.T
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        hits += int((gallery_labels[nearest] == query_labels[start : start + 512, None]).sum())
    return hits / (len(queries) * k)


def _normalized(codes: np.ndarray) -> np.ndarray:
    codes = np.asarray(codes, np.float32)
    return codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)


def _unit(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images
