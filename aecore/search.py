"""Nearest codes: of a query, of many examples, and of every image in a set."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from aecore.pixels import white
from aecore.vectors import normalized

METRICS = ("cosine", "euclidean")
AWAY = 0.5
"""How far a query moves away from the negative examples, as a share of the distance between the two means."""


LARGE = 700_000
"""From this many codes of 128 units, exact search takes over 100 ms on two cores; with faiss installed, search
is then approximate, and `Index.recall` says how close it comes."""


class Index:
    """Nearest neighbors among codes (n, latent), by cosine distance by default; exact except for LARGE sets.

    recall is the share of the ten exact neighbors that it finds, measured on 200 of the codes; 1 if search is exact.

    >>> import numpy as np
    >>> Index(np.eye(3)).nearest(np.array([1.0, 0.1, 0.0]), k=2)[1]
    array([0, 1])
    """

    def __init__(self, codes: np.ndarray, metric: str = "cosine") -> None:
        _check(metric)
        if len(codes) == 0:
            raise ValueError("there are no codes to search in; give at least one")
        self.size, self.metric = len(codes), metric
        self._neighbors: _Blocks | _Cells = _Blocks(codes, metric)
        self.exact, self.recall = self.size < LARGE or find_spec("faiss") is None, 1.0
        if not self.exact:
            asked = np.asarray(codes)[np.random.default_rng(0).permutation(self.size)[:200]]
            _, right = self._sorted(asked, 10)
            self._neighbors = _Cells(codes, metric)
            _, found = self._sorted(asked, 10)
            self.recall = float(np.mean([np.isin(*pair).mean() for pair in zip(right, found, strict=True)]))

    def __repr__(self) -> str:
        nearly = "" if self.exact else f", recall {self.recall:.3f}"
        return f"<Index of {self.size:,} codes by {self.metric} distance{nearly}>"

    def nearest(self, code: np.ndarray, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
        """code (latent,) or codes (m, latent) -> (distances, rows), each (k,) or (m, k), nearest first.

        Cosine distance is 1 - cosine similarity, 0 to 2. Equal distances are in row order. If there are fewer than k
        codes, all are returned.
        """
        if k < 1:
            raise ValueError(f"k is {k}; ask for at least one neighbor")
        code = np.asarray(code)
        codes = np.atleast_2d(code)
        distances, rows = self._sorted(codes, min(k + 1, self.size))
        if k < self.size:
            # of equal ones around the last place, any may have been found: look at all of them
            for tied in np.flatnonzero(self.exact & (distances[:, k - 1] == distances[:, k])):
                every = self._sorted(codes[tied : tied + 1], self.size)
                distances[tied], rows[tied] = every[0][0, : k + 1], every[1][0, : k + 1]
            distances, rows = distances[:, :k], rows[:, :k]
        return (distances[0], rows[0]) if code.ndim == 1 else (distances, rows)

    def _sorted(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        distances, rows = self._neighbors.kneighbors(codes, k)
        order = np.lexsort((rows, distances))[:, :k]
        return np.take_along_axis(distances, order, 1), np.take_along_axis(rows, order, 1)


class _Blocks:
    """Exact search, by scikit-learn, in one block of codes after the other: of a million, none is copied whole."""

    SIZE = 100_000

    def __init__(self, codes: np.ndarray, metric: str) -> None:
        self._blocks = [
            NearestNeighbors(metric=metric, algorithm="brute").fit(codes[start : start + self.SIZE])
            for start in range(0, len(codes), self.SIZE)
        ]

    def kneighbors(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """codes (m, latent) -> (distances, rows), each (m, k or more), the k nearest among them."""
        found = [block.kneighbors(codes, min(k, block.n_samples_fit_)) for block in self._blocks]
        rows = [rows + number * self.SIZE for number, (_, rows) in enumerate(found)]
        return np.concatenate([distances for distances, _ in found], axis=1), np.concatenate(rows, axis=1)


class _Cells:
    """Codes sorted into cells; a query searches only the nearest cells. Same interface as `_Blocks`.

    Inverted file of faiss; Johnson, Douze and Jegou 2017, https://arxiv.org/abs/1702.08734
    """

    def __init__(self, codes: np.ndarray, metric: str) -> None:
        import faiss

        self.metric = metric
        width, cells = codes.shape[1], int(4 * len(codes) ** 0.5)
        kind = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
        ground = faiss.IndexFlatIP(width) if metric == "cosine" else faiss.IndexFlatL2(width)
        self._index = faiss.IndexIVFFlat(ground, width, cells, kind)
        self._index.nprobe = max(1, cells // 16)
        self._index.train(self._form(codes[np.random.default_rng(0).permutation(len(codes))[: 40 * cells]]))
        for start in range(0, len(codes), _Blocks.SIZE):
            self._index.add(self._form(codes[start : start + _Blocks.SIZE]))

    def kneighbors(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """codes (m, latent) -> (distances, rows), each (m, k)."""
        import faiss

        codes = self._form(codes)
        near, rows = self._index.search(codes, k)
        if (rows < 0).any():  # the cells it looked at hold fewer than k
            near, rows = self._index.search(codes, k, params=faiss.SearchParametersIVF(nprobe=self._index.nlist))
        return (np.maximum(1 - near, 0) if self.metric == "cosine" else np.sqrt(np.maximum(near, 0))), rows

    def _form(self, codes: np.ndarray) -> np.ndarray:
        codes = np.ascontiguousarray(codes, np.float32)
        if self.metric == "cosine":
            codes = normalized(codes)
        return codes


def nearest_images(
    images: np.ndarray, image: np.ndarray, k: int = 4, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """The k images (n, c, h, w) uint8 nearest to one (c, h, w), uint8 or float from 0 to 1 -> (distances, rows).

    By their raw pixels, from 0 to 1: the baseline for codes. Works in blocks, since a float copy of all images would
    cost four times their memory.
    """
    _check(metric)
    query = image.reshape(-1).astype(np.float32) * (255 / white(image))
    length = max(float(np.linalg.norm(query)), 1e-12)
    distances = np.empty(len(images), np.float32)
    for start in range(0, len(images), 4096):
        block = images[start : start + 4096].reshape(-1, query.size).astype(np.float32)
        if metric == "euclidean":
            block -= query
            distances[start : start + 4096] = np.sqrt(np.einsum("ij,ij->i", block, block)) / 255
        else:
            lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
            along = np.einsum("ij,j->i", block, query)  # one thread: those of BLAS wait for each other on busy cores
            distances[start : start + 4096] = 1 - along / np.maximum(lengths * length, 1e-12)
    distances = np.maximum(distances, 0)
    rows = np.argsort(distances, kind="stable")[:k]
    return distances[rows], rows


def usual_distances(index: Index, asked: np.ndarray, itself: bool = False, count: int = 200) -> np.ndarray:
    """How far `count` of the vectors asked (n, d), drawn with seed 0, are from their nearest in an index, sorted.

    itself: whether the index holds these vectors too; then it is the second nearest that counts.
    """
    rows = np.random.default_rng(0).permutation(len(asked))[:count]
    distances, _ = index.nearest(asked[rows], 2)
    return np.sort(distances[:, -1 if itself else 0])


def combined(wanted: np.ndarray, unwanted: np.ndarray, metric: str = "cosine") -> np.ndarray:
    """One query (d,) from vectors of positive examples (m, d), m >= 1, and negative examples (n, d), n >= 0.

    positive mean + 0.5 * (positive mean - negative mean), after Rocchio 1971; for cosine, each vector is scaled to
    length 1 first.
    """
    _check(metric)
    if not len(wanted):
        raise ValueError("there is no example to look for; give at least one")

    def mean(vectors: np.ndarray) -> np.ndarray:
        vectors = np.asarray(vectors, np.float32)
        if metric == "cosine":
            vectors = normalized(vectors)
        return vectors.mean(axis=0)

    query = mean(wanted)
    return query + AWAY * (query - mean(unwanted)) if len(unwanted) else query


def all_nearest(
    codes: np.ndarray, k: int = 4, metric: str = "cosine", progress: Callable[[int, int], Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For every code (n, latent), its k nearest others -> (distances (n, k) float32, rows (n, k)); n > k.

    Exact, in blocks of matrix products; progress gets the codes done and the total.
    """
    _check(metric)
    if not 1 <= k < len(codes):
        raise ValueError(f"k is {k}; choose a number from 1 to {len(codes) - 1}, less than the {len(codes)} codes")
    codes = np.asarray(codes, np.float32)
    if metric == "cosine":
        codes = normalized(codes)
    halves = np.square(codes).sum(axis=1) / 2 if metric == "euclidean" else np.zeros(len(codes), np.float32)
    distances, rows = np.empty((len(codes), k), np.float32), np.empty((len(codes), k), np.int64)
    for start in range(0, len(codes), 256):
        near = codes[start : start + 256] @ codes.T
        near -= halves
        every = np.arange(len(near))
        near[every, start + every] = -np.inf
        found = rows[start : start + 256]
        for place in range(k):  # k times the largest: faster than sorting, and equal ones come by their rows
            found[:, place] = best = near.argmax(axis=1)
            distances[start : start + 256, place] = 1 - near[every, best]
            near[every, best] = -np.inf
        if metric == "euclidean":  # anew from the differences: of two products, little is left where codes are near
            apart = codes[start : start + 256, None] - codes[found]
            distances[start : start + 256] = np.sqrt(np.square(apart).sum(axis=2))
        if progress:
            progress(min(start + 256, len(codes)), len(codes))
    order = np.lexsort((rows, distances))
    return np.maximum(np.take_along_axis(distances, order, 1), 0), np.take_along_axis(rows, order, 1)


def groups(distances: np.ndarray, rows: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Groups of rows linked by pairs within the threshold, from the result of `all_nearest`; largest group first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    near = distances <= threshold
    ends = np.nonzero(near)[0], rows[near]
    count, label = connected_components(coo_array((np.ones(len(ends[0]), bool), ends), (len(rows), len(rows))))
    sizes = np.bincount(label, minlength=count)
    members = np.split(np.argsort(label, kind="stable"), np.cumsum(sizes)[:-1])
    found = [group for group in members if len(group) > 1]
    return sorted(found, key=lambda group: (-len(group), group[0]))


def _check(metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; choose one of {', '.join(METRICS)}")
