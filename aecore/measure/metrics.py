"""Numbers from arrays: each has one formula, one unit, and an independent reference in the tests."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from aecore.manifold import trust
from aecore.pixels import flat, to_floats, white
from aecore.vectors import normalized, squared_distances

Metric = Callable[[np.ndarray, np.ndarray], float | None]
"""(what is right, what was made of it) -> a number; None where it cannot be computed."""

METRICS: dict[str, dict[str, Metric]] = defaultdict(dict)
"""Part of the evaluation -> name of a figure -> its metric."""


class Figure(NamedTuple):
    """How a figure is written."""

    digits: int = 3
    unit: str = ""

    def __call__(self, value: float) -> str:
        return f"{value:.{self.digits}f} {self.unit}".rstrip()

    @property
    def pattern(self) -> str:
        """The same for columns of a table, as printf would have it."""
        return f"%.{self.digits}f {self.unit}".rstrip()


FIGURES: dict[str, Figure] = {}
"""Name of a figure -> how it is written; any other is written with three digits."""


def metric(part: str, name: str, digits: int = 3, unit: str = "") -> Callable[[Metric], Metric]:
    """Register a metric for a part of the evaluation; its name heads the column."""

    def register(function: Metric) -> Metric:
        METRICS[part][name] = function
        FIGURES[name] = Figure(digits, unit)
        return function

    return register


def compared(part: str, right: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Every metric of a part that can be computed, by name."""
    found = {name: compare(right, made) for name, compare in METRICS[part].items()}
    return {name: value for name, value in found.items() if value is not None}


def figure(name: str) -> Figure:
    """How a figure of this name is written."""
    return FIGURES.get(name, Figure())


def written(name: str, value: float) -> str:
    """A figure as people read it; whole numbers as they are."""
    return str(value) if isinstance(value, int) else figure(name)(value)


@metric("reconstruction", "MSE", 4)
def mse(images: np.ndarray, rebuilt: np.ndarray) -> float:
    """Squared error per pixel on [0, 1], averaged over pixels and images; uint8 or float (n, c, h, w) each."""
    return float(np.mean(mse_each(images, rebuilt)))


