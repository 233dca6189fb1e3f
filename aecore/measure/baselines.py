"""What needs no training by gradient: spaces of features that a code has to beat."""

from collections import defaultdict
from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from aecore.data import Dataset
from aecore.measure.pca import linear
from aecore.networks import Edges
from aecore.pixels import flat, to_floats
from aecore.whitening import Whitening

Space = Callable[[np.ndarray], np.ndarray]
"""images (n, c, h, w) -> features (n, d)."""

Baseline = Callable[[Dataset, int], Space | None]
"""(dataset, size of a code) -> a space fitted on training images without labels; None where it cannot be used."""

BASELINES: dict[str, dict[str, Baseline]] = defaultdict(dict)
"""Part of the evaluation -> title of its row, in which {latent} stands for the size of the code -> baseline."""


def baseline(title: str, *parts: str) -> Callable[[Baseline], Baseline]:
    """Register a baseline for these parts of the evaluation."""

    def register(function: Baseline) -> Baseline:
        for part in parts:
            BASELINES[part][title] = function
        return function

    return register


def spaces(part: str, dataset: Dataset, latent: int) -> dict[str, Space]:
    """The baselines of a part that can be used, by title, raw pixels first."""
    found = {title.format(latent=latent): fit(dataset, latent) for title, fit in BASELINES[part].items()}
    return {title: space for title, space in found.items() if space}


@baseline("raw pixels", "retrieval", "few_labels")
def raw_pixels(dataset: Dataset, latent: int) -> Space:
    """The images themselves."""
    return flat


@baseline("PCA-{latent}", "retrieval", "few_labels")
def principal_components(dataset: Dataset, latent: int) -> Space | None:
    """The principal components of the pixels."""
    pca = linear(dataset)
    return pca and (lambda images: pca.codes(images, latent))


@baseline("half-whitened PCA-{latent}", "retrieval")
def half_whitened(dataset: Dataset, latent: int) -> Space | None:
    """Principal components over the root of their deviations."""
    pca = linear(dataset)
    return pca and (lambda images: pca.codes(images, latent) / pca.deviations(latent) ** 0.5)


@baseline("whitened PCA-{latent}", "retrieval")
def whitened(dataset: Dataset, latent: int) -> Space | None:
    """Principal components over their deviations."""
    pca = linear(dataset)
    return pca and (lambda images: pca.codes(images, latent) / pca.deviations(latent))


@baseline("half-whitened PCA-{latent} of edges", "retrieval")
def half_whitened_edges(dataset: Dataset, latent: int) -> Space:
    """The same of the edges."""
    fitted = cache(lambda: Whitening.fit(edges(dataset.train.images), keep=latent))
    return lambda images: fitted()(edges(images))


@baseline("random", "retrieval")
def random(dataset: Dataset, latent: int) -> Space:
    """16 random numbers for each image: chance."""
    rng = np.random.default_rng(0)
    return lambda images: rng.standard_normal((len(images), 16), np.float32)


@baseline("HOG", "few_labels")
def oriented_gradients(dataset: Dataset, latent: int) -> Space | None:
    """Histograms of oriented gradients; images below 14x14 are too small for them."""
    return hog if min(dataset.shape[1:]) >= 14 else None


@baseline("edges", "few_labels")
def bare_edges(dataset: Dataset, latent: int) -> Space:
    """What an `edges` network sees, before anything is learned."""
    return edges


@torch.inference_mode()
def edges(images: np.ndarray) -> np.ndarray:
    """The fixed first layers of an `edges` network: images (n, c, h, w) -> (n, features) float32."""
    see = Edges(images.shape[1:])
    blocks = [torch.from_numpy(to_floats(images[start : start + 1024])) for start in range(0, len(images), 1024)]
    return np.concatenate([see(block).numpy() for block in blocks])


def hog(images: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs 2005), cells of a seventh of the side: (n, features)."""
    from skimage.feature import hog as histogram

    cell = (images.shape[2] // 7, images.shape[3] // 7)
    gray = images.mean(axis=1) / 255
    return np.stack([histogram(image, 8, cell, (2, 2)) for image in gray]).astype(np.float32)