def mse_each(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared error on [0, 1], averaged over the pixels of each image, (n,); uint8 or float (n, c, h, w) each."""
    return np.concatenate(
        [np.square(x - y, dtype=np.float64).mean(axis=(1, 2, 3)) for x, y in _blocks(images, others)] or [np.empty(0)]
    )


@metric("reconstruction", "nats", 1)
def nats(images: np.ndarray, rebuilt: np.ndarray) -> float:
    """Bernoulli KL divergence per image, in nats: cross-entropy minus the entropy of the images themselves.

    Rebuilt values are kept a millionth away from 0 and 1, where the cross-entropy has no end.
    """
    total = 0.0
    for x, y in _blocks(images, rebuilt):
        y = y.astype(np.float64).clip(1e-6, 1 - 1e-6)
        x = x.astype(np.float64)
        inner = (x > 0) & (x < 1)
        safe = np.where(inner, x, 0.5)
        entropy = np.where(inner, safe * np.log(safe) + (1 - safe) * np.log(1 - safe), 0.0)
        total += float((entropy - x * np.log(y) - (1 - x) * np.log(1 - y)).sum())
    return total / len(images)


def psnr(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio per image, (n,) in dB; images (n, c, h, w), the other is clipped to [0, 1] first."""
    return 10 * np.log10(1 / np.maximum(mse_each(clean, other.clip(0, white(other))), 1e-12))


@metric("denoising", "PSNR", 2, "dB")
def mean_psnr(clean: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio in decibels, the mean over the images; 6 dB more is half the error of a pixel."""
    return float(psnr(clean, other).mean())


@metric("denoising", "SSIM")
def mean_ssim(clean: np.ndarray, other: np.ndarray) -> float | None:
    """Structural similarity, the mean over the images; 1 is identical. Images below 7x7 pixels have none."""
    return float(ssim(clean, other).mean()) if min(clean.shape[2:]) >= 7 else None


def ssim(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Structural similarity per image, (n,), windows of 7x7; the other is clipped to [0, 1] (Wang et al. 2004)."""
    from skimage.metrics import structural_similarity

    return np.array(
        [
            structural_similarity(x, y, data_range=1.0, channel_axis=0, win_size=7)
            for x, y in zip(to_floats(clean), to_floats(other).clip(0, 1), strict=True)
        ]
    )


def retrieval(
    queries: np.ndarray, query_labels: np.ndarray, gallery: np.ndarray, gallery_labels: np.ndarray
) -> dict[str, float]:
    """How well nearest codes by cosine share the query's class: P@1, P@4, P@10, mAP and 5-nearest-neighbor accuracy.

    queries (m, latent), gallery (n, latent), labels (m,) and (n,) serve for scoring only. Exact: every query meets
    every gallery code, in normalized matrix products. A tie of votes goes to the class met first.
    """
    gallery = normalized(gallery)
    found, precision = [], 0.0
    for start in range(0, len(queries), 256):
        similarity = normalized(queries[start : start + 256]) @ gallery.T
        labels = query_labels[start : start + 256]
        top = np.argpartition(-similarity, min(9, len(gallery) - 1), axis=1)[:, :10]
        order = np.take_along_axis(similarity, top, 1).argsort(axis=1, kind="stable")[:, ::-1]
        found.append(gallery_labels[np.take_along_axis(top, order, 1)])
        for row, label in zip(similarity, labels, strict=True):
            precision += _average_precision(row, gallery_labels == label)
    nearest = np.concatenate(found)
    hits = nearest == query_labels[:, None]
    votes = np.array([_vote(row[:5]) for row in nearest])
    return {
        **{f"P@{k}": float(hits[:, :k].mean()) for k in (1, 4, 10)},
        "mAP": precision / len(queries),
        "5-NN": float((votes == query_labels).mean()),
    }


def _average_precision(similarity: np.ndarray, relevant: np.ndarray) -> float:
    """Mean, over the relevant, of the share of relevant ones among all that are as near or nearer."""
    among_all, mine = np.sort(similarity), np.sort(similarity[relevant])
    if not len(mine):
        return 0.0
    as_near = len(among_all) - np.searchsorted(among_all, mine, side="left")
    return float(((len(mine) - np.searchsorted(mine, mine, side="left")) / as_near).mean())


def _vote(labels: np.ndarray) -> int:
    classes, first, counts = np.unique(labels, return_index=True, return_counts=True)
    return int(classes[np.lexsort((first, -counts))[0]])


@metric("map_quality", "trustworthiness")
def mean_trustworthiness(pixels: np.ndarray, points: np.ndarray) -> float:
    """Are the 12 neighbors of a point (n, 2) on the map neighbors in pixels (n, d), too? (Venna and Kaski 2001)"""
    return float(trust(*_exactly(pixels, points), np.arange(len(points))).mean())


@metric("map_quality", "continuity")
def continuity(pixels: np.ndarray, points: np.ndarray) -> float:
    """Are the 12 neighbors of an image its neighbors on the map? Trustworthiness with the roles exchanged."""
    return float(trust(*_exactly(points, pixels), np.arange(len(points))).mean())


def _exactly(*arrays: np.ndarray) -> list[np.ndarray]:
    """In double precision around the mean, where equal distances stay equal."""
    return [array - array.mean(axis=0, dtype=np.float64) for array in arrays]


def nearest_mse(images: np.ndarray, others: np.ndarray) -> float:
    """MSE per pixel from each image to the nearest of the others, on average; uint8 or float (n, c, h, w) each."""
    targets, total = flat(others), 0.0
    for start in range(0, len(images), 256):
        nearest = squared_distances(flat(images[start : start + 256]), targets).min(axis=1)
        total += float(np.maximum(nearest, 0).sum())
    return total / (len(images) * targets.shape[1])


def _blocks(images: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(images), 1024):
        yield to_floats(images[start : start + 1024]), to_floats(others[start : start + 1024])
